"""What many images need to be restored by the workers of a cluster."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace

from pellucid.batch.item import Item
from pellucid.batch.request import Request, restorer_of
from pellucid.batch.schedule import Failure, Part
from pellucid.errors import PellucidError, TemporaryError

#: Workers are given this share of all images at a time, and at most so many.
SHARES, MOST_TOGETHER = 64, 500


def shares_of(items: Sequence[Item]) -> list[Part[Item]]:
    """What a worker is given at a time: several, as a cluster takes its time to hand them out."""
    size = max(1, min(MOST_TOGETHER, len(items) // SHARES))
    return [
        Part(items[start].name, tuple(items[start : start + size]))
        for start in range(0, len(items), size)
    ]


def from_anywhere(item: Item) -> Item:
    """For processes that work in other folders."""
    return replace(item, files=tuple(map(os.path.abspath, item.files)))


def where_it_loads(
    request: Request, work: Callable[[Part[Item]], list[Failure | None]], part: Part[Item]
) -> list[Failure | None]:
    """Do a part where the model can be loaded: a worker without it is no fault of its images."""
    try:
        restorer_of(request)
    except PellucidError as error:
        where = socket.gethostname()
        raise TemporaryError(f"{where}: a worker there lacks what restores ({error})") from None
    return work(part)

"""However many bands an image has, a network takes some of them at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pellucid.data.channels import groups_of, reordered
from pellucid.restoration.engine import Network

#: Groups of bands of up to this side go through the network in one batch.
SMALL = 384


def planes_of_groups(
    planes: Sequence[NDArray[np.float32]], inputs: Sequence[str], bands: int, together: int
) -> list[NDArray[np.float32]]:
    """The planes of channels of so many bands, group after group of what a network takes."""
    groups = groups_of(bands, together)
    return [planes[k] for group in groups for k in reordered(inputs, group, bands)]


def of_all_bands(network: Network, bands: int, together: int) -> Network:
    """From `planes_of_groups` to these bands, by a network that takes so many at a time.

    It gives for each channel's image what is restored of each band, then the spread of each where
    the network tells one.
    """
    groups = groups_of(bands, together)
    # Where each band is found first, and there where in the group.
    places = [
        next((k, group.index(band)) for k, group in enumerate(groups) if band in group)
        for band in range(bands)
    ]

    def restored(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        count, sides = len(tiles), tiles.shape[2:]
        each = tiles.reshape(count * len(groups), -1, *sides)
        if tiles[0, 0].size <= SMALL**2:
            found = network(each)
        else:
            found = np.concatenate([network(some[None]) for some in each])
        found = found.reshape(count, len(groups), -1, together, *sides)
        own = [found[:, group, :, place] for group, place in places]
        return np.stack(own, axis=2).reshape(count, -1, *sides)

    return restored


def at_once(bands: int, pixels: int, together: int) -> list[slice]:
    """Which bands are worked on at once: all of a small image, of a large one as few as can be.

    A network that takes one at a time is guided by all of them.
    """
    if pixels <= SMALL**2 or together == 1:
        return [slice(0, bands)]
    return [slice(band, min(band + together, bands)) for band in range(0, bands, together)]

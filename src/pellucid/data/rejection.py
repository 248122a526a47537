"""Objects that are left out, each with its reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pellucid.data.catalogue import write_catalogue


@dataclass(frozen=True)
class Rejection:
    """An object that was left out, and why."""

    id: str
    reason: str


def count_reasons(rejected: Iterable[Rejection]) -> dict[str, int]:
    """How often each reason is given, most frequent first; numbers and files make no difference."""
    kinds: Counter[str] = Counter()
    for rejection in rejected:
        bare = re.sub(r"\s*\(.*\)", "", rejection.reason)
        kinds[re.sub(r"\S*[\d/]\S*", "…", bare)] += 1
    return dict(kinds.most_common())


def write_rejected(
    path: Path,
    rejected: Iterable[Rejection],
    overwrite: bool = False,
    origin: Mapping[str, object] | None = None,
) -> None:
    """Write the table of the objects that were left out (ECSV: id, reason), and what it is of."""
    from astropy.table import Table

    rows = [(rejection.id, rejection.reason) for rejection in rejected]
    table = Table(rows=rows or None, names=["id", "reason"], dtype=[str, str], meta=origin)
    write_catalogue(path, table, overwrite)

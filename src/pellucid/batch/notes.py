"""What was noted of many images, each kind of note once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pellucid.batch.journal import Row
from pellucid.restoration.doubt import CONTRADICTED, DOUBTED
from pellucid.restoration.result import Restoration
from pellucid.sky import SkyImage


def notes_of(image: SkyImage, result: Restoration) -> list[str]:
    """What a person who restored one image alone would have been told to know of it."""
    told = result.provenance
    trust = filter(None, [told.get("trust")])
    return list(dict.fromkeys([*image.notes, *told.get("notes", ()), *trust]))


def counted(rows: Iterable[Row]) -> dict[str, int]:
    """Notes with the number of images that they came for, the most frequent first.

    Notes that differ by numbers and by the names of their files only are one: that of the first.
    How much is doubted is no note of several images; of those that their results do not explain
    the worst is named.
    """
    first: dict[str, str] = {}
    count: dict[str, int] = {}
    rows = list(rows)
    amiss = {str(row["id"]): max(row["chi2"]) for row in rows if row.get("chi2")}
    amiss = {name: value for name, value in amiss.items() if value > CONTRADICTED}
    if amiss:
        name = max(amiss, key=lambda name: amiss[name])
        told = "warning: blurred again, the result does not explain the image"
        first[told] = f"{told} (worst: {name}, chi2 {amiss[name]:.1f})"
        count[told] = len(amiss)
    for row in rows:
        files = _names(row.get("input") or ())
        notes = [note for note in row.get("notes") or () if DOUBTED not in note]
        for kind, note in {_kind(note, files): note for note in notes}.items():
            first.setdefault(kind, note)
            count[kind] = count.get(kind, 0) + 1
    return {first[kind]: count[kind] for kind in sorted(count, key=lambda kind: -count[kind])}


def _names(files: Sequence[Any]) -> list[str]:
    """The names of files and what stands before their ends, the longest first."""
    paths = [Path(file) for file in files]
    names = {path.name for path in paths} | {path.name.partition(".")[0] for path in paths}
    return sorted(names - {""}, key=len, reverse=True)


def _kind(note: str, files: Sequence[str]) -> str:
    for name in files:
        note = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "FILE", note)
    return re.sub(r"\d+(\.\d+)?", "0", note)

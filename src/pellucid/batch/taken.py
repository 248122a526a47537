"""What a run is of: the images in files, or the objects of a catalogue."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.batch.catalogue import Cutouts, cutout_items
from pellucid.batch.inputs import find_inputs
from pellucid.batch.inputs import in_words as passed_in_words
from pellucid.batch.item import Item
from pellucid.batch.objects import in_words, make_items
from pellucid.batch.request import Request
from pellucid.errors import InputError


@dataclass(frozen=True)
class Taken:
    """The images of a run.

    Parameters
    ----------
    items
        The images.
    files
        What they are read from.
    words
        The options by which they were chosen, as far as a resumed run must have them.
    said
        How they were taken, for the person who asked.
    shard
        How many of them an HDF5 file gets; 0 where each has a FITS file.
    """

    items: list[Item]
    files: Iterable[str]
    words: dict[str, str]
    said: list[str]
    shard: int = 0


def take_files(
    inputs: Sequence[str | os.PathLike[str]], folder: Path, group: str | None, request: Request
) -> Taken:
    """The images in files, folders and lists."""
    found = find_inputs(inputs, folder)
    items = make_items(found.files, group, request.bands)
    stray = len(found.files) - sum(len(item.files) for item in items)
    if stray:
        found.passed[f"that --group {group} does not fit"] += stray
    if not items:
        one = next(iter(found.files))
        raise InputError(f"{one}: --group {group} fits neither it nor any other file")
    said = [in_words(items, group)]
    if found.passed:
        said.append(f"not taken: {passed_in_words(found.passed)}")
    return Taken(items, found.files, {"--group": group} if group else {}, said)


def take_objects(asked: Cutouts, request: Request) -> Taken:
    """The objects of a catalogue."""
    items, files = cutout_items(asked, request.hdu)
    side, count = asked.size, len(asked.images)
    mosaics = "a mosaic" if count == 1 else f"{count} mosaics"
    said = (
        f"{len(items)} objects of {asked.catalogue}, cut from {mosaics} in {side} × {side} pixels"
    )
    return Taken(items, files, asked.words(), [said], asked.shard)

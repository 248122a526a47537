"""What files' names tell: which are images, of which object, and in which band."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from pellucid.display import COMPOSITE_SUFFIXES
from pellucid.fits import is_band_word

FITS_SUFFIXES = tuple(
    kind + packed
    for kind in (".fits", ".fit", ".fts")
    for packed in ("", ".gz", ".bz2", ".xz", ".zip", ".fz")
)
#: Of what becomes FITS on reading, too.
IMAGE_SUFFIXES = (*FITS_SUFFIXES, ".tif", ".tiff", ".xisf")
_WORD = re.compile(r"[^-_.]+")


class Told(NamedTuple):
    """A name read as that of one band.

    Parameters
    ----------
    rest
        The name without the band.
    band
        As it is written.
    key
        The name with a mark in the band's place: the same for all bands of an object.
    """

    rest: str
    band: str
    key: str


def is_image_name(path: str | os.PathLike[str]) -> bool:
    """Whether a name is that of a FITS file, or of what becomes one on reading."""
    return os.fspath(path).lower().endswith(IMAGE_SUFFIXES)


def stem_of(path: str | os.PathLike[str]) -> str:
    """A file's name without the suffix that tells its format."""
    name = os.path.basename(path)
    for suffix in (*IMAGE_SUFFIXES, *COMPOSITE_SUFFIXES):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return Path(name).stem


def told_bands(stem: str) -> list[Told]:
    """Every reading of a name as that of one band: one for each of its words that is a band's."""
    found = []
    for word in _WORD.finditer(stem):
        if is_band_word(word[0]):
            before, after = stem[: word.start()], stem[word.end() :]
            rest = before[:-1] + after if before else after[1:]
            found.append(Told(rest, word[0], f"{before}*{after}"))
    return found

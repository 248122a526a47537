"""What the HISTORY of a restoration tells: its lines, and the command that made it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.batch.request import Request

if TYPE_CHECKING:
    from astropy.io.fits import Header

#: Characters of a HISTORY card; astropy cuts lines there, wherever that is.
_WIDTH = 72
#: How the lines begin that a restoration writes: what begins so goes on with no other.
_BEGINNINGS = (
    *("pellucid ", "note: ", "model ", "method ", "samples drawn", "undone: ", "made for "),
    *("blur fwhm ", "target fwhm ", "INPUT_ ", "the noise of "),
)
#: Options of `pellucid restore` that take no value, and those that say how an image is read.
_FLAGS = ("--force", "--overwrite", "--json", "--resume")
_READING = {
    "--hdu": "hdu",
    "--bands": "bands",
    "--pixel-scale": "pixel_scale",
    "--bad-bits": "bad_bits",
    "--psf": "psf",
    "--blur": "blur",
}


@dataclass(frozen=True)
class Made:
    """The command that made a restoration.

    Parameters
    ----------
    files
        The inputs, as they were typed.
    request
        How they were read, and what was stated of the blur.
    """

    files: tuple[str, ...]
    request: Request


def history_lines(header: Header | None) -> list[str]:
    """The lines of HISTORY as they were before cards of 72 characters held them."""
    lines: list[str] = []
    goes_on = False
    cards = [] if header is None else [card for card in header.cards if card.keyword == "HISTORY"]
    for card in cards:
        text = str(card.value)
        if goes_on and not text.startswith(_BEGINNINGS):
            lines[-1] = lines[-1].ljust(_WIDTH * -(-len(lines[-1]) // _WIDTH)) + text
        else:
            lines.append(text)
        goes_on = len(text) >= _WIDTH - 1  # a blank at its end is not kept
    return lines


def command_of(lines: Sequence[str]) -> Made | None:
    """The last `pellucid restore` in a history; None where there is none that can be read."""
    typed = [line for line in lines if line.startswith("pellucid restore ")]
    if not typed:
        return None
    try:
        words = shlex.split(typed[-1])[2:]
    except ValueError:  # a quote that never ends: the line was cut
        return None
    files: list[str] = []
    said: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if not word.startswith("-"):
            files.append(word)
        elif option not in _FLAGS:
            said[option] = value if equals else next(rest, "")
    if "--catalogue" in said:  # it was cut out of a mosaic
        return None
    reading = {name: said[option] for option, name in _READING.items() if option in said}
    hdu, bands, scale = reading.get("hdu"), reading.get("bands"), reading.get("pixel_scale")
    try:
        request = Request(
            hdu=int(hdu) if hdu and hdu.isdigit() else hdu,
            bands=tuple(bands.split(",")) if bands else None,
            pixel_scale=float(scale) if scale else None,
            bad_bits=reading.get("bad_bits"),
            psf=reading.get("psf"),
            blur=reading.get("blur"),
            force=True,
        )
    except ValueError:
        return None
    return Made(tuple(files), request)


def found_files(names: Iterable[str], places: Sequence[Path], beside: Path) -> list[Path] | None:
    """Where files lie now; None where one of them is nowhere.

    Parameters
    ----------
    names
        As they were typed.
    places
        Files, and folders to look in, that were named for it.
    beside
        The file that was made of them: they may lie beside it, too.
    """
    found = []
    for name in names:
        bare = os.path.basename(name)
        candidates = [place / bare if place.is_dir() else place for place in places]
        candidates += [Path(name), beside.parent / bare]
        path = next(
            (
                each
                for each in candidates
                if each.name == bare and each.is_file() and not _same(each, beside)
            ),
            None,
        )
        if path is None:
            return None
        found.append(path)
    return found or None


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)

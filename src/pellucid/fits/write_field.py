"""FITS out of an image that is never in memory: laid out first, its pixels put in by pieces."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import UsageError
from pellucid.files import check_target, write_atomically
from pellucid.fits.checksum import sum_words
from pellucid.fits.hdu import BLOCK
from pellucid.fits.reserved import Reserved, blank_planes
from pellucid.fits.write import Card, built_hdus
from pellucid.quiet import quiet
from pellucid.sky import PSF
from pellucid.sky.image import SkyImage

#: Room in a header for what is known of the pixels only when they are done.
SPARE = 8 * BLOCK
#: What the image's own planes are called, and those that are flags.
FLUX, FLAGS = "flux", ("MASK",)


@dataclass(frozen=True)
class FilePlanes:
    """Planes (band, y, x) by name in a file, each of which is somewhere in it.

    ``places`` has for each name and band the byte at which the plane begins.
    """

    descriptor: int
    places: Mapping[str, Sequence[int]]
    width: int
    types: Mapping[str, np.dtype[Any]]

    def put(self, name: str, rows: slice, columns: slice, values: NDArray[Any]) -> None:
        """Write a part of all bands."""
        dtype = self.types[name]
        for first, plane in zip(self.places[name], values, strict=True):
            stored = np.ascontiguousarray(plane.astype(dtype))
            for row, place in zip(stored, self._rows(first, rows, columns, dtype), strict=True):
                os.pwrite(self.descriptor, row.data, place)

    def get(self, name: str, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Read a part of all bands."""
        dtype, width = self.types[name], columns.stop - columns.start
        size = width * dtype.itemsize
        planes = [
            [
                np.frombuffer(os.pread(self.descriptor, size, place), dtype)
                for place in self._rows(first, rows, columns, dtype)
            ]
            for first in self.places[name]
        ]
        return np.array(planes).astype(np.float32)

    def _rows(self, first: int, rows: slice, columns: slice, dtype: np.dtype[Any]) -> Iterator[int]:
        for row in range(rows.start, rows.stop):
            yield first + (row * self.width + columns.start) * dtype.itemsize


def check_field_target(path: str | os.PathLike[str], overwrite: bool) -> Path:
    """Refuse, before any work, a file that a large image cannot be written into."""
    target = check_target(path, overwrite)
    if target.suffix.lower() not in (".fits", ".fit", ".fts"):
        raise UsageError(f"{target}: a large image is written as it is made, into a .fits file")
    return target


def write_field(
    frame: SkyImage,
    path: str | os.PathLike[str],
    names: Sequence[str],
    fill: Callable[[FilePlanes], tuple[Mapping[str, Card], Sequence[str]]],
    overwrite: bool = False,
    psf: PSF | None = None,
    part: Path | None = None,
) -> Path:
    """Write a restoration whose pixels ``fill`` puts into the file.

    The file is laid out beside its target with all its room, and moved into place when it is done.

    Parameters
    ----------
    frame
        The image without its pixels.
    names
        Of the planes beside it, as their extensions are called.
    fill
        Puts the planes ``flux`` and ``names``, and returns the cards of the image's HDUs and the
        lines for their HISTORY.
    psf
        What a star looks like in it.
    part
        The file in which it is made and which stays where that ends early, see `write_atomically`.
    """
    target = check_field_target(path, overwrite)
    bands, height, width = frame.shape
    planes = {name: bands * (1 + k) for k, name in enumerate(names)}
    layers = {
        name: blank_planes(first, frame.shape, np.uint8 if name in FLAGS else np.float32)
        for name, first in planes.items()
    }
    image = SkyImage(
        blank_planes(0, frame.shape),
        **{name: getattr(frame, name) for name in _KEPT},
    )

    def built(cards: Mapping[str, Card], history: Sequence[str]) -> list[Any]:
        with quiet():
            return built_hdus(image, target, layers, psf, True, history, cards)

    def write(stream: BinaryIO) -> None:
        hdus = built({}, ())
        with quiet():
            starts, end = _laid_out(hdus, bands)
        try:
            os.posix_fallocate(stream.fileno(), 0, end)
        except AttributeError:  # macOS
            stream.truncate(end)
        where: dict[int, int] = {}
        for hdu, start in zip(hdus, starts, strict=True):
            if isinstance(hdu, Reserved):
                data = start + _room(hdu, bands)
                for k, number in enumerate(hdu.planes):
                    where[number] = data + k * height * width * hdu.dtype.itemsize
        places = {
            name: [where[first + k] for k in range(bands)]
            for name, first in {FLUX: 0, **planes}.items()
        }
        types = {name: np.dtype(np.uint8 if name in FLAGS else ">f4") for name in (FLUX, *names)}
        cards, history = fill(FilePlanes(stream.fileno(), places, width, types))
        with quiet():
            for hdu, start, old in zip(built(cards, history), starts, hdus, strict=True):
                stream.seek(start)
                if isinstance(hdu, Reserved):
                    _finish(stream, hdu, start, _room(old, bands))
                else:
                    stream.write(_bytes_of(hdu, start == 0))

    return write_atomically(target, write, overwrite, part)


_KEPT = ("bands", "unit", "wcs", "psf", "header", "pixel_scale", "layout", "notes")


def _laid_out(hdus: Sequence[Any], bands: int) -> tuple[list[int], int]:
    """Where each HDU begins, and the end of the file."""
    starts, place = [], 0
    for hdu in hdus:
        starts.append(place)
        if isinstance(hdu, Reserved):
            place += _room(hdu, bands) + -(-hdu.size // BLOCK) * BLOCK
        else:
            place += len(_bytes_of(hdu, place == 0))
    return starts, place


def _room(hdu: Reserved, bands: int) -> int:
    """Bytes of a header and what comes to it; the image's own planes are the first ``bands``."""
    return len(hdu.header.tostring()) + (SPARE if min(hdu.planes) < bands else BLOCK)


def _bytes_of(hdu: Any, first: bool) -> bytes:
    """An HDU that is small, with its checksums."""
    from astropy.io import fits

    content = io.BytesIO()
    with quiet():
        hdu.add_checksum(when="over the whole HDU")
        whole = [hdu] if first else [fits.PrimaryHDU(), hdu]
        fits.HDUList(whole).writeto(content, output_verify="silentfix+ignore")
    return content.getvalue() if first else content.getvalue()[BLOCK:]


def _finish(stream: BinaryIO, hdu: Reserved, start: int, room: int) -> None:
    """Write a header before its pixels, with the sums of both (FITS 4.0, section 4.4.2.7)."""
    data = start + room
    total = sum_words(stream, data, data + -(-hdu.size // BLOCK) * BLOCK)
    header = hdu.header
    header["DATASUM"] = (str(total), "over the whole HDU")
    header["CHECKSUM"] = ("0" * 16, "over the whole HDU")
    text = _padded(header.tostring(padding=False), room)
    words = np.frombuffer(text, ">u4").sum(dtype=np.uint64)
    whole = int(words) + total
    while whole >> 32:
        whole = (whole & 0xFFFFFFFF) + (whole >> 32)
    header["CHECKSUM"] = (encoded(~whole & 0xFFFFFFFF), "over the whole HDU")
    stream.seek(start)
    stream.write(_padded(header.tostring(padding=False), room))


def _padded(text: str, room: int) -> bytes:
    """A header with blank cards before its END, as FITS has them for cards to come.

    What there is no room for is left out: the last lines of a long HISTORY.
    """
    whole = [text[k : k + 80] for k in range(0, len(text), 80)]
    kept = [card for card in whole if card.rstrip() != "END"][: room // 80 - 1]
    blank = [" " * 80] * (room // 80 - 1 - len(kept))
    return "".join([*kept, *blank, "END".ljust(80)]).encode("ascii")


def encoded(value: int) -> str:
    """A 32-bit sum as sixteen letters and digits (FITS 4.0, appendix J)."""
    punctuation = set(range(0x3A, 0x41)) | set(range(0x5B, 0x61))
    letters = [[0] * 4 for _ in range(4)]
    for byte in range(4):
        part = (value >> (24 - 8 * byte)) & 0xFF
        quotient, rest = divmod(part, 4)
        four = [quotient + 0x30 + (rest if k == 0 else 0) for k in range(4)]
        while any(letter in punctuation for letter in four):
            for k in (0, 2):
                if four[k] in punctuation or four[k + 1] in punctuation:
                    four[k], four[k + 1] = four[k] + 1, four[k + 1] - 1
        for k, letter in enumerate(four):
            letters[k][byte] = letter
    text = "".join(chr(letter) for row in letters for letter in row)
    return text[-1] + text[:-1]

"""A part of a FITS file as a file of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import one_line
from pellucid.fits.cards import card_value
from pellucid.fits.file import FitsFile
from pellucid.fits.hdu import BLOCK, HDU
from pellucid.quiet import quiet

if TYPE_CHECKING:
    from astropy.io.fits import Header

#: Bytes of an HDU of another shape (a PSF, a table) that goes along.
MOST_BESIDE = 2**20
#: Cards of how pixels are stored, which are written anew, and of sums that no longer hold.
_STRUCTURE = re.compile(
    r"(SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|CHECKSUM|DATASUM|ZHECKSUM|ZDATASUM)"
)
_REFERENCE = re.compile(r"CRPIX([12])[A-Z]?")
#: Tables of distortions that are laid out in pixels of the image.
_LOOKUPS = ("WCSDVARR", "D2IMARR")


def cut_out(
    file: FitsFile,
    shape: tuple[int, int],
    rows: slice,
    columns: slice,
    numbered: int = 0,
) -> bytes:
    """The file that holds a part of an image and of all that has its shape.

    Pixels are copied as they are stored; the cards of coordinates follow the part, and LTV1 and
    LTV2 say where it lies. Further HDUs come along where they are small.

    Parameters
    ----------
    shape
        Of the image (y, x), pixels.
    rows, columns
        The part.
    numbered
        An HDU that shall keep its number: those before it that do not come along are left empty.
    """
    from astropy.io import fits

    starts = (columns.start, rows.start)
    parts: list[bytes] = []
    with quiet():
        file.stream.seek(0)
        stored: Any = fits.open(
            file.stream, memmap=False, lazy_load_hdus=True, do_not_scale_image_data=True
        )
        for hdu in file.hdus:
            if hdu.kind == "image" and hdu.shape[-2:] == shape:
                try:
                    whole = (slice(None),) * (len(hdu.stored) - 2)
                    pixels = np.asarray(stored[hdu.number].section[(*whole, rows, columns)])
                except Exception as error:  # the tile decoders raise whatever they stumble over
                    fault = f"HDU {hdu} cannot be decoded ({one_line(error)})"
                    raise file.refuse(fault, "fetch the file again") from error
                parts.append(_image(moved(hdu.header, starts), pixels, first=not parts))
            elif not parts and hdu.kind == "image":
                parts.append(_image(hdu.header, None, first=True))
            elif hdu.end - hdu.start <= MOST_BESIDE and hdu.kind != "foreign":
                parts.append(_beside(file, hdu, starts))
            elif hdu.number < numbered:
                parts.append(_image(fits.Header(), None, first=False))
    return b"".join(parts)


def moved(header: Header, starts: tuple[int, int]) -> Header:
    """The header of the part that begins at the pixel (x, y), counted from 0."""
    header = header.copy()
    for card in list(header):
        match = _REFERENCE.fullmatch(card)
        value = card_value(header, card) if match else None
        if match and isinstance(value, (int, float)):
            header[card] = value - starts[int(match[1]) - 1]
    for axis, start in enumerate(starts, 1):
        before = card_value(header, f"LTV{axis}")
        shift = float(before) if isinstance(before, (int, float)) else 0.0
        header[f"LTV{axis}"] = (shift - start, "[pixel] place in the frame it was cut from")
    return header


def _image(header: Header, pixels: Any, first: bool) -> bytes:
    """The bytes of an HDU with these cards and these stored pixels."""
    from astropy.io.fits import Header

    made = Header()
    if first:
        made["SIMPLE"] = True
    else:
        made["XTENSION"] = "IMAGE"
    made["BITPIX"] = 8 if pixels is None else _bits(pixels.dtype)
    made["NAXIS"] = 0 if pixels is None else pixels.ndim
    for axis, side in enumerate(() if pixels is None else reversed(pixels.shape), 1):
        made[f"NAXIS{axis}"] = side
    if first:
        made["EXTEND"] = True
    else:
        made["PCOUNT"], made["GCOUNT"] = 0, 1
    for card in header.cards:
        if not _STRUCTURE.fullmatch(card.keyword):
            made.append(card, end=True)
    data = b"" if pixels is None else pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    return made.tostring().encode("ascii", "replace") + _padded(data)


def _bits(kind: np.dtype[Any]) -> int:
    return (-8 if kind.kind == "f" else 8) * kind.itemsize


def _beside(file: FitsFile, hdu: HDU, starts: tuple[int, int]) -> bytes:
    """The bytes of a small HDU; those of a distortion's table are moved with the image."""
    raw = file.raw(hdu)
    if hdu.name not in _LOOKUPS:
        return raw
    header: Any = hdu.header.copy()
    for axis, start in enumerate(starts, 1):
        header[f"CRVAL{axis}"] = header.get(f"CRVAL{axis}", 0.0) - start
    return header.tostring().encode("ascii", "replace") + raw[hdu.data - hdu.start :]


def _padded(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\0")

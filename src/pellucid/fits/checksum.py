"""The checksums that a FITS file may carry, held against its bytes without loading its data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from pellucid.fits.cards import card_value
from pellucid.fits.file import FitsFile, open_fits
from pellucid.fits.hdu import HDU

_CHUNK = 2**22
_ONES = 2**32 - 1


def check_sums(path: str | Path) -> None:
    """Refuse a FITS file, plain or packed, that is cut off or contradicts its checksums.

    Every HDU's bytes must be there, the packing's CRC must hold, and so must CHECKSUM and DATASUM
    (FITS Standard 4.0, section 4.4.2.7), which may be absent: over the 32-bit words w of an HDU,
    DATASUM = Σ w of its data in ones' complement, and Σ w = −0 over the whole HDU. astropy's own
    check does not see what stands behind END. Memory holds a few MB of the file at a time.
    """
    with open_fits(path) as file:
        for hdu in contradicted(file):
            raise file.refuse(f"HDU {hdu} contradicts its CHECKSUM", "fetch it again")


def contradicted(file: FitsFile) -> Iterator[HDU]:
    """The HDUs whose bytes do not add up to their CHECKSUM or DATASUM."""
    for hdu in file.hdus:
        datasum = str(card_value(hdu.header, "DATASUM") or "").strip()
        checked = "CHECKSUM" in hdu.header
        if not (datasum or checked):
            continue
        data = sum_words(file.stream, hdu.data, hdu.end)
        if datasum not in ("", str(data)) or (
            checked and sum_words(file.stream, hdu.start, hdu.data, data) not in (0, _ONES)
        ):
            yield hdu


def sum_words(stream: IO[bytes], start: int, end: int, total: int = 0) -> int:
    """The ones' complement sum of a file's big-endian 32-bit words, added to ``total``."""
    stream.seek(start)
    while start < end and (piece := stream.read(min(_CHUNK, end - start))):
        start += len(piece)
        words = np.frombuffer(piece + bytes(-len(piece) % 4), ">u4")
        total += int(words.sum(dtype=np.uint64))
    while total > _ONES:
        total = (total & _ONES) + (total >> 32)
    return total

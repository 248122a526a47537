"""The checksums that a FITS file may carry, held against its bytes without loading its data."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import InputError, one_line, refusal
from pellucid.fits.scan import Plain, Unpacked, quiet, walk

_CHUNK = 2**22
_ONES = 2**32 - 1


class _Nowhere:
    """Keeps nothing of what an `Unpacked` passes: a mosaic may be larger than the disk's rest."""

    def write(self, data: bytes) -> int:
        return len(data)


def check_sums(path: str | Path) -> None:
    """Refuse a FITS file, plain or gzipped, that is cut off or contradicts its checksums.

    Every HDU's bytes must be there, gzip's CRC must hold, and so must CHECKSUM and DATASUM
    (FITS Standard 4.0, section 4.4.2.7), which may be absent: over the 32-bit words w of an HDU,
    DATASUM = Σ w of its data in ones' complement, and Σ w = −0 over the whole HDU.

    Parameters
    ----------
    path
        The file; memory holds a few MB of it at a time.

    Raises
    ------
    InputError
        When it is missing, no FITS file, or damaged.
    """
    from astropy.io.fits import Header

    path = Path(path)
    try:
        plain = path.open("rb")
    except OSError as error:
        raise refusal(path, f"cannot be read ({error.strerror})", "fetch it again") from None
    with plain:
        packed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        stream: Any = gzip.GzipFile(fileobj=plain) if packed else plain
        hdus = walk(path, Unpacked(path, stream, _Nowhere()) if packed else Plain(plain))
        for hdu in hdus:
            stream.seek(hdu.start)
            try:
                with quiet():
                    # From the file: a compressed image's own header has lost its table's sums.
                    header = Header.fromfile(stream)
                    written = [str(header.get(key, "")).strip() for key in ("DATASUM", "CHECKSUM")]
            except Exception as error:  # cards that astropy cannot parse
                fault = f"the header of HDU {hdu.number} is broken ({one_line(error)})"
                raise refusal(path, fault, "fetch it again") from error
            if not any(written):
                continue
            length = stream.tell() - hdu.start
            # Back over the header only: to go back in a gzip stream is to unpack it anew.
            stream.seek(hdu.start)
            cards = add_words(_pieces(stream, length))
            data = add_words(_pieces(stream, hdu.end - hdu.start - length))
            whole = add_words(iter(()), cards + data)
            if (written[0] and written[0] != str(data)) or (written[1] and whole not in (0, _ONES)):
                raise InputError(f"{path}: contradicts its CHECKSUM; fetch it again")


def add_words(pieces: Iterator[bytes], start: int = 0) -> int:
    """The ones' complement sum of the big-endian 32-bit words in some bytes, added to ``start``."""
    total = start
    for piece in pieces:
        words = np.frombuffer(piece + bytes(-len(piece) % 4), ">u4")
        total += int(words.sum(dtype=np.uint64))
    while total > _ONES:
        total = (total & _ONES) + (total >> 32)
    return total


def _pieces(stream: Any, count: int) -> Iterator[bytes]:
    while count > 0:
        piece = stream.read(min(_CHUNK, count))
        if not piece:
            return
        count -= len(piece)
        yield piece

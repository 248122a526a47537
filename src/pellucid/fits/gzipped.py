"""Unpacking of gzipped FITS files, which may be damaged or made to fill the disk."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import IO

from pellucid.errors import TemporaryError, one_line, refusal
from pellucid.fits.hdu import BLOCK

_MAX_DATA = 8 * 2**30
_MAX_HEADER = 16 * 2**20
_CHUNK = 2**20


def unpack(path: Path, packed: IO[bytes], plain: IO[bytes]) -> None:
    """Unpack a gzipped FITS file into ``plain``, and never more than its headers promise.

    What is no FITS file is left after its first block: astropy says what is wrong with it.
    """
    from astropy.io.fits import Header

    source = gzip.GzipFile(fileobj=packed)

    def take(count: int) -> bytes:
        """Unpack the next bytes; reading to the end checks gzip's CRC."""
        try:
            held = source.read(count)
        except EOFError:
            raise refusal(path, "the gzip data is cut off", "fetch it again") from None
        except (OSError, zlib.error) as error:
            fault = f"the gzip data is damaged ({one_line(error)})"
            raise refusal(path, fault, "fetch it again") from None
        try:
            plain.write(held)
        except OSError as error:
            raise TemporaryError(
                f"{path}: no room to unpack it ({error.strerror}); TMPDIR names another folder"
            ) from error
        return held

    promised = 0
    cards = bytearray(take(BLOCK))  # appending to bytes would copy a large header each time
    if not cards.startswith(b"SIMPLE  ="):
        return
    while not promised or cards.startswith(b"XTENSION="):
        while not _has_end(cards[-BLOCK:]):
            more = take(BLOCK)
            if not more or len(cards) > _MAX_HEADER:
                raise refusal(path, "a header has no END", "fetch it again")
            cards += more
        try:
            size = Header.fromstring(bytes(cards)).data_size_padded
        except Exception:  # astropy says what is wrong with the header when it opens the copy
            return
        promised += len(cards) + size
        check_size(path, "it", promised)
        while size > 0 and (held := take(min(size, _CHUNK))):
            size -= len(held)
        cards = bytearray(take(BLOCK))
    if take(1):
        fault = "expands beyond what its headers promise (a damaged file or a decompression bomb)"
        raise refusal(path, fault, "gunzip it and check it")


def check_size(path: Path, what: str, size: int) -> None:
    """Refuse more bytes of pixels than memory is likely to hold."""
    if size > _MAX_DATA:
        advice = f"cut out less than {_MAX_DATA // 2**30} GiB"
        raise refusal(path, f"{what} has {size / 2**30:.0f} GiB of data", advice)


def _has_end(block: bytearray) -> bool:
    return any(block[k : k + 80].rstrip() == b"END" for k in range(0, len(block), 80))

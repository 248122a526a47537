"""Compressed FITS files, which may be damaged or made to fill the disk."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, NamedTuple

from pellucid.errors import InputError, TemporaryError, one_line, refusal
from pellucid.fits.hdu import BLOCK
from pellucid.quiet import quiet

_MAX_DATA = 8 * 2**30
_MAX_HEADER = 16 * 2**20
_CHUNK = 2**20


class Packing(NamedTuple):
    """A compression that Python's own library knows."""

    name: str
    unpacked_by: str
    open: Callable[[IO[bytes]], Any]


def _only_member(packed: IO[bytes]) -> IO[bytes]:
    archive = zipfile.ZipFile(packed)
    members = [info for info in archive.infolist() if not info.is_dir()]
    if len(members) != 1:
        raise ValueError(f"the archive holds {len(members)} files")
    return archive.open(members[0])


#: By the first bytes of a file.
_PACKINGS = {
    b"\x1f\x8b": Packing("gzip", "gunzip", lambda packed: gzip.GzipFile(fileobj=packed)),
    b"BZh": Packing("bzip2", "bunzip2", bz2.BZ2File),
    b"\xfd7zXZ": Packing("xz", "unxz", lzma.LZMAFile),
    b"PK\x03\x04": Packing("zip", "unzip", _only_member),
}
#: By the end of a name. No name and no time inside: the same image gives the same bytes.
_PACKERS: dict[str, Callable[[IO[bytes]], Any]] = {
    ".gz": lambda plain: gzip.GzipFile(filename="", fileobj=plain, mode="wb", mtime=0),
    ".bz2": lambda plain: bz2.BZ2File(plain, "wb"),
    ".xz": lambda plain: lzma.LZMAFile(plain, "wb"),  # noqa: SIM115
}
PACKED_SUFFIXES = tuple(_PACKERS)


def packing_of(start: bytes) -> Packing | None:
    """The compression of a file that begins with these bytes."""
    return next((p for magic, p in _PACKINGS.items() if start.startswith(magic)), None)


def packed_as(path: Path, stream: Any) -> AbstractContextManager[Any]:
    """What is written into it arrives in ``stream`` as the name of ``path`` promises."""
    packer = _PACKERS.get(path.suffix.lower())
    return packer(stream) if packer else nullcontext(stream)


def pour_hdus(hdus: Any, path: Path, stream: Any) -> None:
    """Write an `HDUList` into ``stream``, as the name of ``path`` promises."""
    with quiet(), packed_as(path, stream) as opened:
        # What cannot be fixed came with the file: it is no reason to lose the image.
        try:
            hdus.writeto(opened, output_verify="silentfix+ignore")
        except AttributeError as error:  # astropy trips over its own report of a full disk
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def unpack(path: Path, packing: Packing, packed: IO[bytes], plain: IO[bytes]) -> None:
    """Unpack a compressed FITS file into ``plain``, and never more than its headers promise.

    What is no FITS file is left after its first block: astropy says what is wrong with it.
    """
    from astropy.io.fits import Header

    def damaged(error: Exception) -> InputError:
        if isinstance(error, EOFError):
            return refusal(path, f"the {packing.name} data is cut off", "fetch it again")
        fault = f"the {packing.name} data is damaged ({one_line(error)})"
        return refusal(path, fault, "fetch it again")

    try:
        source = packing.open(packed)
    except ValueError as error:
        advice = f"{packing.unpacked_by} it and name the FITS file"
        raise refusal(path, one_line(error), advice) from None
    except (OSError, EOFError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise damaged(error) from None

    def take(count: int) -> bytes:
        """Unpack the next bytes; reading to the end checks the CRC."""
        try:
            held = source.read(count)
        except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
            raise damaged(error) from None
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
            with quiet():
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
        raise refusal(path, fault, f"{packing.unpacked_by} it and check it")


def check_size(path: Path, what: str, size: int) -> None:
    """Refuse more bytes of pixels than memory is likely to hold."""
    if size > _MAX_DATA:
        advice = f"cut out less than {_MAX_DATA // 2**30} GiB"
        raise refusal(path, f"{what} has {size / 2**30:.0f} GiB of data", advice)


def _has_end(block: bytearray) -> bool:
    return any(block[k : k + 80].rstrip() == b"END" for k in range(0, len(block), 80))

"""A walk over the headers of a FITS file that may be damaged or hostile.

Nothing is allocated or decoded before the walk over the headers has shown that the file holds
the bytes they promise, that a compressed file does not expand beyond them, and that no image is
larger than memory is likely to be.
"""

from __future__ import annotations

import gzip
import logging
import math
import os
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pellucid.errors import TemporaryError, one_line, refusal

if TYPE_CHECKING:
    from astropy.io.fits import Header

BLOCK = 2880
MAX_HEADER = 16 * 2**20
MAX_DATA = 8 * 2**30
_CHUNK = 2**20
# What an image has of its own stands in the table's header without a Z; these are the table's.
_TABLE_CARD = re.compile(
    r"^(XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|THEAP|CHECKSUM|DATASUM|"
    r"T(TYPE|FORM|UNIT|DIM|NULL|SCAL|ZERO|DISP)\d+|"
    r"Z(IMAGE|SIMPLE|TENSION|EXTEND|BLOCKED|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TILE\d+|CMPTYPE|NAME\d+|"
    r"VAL\d+|MASKCMP|QUANTIZ|DITHER0|BLANK|SCALE|ZERO|HECKSUM|DATASUM))$"
)
_PIXEL_TYPES = (8, 16, 32, 64, -32, -64)


@dataclass(frozen=True)
class HDU:
    """Where one HDU lies in its file, and what its header says it is.

    ``shape`` has the slowest axis first, as in numpy; it is empty where there are no pixels.
    """

    number: int
    kind: str
    name: str
    version: int
    shape: tuple[int, ...]
    header: Header
    start: int
    end: int

    @property
    def label(self) -> str:
        """The HDU as a user would choose it, with its shape."""
        size = "×".join(map(str, self.shape)) if self.shape else "empty"
        return f"{self.number} {self.name or 'unnamed'} ({self.kind}, {size})"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep astropy's remarks about non-standard headers from the user."""
    logger = logging.getLogger("astropy")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


class Plain:
    """Walks a file that is as long as it looks."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.size = os.fstat(stream.fileno()).st_size

    def read(self, count: int) -> bytes:
        return self.stream.read(count)

    def skip(self, count: int) -> int:
        here = self.stream.tell()
        self.stream.seek(min(here + count, self.size))
        return self.stream.tell() - here

    def check_rest(self, path: Path) -> None:
        """Bytes behind the last HDU cost nothing here: other readers ignore them too."""


class Unpacked:
    """Walks a gzip stream, keeping what it passes, never more than the headers promise."""

    def __init__(self, path: Path, packed: gzip.GzipFile, kept: Any) -> None:
        self.path, self.packed, self.kept = path, packed, kept

    def read(self, count: int) -> bytes:
        try:
            held = self.packed.read(count)
        except EOFError:
            raise refusal(self.path, "the gzip data is cut off", "fetch it again") from None
        except (OSError, zlib.error) as error:
            raise refusal(
                self.path, f"the gzip data is damaged ({one_line(error)})", "fetch it again"
            ) from None
        try:
            self.kept.write(held)
        except OSError as error:
            raise TemporaryError(f"{self.path}: no room to unpack it ({error.strerror})") from error
        return held

    def skip(self, count: int) -> int:
        passed = 0
        while passed < count:
            held = self.read(min(_CHUNK, count - passed))
            if not held:
                break
            passed += len(held)
        return passed

    def check_rest(self, path: Path) -> None:
        if self.read(1):
            raise refusal(
                path,
                "expands beyond what its headers promise (a damaged file or a decompression bomb)",
                "gunzip it and check it",
            )


def walk(path: Path, source: Plain | Unpacked, limit: int | None = MAX_DATA) -> tuple[HDU, ...]:
    """Every HDU of a file, none of its data read.

    ``limit`` is how many bytes of data it may promise; None where only windows of it are read.

    Raises
    ------
    InputError
        When it is no FITS file, is cut off, or expands beyond its headers.
    """
    hdus: list[HDU] = []
    offset = total = 0
    while True:
        block = source.read(BLOCK)
        if not hdus and not block.startswith(b"SIMPLE  ="):
            raise refusal(path, "is not a FITS file", "FITS starts with SIMPLE = T")
        if hdus and not block.startswith(b"XTENSION="):
            if block:
                source.check_rest(path)
            return tuple(hdus)
        header, length = _header(path, source, block, len(hdus))
        shape, size = _promise(path, header, len(hdus), limit)
        total += size
        if limit is not None and total > limit:
            raise refusal(
                path,
                f"its headers promise {total / 2**30:.0f} GiB of data",
                f"cut it to less than {limit // 2**30} GiB",
            )
        held = source.skip(size)
        if held < size:
            raise refusal(
                path,
                f"truncated: HDU {len(hdus)} promises {size} bytes of data, the file has {held}",
                "fetch it again",
            )
        padding = source.skip(-size % BLOCK)
        end = offset + length + size + padding
        try:
            hdus.append(_describe(len(hdus), header, shape, offset, end))
        except Exception as error:  # cards that astropy cannot parse
            fault = f"the header of HDU {len(hdus)} is broken ({one_line(error)})"
            raise refusal(path, fault, "fetch it again") from error
        offset = end


def _header(path: Path, source: Plain | Unpacked, block: bytes, number: int) -> tuple[Header, int]:
    from astropy.io import fits

    raw = block
    while not _has_end(block):
        block = source.read(BLOCK)
        raw += block
        if len(block) < BLOCK or len(raw) > MAX_HEADER:
            raise refusal(path, f"the header of HDU {number} has no END", "fetch the file again")
    text = raw.decode("ascii", errors="replace").replace("\N{REPLACEMENT CHARACTER}", "?")
    with quiet():
        return fits.Header.fromstring(text), len(raw)


def _has_end(block: bytes) -> bool:
    return any(block[k : k + 80].rstrip() == b"END" for k in range(0, len(block), 80))


def _promise(
    path: Path, header: Header, number: int, limit: int | None
) -> tuple[tuple[int, ...], int]:
    """The shape of an HDU's pixels and the bytes its data take."""
    compressed = False
    try:
        with quiet():
            axes = [_whole(header, f"NAXIS{k}") for k in range(_whole(header, "NAXIS"), 0, -1)]
            size = header.data_size
            bitpix = _whole(header, "BITPIX")
            compressed = header.get("ZIMAGE") is True
            if compressed:
                rows, bitpix = axes[0], _whole(header, "ZBITPIX")
                numbers = range(_whole(header, "ZNAXIS"), 0, -1)
                axes = [_whole(header, f"ZNAXIS{k}") for k in numbers]
                # Without ZTILE cards each row of the image is a tile.
                tiles = [_whole(header, f"ZTILE{k}", axes[-1] if k == 1 else 1) for k in numbers]
                wanted = math.prod(-(-a // t) for a, t in zip(axes, tiles, strict=True))
                if rows != wanted:
                    raise ValueError(f"{rows} tiles where the image needs {wanted}")
    except Exception as error:
        # Cards that are missing or of another type: the parser's words differ, the fault does not.
        raise refusal(
            path, f"the header of HDU {number} is broken ({one_line(error)})", "fetch it again"
        ) from error
    pixels = math.prod(axes) if axes else 0
    if bitpix not in _PIXEL_TYPES:
        raise refusal(
            path,
            f"BITPIX is {bitpix} in HDU {number}",
            f"FITS knows {', '.join(map(str, _PIXEL_TYPES))}",
        )
    if min([*axes, size], default=0) < 0:
        raise refusal(path, f"HDU {number} has a negative size", "mend its NAXIS cards")
    if compressed and limit is not None and pixels * abs(bitpix) // 8 > limit:
        raise refusal(
            path,
            f"HDU {number} expands to {pixels * abs(bitpix) / 2**33:.0f} GiB",
            f"cut it to less than {limit // 2**30} GiB",
        )
    return tuple(axes), size


def _whole(header: Header, keyword: str, default: int | None = None) -> int:
    value: Any = header[keyword] if default is None else header.get(keyword, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{keyword} is {value!r}")
    return value


def _describe(number: int, header: Header, shape: tuple[int, ...], start: int, end: int) -> HDU:
    with quiet():
        kind = str(header.get("XTENSION", "IMAGE")).strip().upper()
        if header.get("ZIMAGE") is True:
            kind, header = "IMAGE", _image_header(header)
        elif header.get("GROUPS") is True and header.get("NAXIS1") == 0:
            kind = "random groups"
        elif kind in ("BINTABLE", "TABLE", "A3DTABLE"):
            kind = "table"
        name = str(header.get("EXTNAME", "PRIMARY" if number == 0 else "")).strip().upper()
        version: Any = header.get("EXTVER", 1)
    kind = kind.lower() if kind == "IMAGE" else kind
    return HDU(
        number, kind, name, version if isinstance(version, int) else 1, shape, header, start, end
    )


def _image_header(header: Header) -> Header:
    """The cards of a tile-compressed image, verbatim, without those of the table that holds it."""
    from astropy.io.fits import Header

    cards = [str(card) for card in header.cards if not _TABLE_CARD.match(card.keyword)]
    return Header.fromstring("".join(cards))

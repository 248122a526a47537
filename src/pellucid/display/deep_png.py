"""PNG of 16 bits a colour, of which Pillow keeps 8."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # grey, RGB, grey and alpha, RGB and alpha
_ONE_PASS = ((0, 0, 1, 1),)
#: First row, first column, steps of each pass of Adam7.
_ADAM7 = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
    *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)


def is_deep_png(path: Path) -> bool:
    """Whether a file is a PNG of 16 bits a colour."""
    with path.open("rb") as stream:
        start = stream.read(25)
    return start.startswith(_SIGNATURE) and start[24:] == b"\x10"


def read_deep_png(path: Path) -> NDArray[np.uint16]:
    """The values of a 16-bit PNG, shape (y, x, colour), transparency last.

    Raises `ValueError` for a file that is cut off or damaged.

    References
    ----------
    Portable Network Graphics Specification, third edition, W3C, sections 8 to 10.
    """
    width, height, _, colour, _, _, interlaced = struct.unpack(">IIBBBBB", _chunk(path, b"IHDR"))
    channels = _CHANNELS[colour]
    passes = []
    for y, x, dy, dx in _ADAM7 if interlaced else _ONE_PASS:
        rows, columns = len(range(y, height, dy)), len(range(x, width, dx))
        if rows and columns:
            passes.append((slice(y, None, dy), slice(x, None, dx), rows, columns))
    size = sum(rows * (1 + 2 * channels * columns) for *_, rows, columns in passes)
    try:
        data = zlib.decompressobj().decompress(_chunk(path, b"IDAT"), size)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if len(data) < size:
        raise ValueError("the image data is cut off")
    pixels = np.empty((height, width, channels), np.uint16)
    for y, x, rows, columns in passes:
        taken = rows * (1 + 2 * channels * columns)
        lines = np.frombuffer(data[:taken], np.uint8).reshape(rows, -1)
        data = data[taken:]
        raw = _unfiltered(lines[:, 0], lines[:, 1:].reshape(rows, columns, 2 * channels))
        pixels[y, x] = raw.reshape(rows, columns, channels, 2).view(">u2")[..., 0]
    return pixels


def _chunk(path: Path, wanted: bytes) -> bytes:
    """The content of all chunks of a kind, one after the other."""
    found, at = [], len(_SIGNATURE)
    data = path.read_bytes()
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + 8 + length]
        if kind == wanted:
            if struct.pack(">I", zlib.crc32(kind + content)) != data[at + 8 + length :][:4]:
                raise ValueError(f"chunk {kind.decode()} is damaged or cut off")
            found.append(content)
        at += 12 + length
    if not found:
        raise ValueError(f"there is no chunk {wanted.decode()}")
    return b"".join(found)


def _unfiltered(filters: NDArray[np.uint8], coded: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The bytes, shape (y, x, byte), of which each was coded less what its neighbours foretell.

    These are the pixels to the left, above, and above on the left. A pixel of the diagonal x + y
    = d needs none but of the two diagonals before, so that each is decoded at once.
    """
    height, width, count = coded.shape
    pixels = coded.astype(np.int16)
    before = last = np.zeros((height + 1, count), np.int16)  # by row + 1
    for diagonal in range(height + width - 1):
        low, high = max(0, diagonal - width + 1), min(height, diagonal + 1)
        rows = np.arange(low, high)
        left, above, corner = last[low + 1 : high + 1], last[low:high], before[low:high]
        d_left, d_above = np.abs(above - corner), np.abs(left - corner)
        d_corner = np.abs(left + above - 2 * corner)
        nearest = np.where(d_above <= d_corner, above, corner)
        nearest = np.where((d_left <= d_above) & (d_left <= d_corner), left, nearest)
        foretold = [np.zeros_like(left), left, above, (left + above) >> 1, nearest]
        kind = np.minimum(filters[low:high, None], 4)
        now = (pixels[rows, diagonal - rows] + np.choose(kind, foretold)) & 255
        pixels[rows, diagonal - rows] = now
        before, last = last, np.zeros_like(last)
        last[low + 1 : high + 1] = now
    return pixels.astype(np.uint8)

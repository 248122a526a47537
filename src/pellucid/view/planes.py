"""Pixels as text: 16-bit planes that a browser turns into flux again.

A code c from 1 to 65535 stands for zero + soft sinh(step (c − middle)); 0 is no data. So a step is
a constant near ``zero``, where the noise is, and a constant share of what is bright. What is stored
is the code, or what its neighbours do not foretell of it: that on the left (1), or those on the
left, below, and below on the left (2).
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Codes that there are, but for those by which the middle may be moved.
ROOM = 65535 - 2 * 256


def coded(
    values: NDArray[Any], zero: float, finest: float, share: float = 1 / 4096
) -> dict[str, Any]:
    """A plane as JSON can hold it.

    Parameters
    ----------
    values
        Shape (y, x), any unit; what is not finite is no data.
    zero
        Where the steps are finest, in the same unit.
    finest
        How fine they are there.
    share
        How fine they are where it is bright, as a share of the value; coarser where 65535 codes
        would not hold the range.
    """
    plane = np.asarray(values, np.float64)
    known = np.isfinite(plane)
    above = np.where(known, plane - zero, 0.0)
    soft = finest / share
    height = np.arcsinh(above / soft)
    lowest, highest = (float(end(height, initial=0.0)) for end in (np.min, np.max))
    step = max(share, (highest - lowest) / ROOM)
    # The noise about zero changes no high byte.
    middle = 256 * int(np.ceil(-lowest / step / 256)) + 128
    codes = np.where(known, np.rint(height / step) + middle, 0).astype(np.uint16)
    rows = np.diff(codes, axis=1, prepend=np.uint16(0))
    ways = [codes - np.uint16(middle - 128), rows, np.diff(rows, axis=0, prepend=np.uint16(0))]
    foretold = int(np.argmin([_bits(way) for way in ways]))
    # Small numbers of either sign change no high byte, either.
    stored = (codes, *(way + np.uint16(128) for way in ways[1:]))[foretold].ravel()
    # All high bytes, then all low ones: those hardly change, which deflates well.
    halves = stored.astype(">u2").view(np.uint8).reshape(-1, 2).T.tobytes()
    return {
        "shape": list(plane.shape),
        "zero": float(zero),
        "soft": float(soft),
        "step": step,
        "middle": middle,
        "foretold": foretold,
        "data": base64.b64encode(_deflated(halves)).decode("ascii"),
    }


def decoded(plane: dict[str, Any]) -> NDArray[np.float64]:
    """What a browser makes of a coded plane."""
    halves = np.frombuffer(zlib.decompress(base64.b64decode(plane["data"])), np.uint8)
    codes = np.ascontiguousarray(halves.reshape(2, -1).T).view(">u2").astype(np.uint16)
    codes = codes.reshape(plane["shape"])
    if plane["foretold"]:
        codes = codes - np.uint16(128)
    for axis in range(plane["foretold"], 0, -1):
        codes = np.cumsum(codes, axis=2 - axis, dtype=np.uint16)
    values = plane["zero"] + plane["soft"] * np.sinh(
        plane["step"] * (codes.astype(np.float64) - plane["middle"])
    )
    return np.where(codes > 0, values, np.nan)


def _deflated(data: bytes) -> bytes:
    """Noise repeats itself in runs only: to look for no others is faster, and smaller."""
    way = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return way.compress(data) + way.flush()


def _bits(codes: NDArray[np.uint16]) -> float:
    """About how many bits a code takes, small ones of either sign being frequent."""
    size = np.abs(codes.view(np.int16).astype(np.float32))
    return float(np.log2(1 + size).mean())

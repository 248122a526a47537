"""Large images in squares that a network takes, and back without a seam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tiling:
    """Where the tiles of an image lie; the image is mirrored at its edges to be filled by them.

    Parameters
    ----------
    shape
        (height, width) of the image in pixels.
    before
        Rows and columns mirrored in front of the first pixel.
    padded
        (height, width) after mirroring.
    starts
        First row of each row of tiles, and first column of each column.
    size, overlap
        Side of a tile, and how much of it neighbours share, in pixels.
    """

    shape: tuple[int, int]
    before: tuple[int, int]
    padded: tuple[int, int]
    starts: tuple[tuple[int, ...], tuple[int, ...]]
    size: int
    overlap: int


def plan_tiles(shape: tuple[int, int], size: int, overlap: int) -> Tiling:
    """The fewest tiles of ``size`` that cover an image, neighbours sharing ``overlap`` pixels."""
    if not 0 <= 2 * overlap <= size:
        raise ValueError(f"an overlap of {overlap} pixels does not fit tiles of {size}")
    stride = size - overlap
    counts = [max(1, -(-(side - overlap) // stride)) for side in shape]
    padded = [count * stride + overlap for count in counts]
    return Tiling(
        shape=shape,
        before=tuple((new - old) // 2 for new, old in zip(padded, shape, strict=True)),  # type: ignore[arg-type]
        padded=(padded[0], padded[1]),
        starts=tuple(tuple(range(0, count * stride, stride)) for count in counts),  # type: ignore[arg-type]
        size=size,
        overlap=overlap,
    )


def map_tiles(
    function: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    image: NDArray[np.float32],
    tiling: Tiling,
    batch: int = 8,
) -> NDArray[np.float32]:
    """Apply ``function`` to each tile and blend the results.

    Parameters
    ----------
    function
        Takes tiles of shape (n, channel, size, size), n at most ``batch``, and returns as many,
        which may have other channels.
    image
        Shape (channel, y, x).
    tiling
        From `plan_tiles` for the image's shape.
    batch
        Tiles a call; memory holds so many and two copies of the image.
    """
    widths = [
        (front, padded - side - front)
        for front, padded, side in zip(tiling.before, tiling.padded, tiling.shape, strict=True)
    ]
    source = np.pad(image, [(0, 0), *widths], mode="symmetric")
    total: NDArray[np.float32] | None = None
    corners = [(y, x) for y in tiling.starts[0] for x in tiling.starts[1]]
    ramps = [_ramps(tiling, axis) for axis in (0, 1)]
    for first in range(0, len(corners), batch):
        some = corners[first : first + batch]
        tiles = np.stack([source[(slice(None), *_window(y, x, tiling.size))] for y, x in some])
        results = function(tiles)
        if total is None:
            total = np.zeros((results.shape[1], *tiling.padded), dtype=source.dtype)
        for (y, x), tile in zip(some, results, strict=True):
            weight = ramps[0][y][:, None] * ramps[1][x]
            total[(slice(None), *_window(y, x, tiling.size))] += weight * tile
    inner = (
        slice(front, front + side) for front, side in zip(tiling.before, tiling.shape, strict=True)
    )
    assert total is not None
    return total[(slice(None), *inner)]


def _window(y: int, x: int, size: int) -> tuple[slice, slice]:
    return slice(y, y + size), slice(x, x + size)


def _ramps(tiling: Tiling, axis: int) -> dict[int, NDArray[np.float32]]:
    """Weight along one axis for each tile's start; those of neighbours add up to one."""
    starts = tiling.starts[axis]
    slope = (np.arange(tiling.overlap, dtype=np.float32) + 0.5) / max(tiling.overlap, 1)
    ramps = {}
    for start in starts:
        ramp = np.ones(tiling.size, dtype=np.float32)
        if tiling.overlap and start != starts[0]:
            ramp[: tiling.overlap] = slope
        if tiling.overlap and start != starts[-1]:
            ramp[-tiling.overlap :] = 1.0 - slope
        ramps[start] = ramp
    return ramps

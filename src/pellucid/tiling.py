"""Large images in squares that a network takes, and back without a seam."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")


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


def tiles_over(
    shape: tuple[int, int], part: tuple[slice, slice], size: int, overlap: int
) -> Tiling:
    """The tiles of a window that its ``part`` is made of, lying alike about it in any window.

    Where parts follow each other at multiples of what tiles do not share, the tiles of two
    neighbours are the same squares of the sky.
    """
    stride = size - overlap
    before, padded, starts = [], [], []
    for side, some in zip(shape, part, strict=True):
        first = some.start - overlap
        before.append(max(0, -first))
        starts.append(tuple(k + before[-1] for k in range(first, some.stop, stride)))
        padded.append(max(before[-1] + side, starts[-1][-1] + size))
    return Tiling(
        shape, (before[0], before[1]), (padded[0], padded[1]), (starts[0], starts[1]), size, overlap
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
    size, inner = tiling.size, [slice(None)]
    widths = [(0, 0)]
    for before, side, padded in zip(tiling.before, tiling.shape, tiling.padded, strict=True):
        widths.append((before, padded - side - before))
        inner.append(slice(before, before + side))
    source = np.pad(image, widths, mode="symmetric")
    tiles = list(product(*(_ramps(tiling, axis).items() for axis in (0, 1))))
    total: NDArray[np.float32] | None = None
    for first in counted(range(0, len(tiles), batch)):
        some = tiles[first : first + batch]
        windows = [np.s_[:, y : y + size, x : x + size] for (y, _), (x, _) in some]
        results = function(np.stack([source[window] for window in windows]))
        if total is None:
            total = np.zeros((results.shape[1], *tiling.padded), dtype=source.dtype)
        for window, ((_, down), (_, along)), tile in zip(windows, some, results, strict=True):
            total[window] += down[:, None] * along * tile
    assert total is not None
    return total[tuple(inner)]


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


def map_windows(
    function: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    planes: Sequence[NDArray[np.float32]] | NDArray[np.float32],
    core: int,
    reach: int,
    multiple: int,
) -> NDArray[np.float32]:
    """Apply a ``function`` of any sides to windows, as if to the whole image at once.

    A window holds, around the pixels that are kept of it, all that these are made from. Where the
    image is no larger than a ``core`` it is one window.

    Parameters
    ----------
    function
        Takes shape (1, channel, y, x), sides multiples of ``multiple``, and returns as many pixels
        of any channels.
    planes
        The image's channels, each of shape (y, x); it is mirrored at its far edges up to such
        sides.
    core
        Side of what is kept of a window, a multiple of ``multiple``.
    reach
        How far from a pixel lies what it is made from.
    """
    height, width = planes[0].shape
    # Which pixel stands at each place of the image with its far edges mirrored.
    places = [
        np.pad(np.arange(side), (0, -side % multiple), mode="symmetric") for side in (height, width)
    ]
    halo = -(-reach // multiple) * multiple
    result: NDArray[np.float32] | None = None
    for first in counted(list(product(*(range(0, len(along), core) for along in places)))):
        taken, kept, inner, sides = [], [], [], []
        for start, along, side in zip(first, places, (height, width), strict=True):
            low, high = max(start - halo, 0), min(start + core + halo, len(along))
            stop = min(start + core, side)
            taken.append(_followed(along[low:high]))
            kept.append(slice(start, stop))
            inner.append(slice(start - low, stop - low))
            sides.append(high - low)
        rows, columns = taken
        window = np.empty((1, len(planes), *sides), dtype=np.float32)
        for plane, part in zip(planes, window[0], strict=True):
            part[:] = plane[rows][:, columns]
        drawn = function(window)[0]
        if result is None:
            result = np.empty((len(drawn), height, width), dtype=np.float32)
        result[(slice(None), *kept)] = drawn[(slice(None), *inner)]
    assert result is not None
    return result


def _followed(places: NDArray[np.intp]) -> NDArray[np.intp] | slice:
    """Places one after the other as a slice, which copies nothing."""
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last - first + 1 == len(places) else places


_LISTENER: ContextVar[Callable[[int, int], None] | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Callable[[int, int], None]) -> Iterator[None]:
    """Tell ``listener`` how many tiles of how many are done, while this lasts."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def passes(items: Sequence[Item]) -> Iterator[Item]:
    """The items, such as bands, for each of which all tiles are gone through once.

    Who listens is told of the tiles of all of them.
    """
    tell = _LISTENER.get()
    if tell is None:
        yield from items
        return
    for k, item in enumerate(items):
        with listening(partial(_one_of_many, tell, k, len(items))):
            yield item


def _one_of_many(
    tell: Callable[[int, int], None], number: int, count: int, done: int, total: int
) -> None:
    tell(number * total + done, count * total)


def counted(items: Sequence[Item]) -> Iterator[Item]:
    """The items; who listens is told how many are done."""
    tell = _LISTENER.get() or (lambda done, total: None)
    for done, item in enumerate(items):
        tell(done, len(items))
        yield item
    tell(len(items), len(items))

"""The sky and the noise of a large image, which vary over it, measured a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.sky import SkyImage, sky_of
from pellucid.sky.band_names import band_in_words
from pellucid.sky.field import Field, Smooth

#: Sides in pixels, about, of the blocks that are measured.
BLOCK = 512
#: An image of sides up to this has one sky and one noise, as any smaller one.
PLAIN = 2048
#: The least share of a block that must hold data for its sky to be believed.
SHARE = 0.1


@dataclass(frozen=True, eq=False)
class FieldSky:
    """What is measured of a large image before any of it is restored.

    Parameters
    ----------
    level, sigma
        Of the sky and of its noise, a band each.
    variance
        Median of the stated variance; None without one.
    signal
        Of each band, mean square of what is above the sky beyond the noise's, in units of it,
        shape (band,).
    """

    level: Smooth
    sigma: Smooth
    variance: Smooth | None
    signal: NDArray[np.float64]

    @property
    def even(self) -> bool:
        """Whether one sky and one noise hold all over."""
        return self.level.values.shape[1:] == (1, 1)

    @property
    def units(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Sky and noise of a window that is flattened, shape (band, 1, 1)."""
        level, sigma = (each.values.astype(np.float32) for each in (self.level, self.sigma))
        if self.even:
            return level, sigma
        return np.zeros_like(level[:, :1, :1]), np.ones_like(sigma[:, :1, :1])


def measured_sky(field: Field) -> FieldSky:
    """Measure the sky of a field, reading it once.

    The blocks' values are cleaned by a median over 3 × 3 of them, so that no galaxy smaller than
    some 600 pixels is taken for sky, and joined linearly.

    Raises
    ------
    InputError
        When a band has no noise.
    """
    bands, height, width = field.frame.shape
    size = max(height, width) if max(height, width) <= PLAIN else BLOCK
    edges = [_edges(side, size) for side in (height, width)]
    shape = bands, len(edges[0]) - 1, len(edges[1]) - 1
    level, sigma, middle = (np.full(shape, np.nan) for _ in range(3))
    sums = np.zeros((3, bands))
    for y, x, block in _blocks(field, edges):
        holes = block.holes
        for band in range(bands):
            good = ~holes[band]
            count = int(good.sum())
            if count < SHARE * good.size and shape[1:] != (1, 1):
                continue
            if not count:
                continue
            found = sky_of(block.of_bands([band]))
            level[band, y, x], noise = float(found.sky[0]), found.sigma
            if block.variance is not None:
                stated = block.variance[band][good]
                stated = stated[np.isfinite(stated) & (stated > 0)]
                if stated.size:
                    middle[band, y, x] = float(np.median(stated))
            if noise > 0:
                sigma[band, y, x] = noise
                above = (block.flux[band][good].astype(np.float64) - level[band, y, x]) / noise
                sums[:, band] += above.size, above.sum(), np.square(above).sum()
    for band, plane in enumerate(sigma):
        if not np.isfinite(plane).any():
            name = field.frame.bands[band]
            raise InputError(
                f"the sky of {band_in_words(name)} is constant: without noise no scale"
            )
    down, along = (np.asarray(0.5 * (edge[1:] + edge[:-1] - 1.0), np.float64) for edge in edges)
    count, total, square = sums
    spread = square / count - (total / count) ** 2
    return FieldSky(
        Smooth(down, along, _cleaned(level)),
        Smooth(down, along, _cleaned(sigma)),
        Smooth(down, along, _cleaned(middle))
        if np.isfinite(middle).any(axis=(1, 2)).all()
        else None,
        np.maximum(spread - 1.0, 0.0),
    )


def flattened(
    window: SkyImage, sky: FieldSky, rows: slice, columns: slice
) -> tuple[SkyImage, NDArray[np.float32], NDArray[np.float32]]:
    """A window in which nothing varies that varies over the field, and what brings it back.

    Where the sky varies, flux becomes that above it in units of the noise; a stated variance
    becomes that over the sky's.

    Returns
    -------
    window
        Its sky and its noise are those of `FieldSky.units`.
    level, sigma
        Flux was ``sigma`` times that of the window, and ``level``; shape of the window.
    """
    places = np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop)
    level, sigma = np.float32(0.0), np.float32(1.0)
    if not sky.even:
        level, sigma = sky.level(*places), sky.sigma(*places)
        window = replace(window, flux=(window.flux - level) / sigma)
    if window.variance is not None and sky.variance is not None:
        variance = (window.variance / sky.variance(*places)).astype(np.float32)
        window = replace(window, variance=variance)
    return window, np.broadcast_to(level, window.shape), np.broadcast_to(sigma, window.shape)


def _edges(side: int, size: int) -> NDArray[np.int64]:
    """Where blocks of about ``size`` begin, and the end of the last."""
    count = max(1, round(side / size))
    return np.round(np.linspace(0, side, count + 1)).astype(np.int64)


def _blocks(field: Field, edges: list[NDArray[np.int64]]) -> Iterator[tuple[int, int, SkyImage]]:
    """The blocks and their places."""
    rows, columns = ([slice(int(a), int(b)) for a, b in pairwise(each)] for each in edges)
    for y, x in product(range(len(rows)), range(len(columns))):
        yield y, x, field.window(rows[y], columns[x])


def _cleaned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of blocks without outliers; a block that has none gets its neighbours'."""
    if values.shape[1:] == (1, 1):
        return values
    result = np.empty_like(values)
    for plane, clean in zip(values, result, strict=True):
        known = plane.copy()
        while np.isnan(known).any() and not np.isnan(known).all():
            around = _around(known)
            filled = np.isnan(known) & np.isfinite(around).any(axis=0)
            known[filled] = np.nanmedian(around[:, filled], axis=0)
        clean[:] = np.median(_around(known), axis=0)
    return result


def _around(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value and its eight neighbours, shape (9, y, x)."""
    padded = np.pad(plane, 1, mode="edge")
    height, width = plane.shape
    return np.stack([padded[y : y + height, x : x + width] for y in range(3) for x in range(3)])

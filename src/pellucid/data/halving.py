"""Pixels halved by a spline, as is done to an image before it is restored, and what that spoils.

A spline is linear in its pixels and the same along each row: both steps are products with a matrix
that scipy's spline gives for one side, far faster than the spline itself on many small images.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Order of the spline between pixels.
ORDER = 5


def shrink(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """What pixels twice as wide record; what each of them collects is part of the psf."""
    _, height, width = planes.shape
    small = _shrinking(height) @ planes @ _shrinking(width).T
    return small.astype(np.float32, copy=False)


def enlarge(planes: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A spline between pixels, on a grid twice as fine, as the restorer makes it."""
    _, height, width = planes.shape
    wide = _enlarging(height) @ planes @ _enlarging(width).T
    return wide[:, : shape[1], : shape[2]].astype(np.float32, copy=False)


@lru_cache
def _shrinking(side: int) -> NDArray[np.float32]:
    """Shape (half of the side, side)."""
    from scipy.ndimage import affine_transform

    half = (-(-side // 2),)
    pixels = [
        affine_transform(one, (2.0,), 0.5, half, order=ORDER, mode="mirror") for one in np.eye(side)
    ]
    return np.stack(pixels, axis=1).astype(np.float32)


@lru_cache
def _enlarging(side: int) -> NDArray[np.float32]:
    """Shape (twice the side, side)."""
    from scipy.ndimage import zoom

    wide = zoom(np.eye(side), (2, 1), order=ORDER, mode="mirror", grid_mode=True)
    return np.asarray(wide, dtype=np.float32)

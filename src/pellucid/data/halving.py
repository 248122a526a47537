"""Pixels halved by a spline, as is done to an image before it is restored, and what that spoils."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Order of the spline between pixels.
ORDER = 5


def shrink(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """What pixels twice as wide record; what each of them collects is part of the psf."""
    from scipy.ndimage import affine_transform

    _, height, width = planes.shape
    sides = (-(-height // 2), -(-width // 2))
    found = [
        affine_transform(plane, (2.0, 2.0), 0.5, sides, order=ORDER, mode="mirror")
        for plane in planes
    ]
    return np.stack(found).astype(np.float32)


def enlarge(planes: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A spline between pixels, on a grid twice as fine, as the restorer makes it."""
    from scipy.ndimage import zoom

    wide = zoom(planes, (1, 2, 2), order=ORDER, mode="mirror", grid_mode=True)
    return np.asarray(wide)[:, : shape[1], : shape[2]].astype(np.float32)

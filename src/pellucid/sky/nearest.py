"""Planes on other pixels without a new value: flags, masks and what else must not be mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def nearest(planes: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Planes on finer or coarser pixels, of which each takes the nearest one's value.

    Parameters
    ----------
    planes
        Shape (band, y, x), any type.
    shape
        Whose last two are the new sides (y, x).
    """
    rows, columns = (
        np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(int)
        for old, new in zip(planes.shape[1:], shape[-2:], strict=True)
    )
    return np.ascontiguousarray(planes[:, rows][:, :, columns])

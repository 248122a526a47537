"""What is wrong with single pixels of a view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def damaged_pixels(seen: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Pixels without data: tracks of cosmic rays, dead columns, the cores of the brightest."""
    mask = np.zeros(seen.shape, dtype=bool)
    for band in mask:
        for _ in range(rng.integers(5)):
            length, angle = rng.uniform(1.0, 12.0), rng.uniform(0.0, np.pi)
            along = np.arange(0.0, length, 0.5)
            start = rng.uniform(0.0, band.shape[0], 2)
            rows = (start[0] + along * np.sin(angle)).astype(int)
            columns = (start[1] + along * np.cos(angle)).astype(int)
            inside = (rows < band.shape[0]) & (columns >= 0) & (columns < band.shape[1])
            band[rows[inside], columns[inside]] = True
        if rng.random() < 0.2:
            band[:, rng.integers(band.shape[1])] = True
    if rng.random() < 0.3:
        mask |= seen > rng.uniform(0.4, 0.95) * seen.max()
    return mask

"""What is put into a scene: an object's light where it lies on the plane, and stars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.sky.psf import FWHM_PER_SIGMA

#: Pixels over which a frame fades into the sky at its edge.
FADE = 8


def fade(side: int) -> NDArray[np.float32]:
    """1 inside a frame, falling to 0 at its ends."""
    distance = np.minimum(np.arange(side), np.arange(side)[::-1]) + 0.5
    return np.clip(distance / min(FADE, side / 4), 0.0, 1.0).astype(np.float32)


def paste(
    plane: NDArray[np.float32], stamp: NDArray[np.float32], place: NDArray[np.floating]
) -> None:
    """Add a stamp, its middle at ``place``, as far as it lies on the plane."""
    corner = [round(float(p) - side / 2) for p, side in zip(place, stamp.shape, strict=True)]
    inside, taken = [], []
    for first, side, limit in zip(corner, stamp.shape, plane.shape, strict=True):
        low, high = max(first, 0), min(first + side, limit)
        if low >= high:
            return
        inside.append(slice(low, high))
        taken.append(slice(low - first, high - first))
    plane[tuple(inside)] += stamp[tuple(taken)]


def add_star(scene: NDArray[np.float32], target: float, rng: np.random.Generator) -> None:
    """Add a star as bright as the scene or fainter."""
    light = star(scene.shape, target, rng)
    scene += np.float32(scene.max() * np.exp(rng.uniform(np.log(0.003), np.log(3.0)))) * light


def star(shape: tuple[int, ...], target: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A point at the target's sharpness, of any colour, about 1 high, shape (band, y, x)."""
    y, x = np.indices(shape[1:], dtype=np.float32)
    row, column = rng.uniform(0.0, shape[1], 2)
    sigma = target / FWHM_PER_SIGMA
    point = np.exp(-0.5 * ((y - row) ** 2 + (x - column) ** 2) / sigma**2)
    colour = np.exp(rng.normal(0.0, 0.4, shape[0])).astype(np.float32)
    return (colour[:, None, None] * point).astype(np.float32)

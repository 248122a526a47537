"""Kernels to blur with, of the shapes that telescopes and the air make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def made_kernel(fwhm: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A Gaussian, Moffat or Airy core, elongated, or trailed."""
    reach = int(np.ceil(2.5 * fwhm)) + 1
    y, x = np.indices((2 * reach + 1, 2 * reach + 1), dtype=np.float32) - reach
    angle, squeeze = rng.uniform(0.0, np.pi), 1.0 - rng.uniform(0.0, 0.3) * (rng.random() < 0.5)
    u = (np.cos(angle) * x + np.sin(angle) * y) / np.sqrt(squeeze)
    v = (np.cos(angle) * y - np.sin(angle) * x) * np.sqrt(squeeze)
    radius = np.hypot(u, v)
    kind = rng.random()
    if kind < 0.45:
        stamp = np.exp(-4.0 * np.log(2.0) * (radius / fwhm) ** 2)
    elif kind < 0.9:
        beta = rng.uniform(2.2, 5.0)
        core = fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / beta) - 1.0))
        stamp = (1.0 + (radius / core) ** 2) ** -beta
    else:
        from scipy.special import j1

        scaled = np.maximum(3.2327 * radius / fwhm, 1e-6)
        stamp = (2.0 * j1(scaled) / scaled) ** 2
    return stamp.astype(np.float32)


def centred(stamp: NDArray[np.float32]) -> NDArray[np.float32]:
    """A stamp rolled so that its peak stands in the middle."""
    peak = np.unravel_index(int(stamp.argmax()), stamp.shape)
    shift = [side // 2 - int(place) for side, place in zip(stamp.shape, peak, strict=True)]
    return np.roll(stamp, shift, axis=(0, 1))

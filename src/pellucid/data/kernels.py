"""Kernels to blur with, of the shapes that telescopes and the air make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Share of the kernels that are smeared along a line: the telescope did not follow the sky.
TRAILED = 0.12


def made_kernel(fwhm: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A Gaussian, Moffat or Airy core, elongated, or trailed."""
    reach = int(np.ceil(2.5 * fwhm)) + 1
    y, x = np.indices((2 * reach + 1, 2 * reach + 1), dtype=np.float32) - reach
    angle, squeeze = rng.uniform(0.0, np.pi), 1.0 - rng.uniform(0.0, 0.3) * (rng.random() < 0.5)
    u = (np.cos(angle) * x + np.sin(angle) * y) / np.sqrt(squeeze)
    v = (np.cos(angle) * y - np.sin(angle) * x) * np.sqrt(squeeze)
    kind, beta = rng.random(), rng.uniform(2.2, 5.0)
    if rng.random() >= TRAILED:
        return _profile(np.hypot(u, v), fwhm, kind, beta)
    trail = rng.uniform(0.5, 2.2) * fwhm
    width = _untrailed(fwhm, trail)
    steps = np.linspace(-0.5 * trail, 0.5 * trail, 4 * int(np.ceil(trail)) + 1)
    stamps = [_profile(np.hypot(u - step, v), width, kind, beta) for step in steps]
    return np.asarray(np.mean(stamps, axis=0), dtype=np.float32)


def _profile(
    radius: NDArray[np.float32], fwhm: float, kind: float, beta: float
) -> NDArray[np.float32]:
    if kind < 0.45:
        stamp = np.exp(-4.0 * np.log(2.0) * (radius / fwhm) ** 2)
    elif kind < 0.9:
        core = fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / beta) - 1.0))
        stamp = (1.0 + (radius / core) ** 2) ** -beta
    else:
        from scipy.special import j1

        scaled = np.maximum(3.2327 * radius / fwhm, 1e-6)
        stamp = (2.0 * j1(scaled) / scaled) ** 2
    return stamp.astype(np.float32)


def _untrailed(fwhm: float, trail: float) -> float:
    """Width of the core that such a trail makes about as wide as this, in the mean of both axes.

    Along a trail of length L a profile of width w is as wide as (w² + c L²)^½, with c between
    2 ln 2 / 3, the ratio of variances, and 1 for long ones.
    """
    longer = 0.65 * trail**2
    return float(np.sqrt(0.5 * (np.hypot(longer, 2.0 * fwhm**2) - longer)))


def centred(stamp: NDArray[np.float32]) -> NDArray[np.float32]:
    """A stamp rolled so that its peak stands in the middle."""
    peak = np.unravel_index(int(stamp.argmax()), stamp.shape)
    shift = [side // 2 - int(place) for side, place in zip(stamp.shape, peak, strict=True)]
    return np.roll(stamp, shift, axis=(0, 1))

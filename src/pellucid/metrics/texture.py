"""Texture: how much structure of a given size a restoration has, against the truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.metrics.comparison import Comparison
from pellucid.sky.inpaint import filled

#: Spatial frequencies, cycles per pixel: structure of 4 to 10 pixels, and of 2 to 4.
RINGS = {"power_ratio_middle": (0.1, 0.25), "power_ratio_fine": (0.25, 0.5)}


def measure_texture(pair: Comparison) -> dict[str, float]:
    """Power of the restoration over that of the truth after the stretch, in two rings.

    1 is right; less is too smooth, more is structure (or noise) that the truth does not have.
    Pixels without data are filled alike in both; a Hann window keeps the edges out.
    """
    holes = ~(np.isfinite(pair.stretched[0]) & np.isfinite(pair.stretched[1]))
    truth, restored = (windowed_power(filled(value, holes)) for value in pair.stretched)
    height, width = pair.truth.shape[1:]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    ratios = {}
    for name, (low, high) in RINGS.items():
        ring = (frequency >= low) & (frequency < high)
        wanted = float(truth[:, ring].sum())
        ratios[name] = float(restored[:, ring].sum()) / wanted if wanted > 0 else float("nan")
    return ratios


def windowed_power(value: NDArray[np.floating]) -> NDArray[np.float64]:
    """Power of each plane about its mean, (band, y, frequency), under a Hann window."""
    window = np.hanning(value.shape[1])[:, None] * np.hanning(value.shape[2])
    centred = value - value.mean(axis=(1, 2), keepdims=True)
    return np.abs(np.fft.rfft2(centred * window)) ** 2

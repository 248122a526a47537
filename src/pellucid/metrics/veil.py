"""Veils: light that a restoration spreads over sky where the truth has none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.metrics.comparison import Comparison
from pellucid.sky.background import robust_background
from pellucid.sources import detect, smoothed_sky

NAMES = ("veil", "veil_truth")
#: Standard deviation in pixels of what separates a veil from the noise of pixels, and how many of
#: it lie between the sky that counts and the nearest source.
SMOOTHING, CLEARANCE = 4.0, 3.0
#: A source of the truth, in its noise after a filter of so many pixels.
SIGMAS, FWHM = 3.0, 3.0
#: Least share of an image's pixels that says something of its sky.
ENOUGH = 0.01


def measure_veil(pair: Comparison) -> dict[str, float]:
    """``veil``, and ``veil_truth``, what the same measure finds in the truth itself.

    The root of the mean square of the image above the truth's sky, smoothed by a Gaussian of 4
    pixels, over all pixels that are 12 pixels or more away from each source of the truth; in units
    of the truth's noise in a pixel, bands averaged. NaN where sources leave no sky or the truth
    has no noise.

    References
    ----------
    Gan, Bekki & Hashemizadeh 2021, arXiv:2103.09711, Figure 6, which shows veils and counts none.
    """
    truth, restored = (image.flux.mean(axis=0) for image in (pair.truth, pair.restored))
    holes = ~(np.isfinite(truth) & np.isfinite(restored))
    background = robust_background(np.where(holes, np.nan, truth)[None])
    if not background.sigma > 0:
        return dict.fromkeys(NAMES, float("nan"))
    above = restored - background.sky[0], truth - background.sky[0]
    sky = _empty(np.where(holes, np.nan, truth)) & ~holes
    if np.count_nonzero(sky) < ENOUGH * sky.size:
        return dict.fromkeys(NAMES, float("nan"))
    levels = (_smooth_rms(plane, sky) / background.sigma for plane in above)
    return dict(zip(NAMES, levels, strict=True))


def _empty(plane: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Where no source is near, shape (y, x)."""
    from scipy.ndimage import distance_transform_edt

    level = smoothed_sky(plane, FWHM)
    found = detect(plane - level.sky[0], SIGMAS, level.sigma, fwhm=FWHM).segments > 0
    if not found.any():
        return ~found
    return np.asarray(distance_transform_edt(~found)) >= CLEARANCE * SMOOTHING


def _smooth_rms(plane: NDArray[np.floating], sky: NDArray[np.bool_]) -> float:
    """Of what is left of the sky after a Gaussian that sees nothing else."""
    from scipy.ndimage import gaussian_filter

    light, weight = (gaussian_filter(a, SMOOTHING) for a in (np.where(sky, plane, 0.0), 1.0 * sky))
    return float(np.sqrt(np.mean((light[sky] / weight[sky]) ** 2)))

"""Structural similarity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.metrics.comparison import Comparison, check_pair
from pellucid.sky.inpaint import filled

WINDOW_SIGMA = 1.5
#: Half of the 11×11 window: so far from the edge the index is not defined.
WINDOW_RADIUS = 5


def measure_ssim(pair: Comparison) -> dict[str, float]:
    """``ssim`` after the stretch; ``ssim_linear`` on flux, the truth's largest as range."""
    truth, restored = pair.truth.flux, pair.restored.flux
    return {
        "ssim": ssim(*pair.stretched, 1.0),
        "ssim_linear": ssim(truth, restored, float(np.nanmax(truth))),
    }


def ssim(truth: NDArray[np.floating], restored: NDArray[np.floating], data_range: float) -> float:
    """Mean structural similarity, (2μₓμᵧ + C₁)(2σₓᵧ + C₂) / ((μₓ² + μᵧ² + C₁)(σₓ² + σᵧ² + C₂)).

    An 11×11 Gaussian window of σ = 1.5 pixels, C₁ = (0.01 L)², C₂ = (0.03 L)², mean over the
    pixels whose window lies in the image, then over bands.

    Parameters
    ----------
    truth, restored
        Shape (band, y, x), one unit. Pixels that are not finite in either are filled alike in
        both, and left out of the mean.
    data_range
        L in the same unit: 1 after a stretch, the largest value of the truth for linear flux.

    References
    ----------
    Wang et al. 2004, IEEE Trans. Image Process. 13, 600, doi:10.1109/TIP.2003.819861
    """
    check_pair(truth, restored, data_range)
    if min(truth.shape[-2:]) < 2 * WINDOW_RADIUS + 1:
        raise InputError(f"images of {truth.shape[-2]}×{truth.shape[-1]} are smaller than 11×11")

    from skimage.metrics import structural_similarity

    holes = ~(np.isfinite(truth) & np.isfinite(restored))
    inner = slice(WINDOW_RADIUS, -WINDOW_RADIUS)
    means = []
    for x, y, bad in zip(filled(truth, holes), filled(restored, holes), holes, strict=True):
        index = structural_similarity(
            x.astype(np.float64),
            y.astype(np.float64),
            data_range=data_range,
            gaussian_weights=True,
            sigma=WINDOW_SIGMA,
            use_sample_covariance=False,
            full=True,
        )[1]
        usable = ~bad[inner, inner]
        if usable.any():
            means.append(float(index[inner, inner][usable].mean()))
    if not means:
        raise InputError("no pixel away from the edge is finite in both images")
    return float(np.mean(means))

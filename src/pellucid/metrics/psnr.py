"""Peak signal-to-noise ratio, linear and after a stretch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.metrics.comparison import Comparison, check_pair
from pellucid.stretch import GalaxyGANStretch


def measure_psnr(pair: Comparison) -> dict[str, float]:
    """``psnr`` (dB) after the stretch; ``psnr_linear`` on flux, the truth's largest as range."""
    truth, restored = pair.truth.flux, pair.restored.flux
    return {
        "psnr": psnr(*pair.stretched, 1.0),
        "psnr_linear": psnr(truth, restored, float(np.nanmax(truth))),
    }


def psnr(truth: NDArray[np.floating], restored: NDArray[np.floating], data_range: float) -> float:
    """PSNR = 10 log₁₀(L² / MSE) in dB over the pixels of all bands together.

    Parameters
    ----------
    truth, restored
        One shape and one unit. Pixels that are not finite in either are left out.
    data_range
        L in the same unit: 1 after a stretch; for linear flux the largest value of the truth is
        usual. It must not depend on the restoration.

    Returns
    -------
    float
        Infinite for equal images.
    """
    check_pair(truth, restored, data_range)
    usable = np.isfinite(truth) & np.isfinite(restored)
    error = float(np.mean((truth[usable].astype(np.float64) - restored[usable]) ** 2))
    return float(10.0 * np.log10(data_range**2 / error)) if error > 0 else float("inf")


def stretched_psnr(truth: NDArray[np.floating], restored: NDArray[np.floating]) -> float:
    """PSNR with peak 1 of both images after `GalaxyGANStretch`, as GalaxyGAN's Table 1 has it.

    Parameters
    ----------
    truth, restored
        Flux in nanomaggies, shape (band, y, x).

    References
    ----------
    Schawinski et al. 2017, MNRAS 467, L110, doi:10.1093/mnrasl/slx008
    """
    stretch = GalaxyGANStretch()
    return psnr(stretch.forward(truth), stretch.forward(restored), 1.0)

"""Peak signal-to-noise ratio, linear and after a stretch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.sky.background import Background, robust_background
from pellucid.stretch import GalaxyGANStretch, NoiseStretch


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

    Raises
    ------
    InputError
        When shapes disagree, no pixel is finite in both, or L is not positive.
    """
    check_pair(truth, restored)
    if not data_range > 0:
        raise InputError(f"a data range of {data_range}; it must be positive")
    usable = np.isfinite(truth) & np.isfinite(restored)
    error = float(np.mean((truth[usable].astype(np.float64) - restored[usable]) ** 2))
    return float(10.0 * np.log10(data_range**2 / error)) if error > 0 else float("inf")


def stretched_psnr(
    truth: NDArray[np.floating],
    restored: NDArray[np.floating],
    stretch: GalaxyGANStretch | NoiseStretch | None = None,
    eight_bit: bool = False,
) -> float:
    """PSNR with peak 1 of both images after one stretch, as GalaxyGAN's Table 1 has it.

    Parameters
    ----------
    truth, restored
        Flux, shape (band, y, x), in one unit.
    stretch
        None takes `GalaxyGANStretch`, which means something for nanomaggies only.
    eight_bit
        Cut to [0, 1] and round to 1/255 first, as the images the paper compares were stored.

    Raises
    ------
    InputError
        As `psnr`.

    References
    ----------
    Schawinski et al. 2017, MNRAS 467, L110, doi:10.1093/mnrasl/slx008
    """
    check_pair(truth, restored)
    stretch = stretch or GalaxyGANStretch()
    sky = stretch_sky(truth)
    pair = [stretch.forward(flux, sky) for flux in (truth, restored)]
    if eight_bit:
        pair = [np.round(255.0 * np.clip(value, 0.0, 1.0)) / 255.0 for value in pair]
    return psnr(pair[0], pair[1], 1.0)


def stretch_sky(truth: NDArray[np.floating]) -> Background:
    """The sky and noise of the truth, by which both images of a pair are stretched.

    A truth without noise, such as a simulated galaxy, is given a thousandth of its peak as noise,
    and 1 where it is constant.

    Parameters
    ----------
    truth
        Shape (band, y, x), any unit.
    """
    background = robust_background(truth)
    if background.sigma > 0:
        return background
    above_sky = truth - background.sky[:, None, None]
    peak = float(np.nanmax(np.where(np.isfinite(above_sky), above_sky, np.nan)))
    return Background(background.sky, 1e-3 * peak if peak > 0 else 1.0)


def check_pair(truth: NDArray[np.floating], restored: NDArray[np.floating]) -> None:
    """Refuse two images that cannot be compared pixel by pixel.

    Raises
    ------
    InputError
        When shapes disagree or no pixel is finite in both.
    """
    if truth.shape != restored.shape:
        raise InputError(
            f"the truth has shape {truth.shape}, the restoration {restored.shape}; "
            "bring them to one grid first"
        )
    if not (np.isfinite(truth) & np.isfinite(restored)).any():
        raise InputError("no pixel is finite in both the truth and the restoration")

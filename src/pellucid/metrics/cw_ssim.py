"""Structural similarity of complex wavelets: forgiving of small shifts, turns and scalings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError, UsageError
from pellucid.metrics.comparison import Comparison, check_pair
from pellucid.metrics.steerable import (
    band_filters,
    band_shape,
    band_spectrum,
    bands_of_spectrum,
    max_levels,
)
from pellucid.sky.inpaint import filled

#: Numbers in one array at a time: 4 MB of complex coefficients, which a core's cache still holds.
_CHUNK = 2**18
#: A window whose energy is below this share of the image's, squared, holds rounding alone.
_ROUNDING = 256.0 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class CwSsimOptions:
    """What the index is computed on; the defaults are those of its authors' code.

    Parameters
    ----------
    levels
        Scales of the pyramid. A smaller image has fewer, see `usable_levels`.
    orientations
        Bands of each scale, at least 2.
    window
        Side of the square window, in samples of the band.
    K
        The constant of the equation, in the unit of the coefficients squared and for the mean
        over a window. 0 makes the index blind to a scaling of both images.
    scales
        ``"coarsest"`` takes the last scale alone, as the authors' code does; ``"all"`` is the
        mean over the scales.
    """

    levels: int = 6
    orientations: int = 16
    window: int = 7
    K: float = 0.0
    scales: Literal["coarsest", "all"] = "coarsest"

    def __post_init__(self) -> None:
        if self.levels < 1 or self.orientations < 2 or self.window < 1 or not self.K >= 0:
            raise UsageError(
                f"CW-SSIM with {self.levels} levels, {self.orientations} orientations, a window "
                f"of {self.window} and K = {self.K}; it takes at least 1, 2, 1 and 0"
            )


def measure_cw_ssim(pair: Comparison) -> dict[str, float]:
    """``cw_ssim`` after the stretch, mean over bands."""
    return {"cw_ssim": float(np.nanmean(cw_ssim(*pair.stretched)))}


def measure_cw_ssim_all_scales(pair: Comparison) -> dict[str, float]:
    """``cw_ssim_all_scales``: the mean over the scales in place of the coarsest."""
    index = cw_ssim(*pair.stretched, CwSsimOptions(scales="all"))
    return {"cw_ssim_all_scales": float(np.nanmean(index))}


def measure_cw_ssim_printed(pair: Comparison) -> dict[str, float]:
    """``cw_ssim_printed``: without the phase, as SeeingGAN prints it."""
    return {"cw_ssim_printed": float(np.nanmean(cw_ssim_printed(*pair.stretched)))}


def cw_ssim(
    truth: NDArray[np.floating],
    restored: NDArray[np.floating],
    options: CwSsimOptions | None = None,
) -> NDArray[np.float64]:
    """Complex-wavelet structural similarity, (2|Σ cₓcᵧ*| + K) / (Σ|cₓ|² + Σ|cᵧ|² + K).

    c are the coefficients of a complex steerable pyramid in a square window. The windows of a
    band are averaged with Gaussian weights of σ = a quarter of the band's height, then the
    orientations. A common phase cancels, so the index does not see the sky's level nor the sign
    of an image, and hardly a small shift; a contrast that is wrong by a factor a costs
    2a/(1 + a²). A window without structure in both images counts as equal, 1.

    Parameters
    ----------
    truth, restored
        Shape (..., y, x), one unit, at least 8×8; see `usable_levels` for what images below
        256×256 are compared on. Pixels that are not finite in either are filled in both, and a
        window counts by its share of pixels with data.
    options
        None takes `CwSsimOptions()`.

    Returns
    -------
    NDArray
        Shape (...), in [0, 1]; NaN for a plane without a pixel that is finite in both.

    References
    ----------
    Sampat et al. 2009, IEEE Trans. Image Process. 18, 2385, doi:10.1109/TIP.2009.2025923
    """
    return _similarity(truth, restored, options or CwSsimOptions(), with_phase=True)


def cw_ssim_printed(
    truth: NDArray[np.floating],
    restored: NDArray[np.floating],
    options: CwSsimOptions | None = None,
) -> NDArray[np.float64]:
    """The index as SeeingGAN prints it, (2Σ|cₓ||cᵧ*| + K) / (Σ|cₓ|² + Σ|cᵧ|² + K).

    The modulus inside the sum drops the phase, and with it where in a window the structure lies:
    the index is never below `cw_ssim`, and 1 for all images whose coefficients have equal moduli.
    Parameters, values and errors are those of `cw_ssim`.

    References
    ----------
    Gan, Bekki & Hashemizadeh 2021, SeeingGAN, arXiv:2103.09711, equation 5
    """
    return _similarity(truth, restored, options or CwSsimOptions(), with_phase=False)


def usable_levels(shape: tuple[int, int], options: CwSsimOptions | None = None) -> int:
    """How many levels of ``options`` images of (y, x) pixels are compared on.

    The largest number that keeps the sky's level out of the bands, the coarsest band at least
    8 wide and at least as wide as the window: 6 from a side of 256, 5 from 128, 4 from 64.
    """
    options = options or CwSsimOptions()
    levels = min(options.levels, max_levels(shape))
    while levels > 0 and min(band_shape(shape, levels - 1)) < options.window:
        levels -= 1
    if levels < 1:
        raise InputError(
            f"images of {shape[0]}×{shape[1]} are too small for CW-SSIM; "
            f"both sides must be at least {max(8, options.window)}"
        )
    return levels


def _similarity(
    truth: NDArray[np.floating],
    restored: NDArray[np.floating],
    options: CwSsimOptions,
    with_phase: bool,
) -> NDArray[np.float64]:
    check_pair(truth, restored)
    height, width = truth.shape[-2:]
    coarsest = usable_levels((height, width), options) - 1
    levels = range(coarsest + 1) if options.scales == "all" else (coarsest,)
    y, x = band_shape((height, width), levels[0])
    step = max(1, _CHUNK // max(height * width, options.orientations * y * x))
    planes = [image.reshape(-1, height, width) for image in (truth, restored)]
    index = np.empty(len(planes[0]))
    for start in range(0, len(index), step):
        here = slice(start, start + step)
        pair = [image[here] for image in planes]
        usable = np.isfinite(pair[0]) & np.isfinite(pair[1])
        if not usable.all():
            pair = [np.where(usable, image, filled(image, ~usable)) for image in pair]
        scores = [_level_index(pair, usable, level, options, with_phase) for level in levels]
        index[here] = np.mean(scores, axis=0)
    return index.reshape(truth.shape[:-2])


def _level_index(
    pair: list[NDArray[np.floating]],
    usable: NDArray[np.bool_],
    level: int,
    options: CwSsimOptions,
    with_phase: bool,
) -> NDArray[np.float64]:
    """The index of one level, shape (plane,); ``usable`` where both images have data."""
    height, width = pair[0].shape[-2:]
    spectra = [band_spectrum(image, level) for image in pair]
    filters = band_filters((height, width), level, options.orientations)
    band = filters.shape[-2:]
    weight = _pooling(band, options.window)
    if not usable.all():
        weight = weight * _coverage(usable, band, options.window)
        total = weight.sum(axis=(-2, -1), keepdims=True)
        weight = np.divide(weight, total, out=np.full_like(weight, np.nan), where=total > 0)
    # The mean is part of it: a sky far above the galaxy leaves rounding of its own size.
    power = sum(np.sum(_squared(s), axis=(-2, -1)) for s in spectra) / (band[0] * band[1]) ** 2
    empty = _ROUNDING**2 * power[:, None, None, None]

    group = max(1, _CHUNK // (len(pair[0]) * band[0] * band[1]))
    index = np.zeros(len(pair[0]))
    for start in range(0, options.orientations, group):
        chosen = filters[start : start + group]
        x, y = (bands_of_spectrum(spectrum, chosen) for spectrum in spectra)
        if with_phase:
            common = np.abs(_window_mean(x * y.conj(), options.window))
        else:
            common = _window_mean(np.abs(x) * np.abs(y), options.window)
        above = 2.0 * common + options.K
        below = _window_mean(_squared(x) + _squared(y), options.window) + options.K
        similar = np.divide(above, below, out=np.ones_like(above), where=below > empty)
        # Rounding can leave equal images an ulp above 1.
        index += np.sum(np.minimum(similar, 1.0) * weight, axis=(-3, -2, -1))
    return index / options.orientations


def _pooling(band: tuple[int, int], window: int) -> NDArray[np.float64]:
    """Gaussian weights of the windows of a band, shape (y, x), sum 1."""
    sigma = band[0] / 4.0
    y, x = (np.arange(side - window + 1) - (side - window) / 2.0 for side in band)
    weight = np.exp(-0.5 * (y[:, None] ** 2 + x**2) / sigma**2)
    return weight / weight.sum()


def _coverage(usable: NDArray[np.bool_], band: tuple[int, int], window: int) -> NDArray[np.float64]:
    """The share of each window that has data, shape (plane, 1, y, x)."""
    share = usable[:, None].astype(np.float64)
    for axis, side in ((-2, band[0]), (-1, band[1])):
        whole = share.shape[axis]
        edges = np.arange(side + 1) * whole // side
        widths = np.diff(edges).reshape((-1, 1) if axis == -2 else -1)
        share = np.add.reduceat(share, edges[:-1], axis=axis) / widths
    return _window_mean(share, window)


def _window_mean(values: NDArray[Any], window: int) -> NDArray[Any]:
    """Means over the windows that lie inside, shape (..., y, x) less ``window`` − 1 each."""
    # Sums of shifted copies: running sums would cancel where a faint part follows a bright one.
    rows, columns = (side - window + 1 for side in values.shape[-2:])
    down = values[..., :rows, :].copy()
    for k in range(1, window):
        down += values[..., k : k + rows, :]
    total = down[..., :columns].copy()
    for k in range(1, window):
        total += down[..., k : k + columns]
    total /= window**2
    return total


def _squared(values: NDArray[np.complex128]) -> NDArray[np.float64]:
    return values.real**2 + values.imag**2

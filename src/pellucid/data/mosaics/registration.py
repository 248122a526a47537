"""The shift between a sharp image and a blurred one of the same sky."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.optics import convolve
from pellucid.sky import PSF, gaussian_psf

#: Widths (FWHM, pixels) that are tried where the blurred image's PSF is unknown.
_WIDTHS = (1.5, 2.0, 2.5, 3.2, 4.0, 5.0, 6.5, 8.0, 10.0)
_ROUNDS = 20
_CONVERGED = 1e-4


@dataclass(frozen=True)
class Shift:
    """Where a feature of the sharp image stands in the blurred one.

    Parameters
    ----------
    dy, dx
        Place in the blurred image minus that in the sharp one, pixels.
    error
        Standard deviation of each, pixels, from the residuals.
    significance
        Flux that both images share, over its standard deviation.
    correlation
        Of both images at this shift, in [−1, 1].
    """

    dy: float
    dx: float
    error: float
    significance: float
    correlation: float


def measure_shift(
    sharp: NDArray[np.floating],
    blurred: NDArray[np.floating],
    psf: PSF | None = None,
    reach: float = 8.0,
) -> Shift:
    """Find the shift d that minimises Σ w·(blurred − a·(K∗sharp)(p − d) − c)².

    K is the blurred image's PSF, made point-symmetric so that it moves nothing; or else the
    Gaussian with which both images correlate best. It starts at the peak of the cross-correlation
    and goes on with Gauss–Newton steps (Lucas & Kanade 1981, IJCAI 81, 674), which for white noise
    is the maximum of the likelihood. w falls to 0 at the edges and where there is no data.

    Parameters
    ----------
    sharp, blurred
        Shape (y, x), one grid, any units, sky-subtracted; NaN where there is no data.
    psf
        Of the blurred image, in pixels of the grid.
    reach
        Largest shift looked for along an axis, pixels.
    """
    good = np.isfinite(sharp) & np.isfinite(blurred)
    weight = _taper(sharp.shape) * good
    scene, target = (np.where(good, image, 0.0).astype(np.float64) for image in (sharp, blurred))
    if not (scene * weight).any() or not (target * weight).any():
        raise InputError("cannot be registered: an image holds nothing")
    if psf is None:
        widths = [gaussian_psf(width, 1.0) for width in _WIDTHS]
        kernels = [kernel.stamps for kernel in widths]
    else:
        kernels = [0.5 * (psf.stamps[:1] + psf.stamps[:1, ::-1, ::-1])]
    models = [convolve(scene[None], kernel)[0].astype(np.float64) for kernel in kernels]
    peaks = [_peak(model, target, weight, reach) for model in models]
    best = int(np.argmax([height for height, _ in peaks]))
    return _refined(models[best], target, weight, peaks[best][1])


def _peak(
    model: NDArray[np.float64],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    reach: float,
) -> tuple[float, NDArray[np.float64]]:
    """Largest correlation coefficient at whole pixels, and where."""
    from scipy import signal

    first, second = _centred(model, weight), _centred(target, weight)
    cross = signal.correlate(second, first, method="fft")
    lags = [signal.correlation_lags(side, side) for side in model.shape]
    near = [np.flatnonzero(np.abs(lag) <= min(reach, len(lag) / 4)) for lag in lags]
    cross = cross[np.ix_(*near)]
    y, x = np.unravel_index(int(cross.argmax()), cross.shape)
    norm = np.sqrt(np.sum(first**2) * np.sum(second**2))
    return float(cross[y, x] / norm), np.array([lags[0][near[0][y]], lags[1][near[1][x]]], float)


def _refined(
    model: NDArray[np.float64],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    start: NDArray[np.float64],
) -> Shift:
    from scipy.ndimage import shift as moved
    from scipy.ndimage import spline_filter

    spline = np.asarray(spline_filter(model, order=3, mode="constant"))
    root = np.sqrt(weight).ravel()
    seen = target.ravel() * root

    def linear(place: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """The model moved there, what describes its surroundings, and how much of each fits."""
        there = np.asarray(moved(spline, place, order=3, mode="constant", prefilter=False))
        down, right = np.gradient(there)
        design = np.stack([there, np.ones_like(there), -down, -right]).reshape(4, -1).T
        design = design * root[:, None]
        return there, design, np.linalg.pinv(design.T @ design) @ (design.T @ seen)

    place = start
    for _ in range(_ROUNDS):
        amounts = linear(place)[2]
        if amounts[0] <= 0:
            break
        step = np.clip(amounts[2:] / amounts[0], -0.5, 0.5)
        place = place + step
        if np.abs(step).max() < _CONVERGED:
            break
    there, design, amounts = linear(place)
    residual = seen - design @ amounts
    variance = float(residual @ residual) / max(float(weight.sum()) - 4.0, 1.0)
    spread = np.sqrt(variance * np.abs(np.diag(np.linalg.pinv(design.T @ design))))
    error = float(spread[2:].max() / abs(amounts[0])) if amounts[0] else np.inf
    significance = float(amounts[0] / spread[0]) if spread[0] else np.inf
    a, b = _centred(there, weight), _centred(target, weight)
    norm = float(np.sqrt(np.sum(a**2) * np.sum(b**2)))
    correlation = float(np.sum(a * b)) / norm if norm else 0.0
    return Shift(float(place[0]), float(place[1]), error, significance, correlation)


def _centred(image: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    root = np.sqrt(weight)
    return (image - float(np.sum(weight * image) / np.sum(weight))) * root


def _taper(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A Tukey window: flat over the middle three quarters, zero at the edges."""
    from scipy.signal.windows import tukey

    return np.outer(*(tukey(side + 2, 0.25)[1:-1] for side in shape))

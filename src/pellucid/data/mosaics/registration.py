"""The shift between a sharp image and a blurred one of the same sky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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

    Raises
    ------
    InputError
        When an image is empty.
    """
    good = np.isfinite(sharp) & np.isfinite(blurred)
    weight = _taper(sharp.shape) * good
    scene, target = (np.where(good, image, 0.0).astype(np.float64) for image in (sharp, blurred))
    if not (scene * weight).any() or not (target * weight).any():
        raise InputError("cannot be registered: an image holds nothing")
    if psf is None:
        widths = [gaussian_psf(width, 1.0) for width in _WIDTHS]
        models = [_blurred(scene, kernel.stamps[0]) for kernel in widths]
    else:
        stamp = psf.stamps[0]
        models = [_blurred(scene, 0.5 * (stamp + stamp[::-1, ::-1]))]
    peaks = [_peak(model, target, weight, reach) for model in models]
    best = int(np.argmax([height for height, _ in peaks]))
    return _refined(models[best], target, weight, peaks[best][1])


def _blurred(scene: NDArray[np.float64], stamp: NDArray[np.floating]) -> NDArray[np.float64]:
    return convolve(scene[None], stamp[None])[0].astype(np.float64)


def _peak(
    model: NDArray[np.float64],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    reach: float,
) -> tuple[float, NDArray[np.float64]]:
    """Largest correlation coefficient at whole pixels, and where."""
    from scipy import fft

    sides: Any = [fft.next_fast_len(2 * side, real=True) for side in model.shape]
    first, second = (np.fft.rfft2(_centred(image, weight), sides) for image in (model, target))
    cross = np.fft.irfft2(first.conj() * second, sides)
    limit = [min(int(reach), side // 2) for side in model.shape]
    rows, columns = (np.arange(-most, most + 1) for most in limit)
    near = cross[rows[:, None], columns]
    y, x = np.unravel_index(int(near.argmax()), near.shape)
    norm = np.sqrt(np.sum(_centred(model, weight) ** 2) * np.sum(_centred(target, weight) ** 2))
    return float(near[y, x] / norm), np.array([rows[y], columns[x]], dtype=float)


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
    a, b = _centred(there, weight), _centred(target, weight)
    norm = float(np.sqrt(np.sum(a**2) * np.sum(b**2)))
    return Shift(
        float(place[0]),
        float(place[1]),
        error,
        float(amounts[0] / spread[0]) if spread[0] else np.inf,
        float(np.sum(a * b)) / norm if norm else 0.0,
    )


def _centred(image: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    root = np.sqrt(weight)
    return (image - float(np.sum(weight * image) / np.sum(weight))) * root


def _taper(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A Tukey window: flat over the middle three quarters, zero at the edges."""
    from scipy.signal.windows import tukey

    return np.outer(*(tukey(side + 2, 0.25)[1:-1] for side in shape))

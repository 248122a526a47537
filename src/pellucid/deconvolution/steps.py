"""What Richardson–Lucy and its blind form share: the pedestal, the start, the step."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.deconvolution.units import Unit, unit_of
from pellucid.errors import InputError
from pellucid.sky.background import robust_background

#: The automatic pedestal puts the sky this many standard deviations above zero.
PEDESTAL_SIGMAS = 5.0
_TINY = float(np.finfo(np.float32).tiny)


def sky_pedestal(flux: NDArray[np.floating]) -> NDArray[np.float32]:
    """The pedestal that each band needs before Richardson–Lucy, shape (band,), in its unit.

    Sky of N counts has the noise √N, so sky at k standard deviations is a Poisson field of
    N = k² counts: with k = 5 its statistics are near those of the subtracted sky and the
    positivity of x still holds noise down. Where a pixel lies deeper than that, the pedestal
    grows until none is negative, so that nothing is cut and the sky keeps its mean.

    Parameters
    ----------
    flux
        Shape (band, y, x), finite.
    """
    levels = []
    for plane in flux:
        background = robust_background(plane[None])
        above_sky = PEDESTAL_SIGMAS * background.sigma - float(background.sky[0])
        levels.append(max(above_sky, -float(plane.min())))
    return np.array(levels, dtype=np.float32)


def pedestals(flux: NDArray[np.float32], pedestal: ArrayLike | None) -> NDArray[np.float32]:
    """One pedestal a band from what was given: one for all, one a band, or None to measure them."""
    if pedestal is None:
        return sky_pedestal(flux)
    return np.broadcast_to(np.asarray(pedestal, dtype=np.float32).reshape(-1), len(flux))


def first_estimate(
    plane: NDArray[np.float32], pedestal: float, start: ArrayLike | None
) -> tuple[NDArray[np.float32], Unit, NDArray[np.float32]]:
    """The data of one band that Richardson–Lucy works on, their unit, and the x it starts from.

    The data stand on the pedestal in units of the noise; x is flat at their mean, or ``start`` and
    the pedestal.

    Parameters
    ----------
    plane, start
        Shape (1, y, x), in the image's unit; ``start`` may be a number.
    pedestal
        In the image's unit.
    """
    unit = Unit(-pedestal, unit_of(plane[0]).scale)
    data = unit.above(plane)
    mean = data.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    if mean.min() < 0:  # no positive x has such an image
        raise InputError("the image's mean is negative; Richardson–Lucy needs a larger pedestal")
    first = mean if start is None else np.maximum(unit.above(np.asarray(start)), 0.0)
    return data, unit, np.broadcast_to(first, data.shape).astype(np.float32)


def ratio(data: NDArray[np.float32], blurred: NDArray[np.float32]) -> NDArray[np.float32]:
    """Data over model, 0 where the model is no more than the rounding of its Fourier transform.

    It takes the place of the model.
    """
    dark = blurred <= np.finfo(np.float32).eps * blurred.max(axis=(1, 2), keepdims=True)
    blurred[dark] = np.inf
    return np.divide(data, blurred, out=blurred)


def extrapolated(
    now: NDArray[np.float32], before: NDArray[np.float32], reach: float
) -> NDArray[np.float32]:
    """x + λ (x − x₋₁) for λ = ``reach``, and never below zero."""
    ahead = now - before
    ahead *= np.float32(reach)
    ahead += now
    return np.maximum(ahead, 0.0, out=ahead)


def agreement(change: NDArray[np.float32], earlier: NDArray[np.float32] | None) -> float:
    """How far to go on along the last step, λ = ⟨g, g₋₁⟩ / ⟨g₋₁, g₋₁⟩ cut to [0, 1].

    g is what a step added to the point that it started from; 0 after the first.
    """
    if earlier is None:
        return 0.0
    along, length = float(np.vdot(change, earlier)), float(np.vdot(earlier, earlier))
    return min(max(along / max(length, _TINY), 0.0), 1.0)

"""What Richardson–Lucy and its blind form share: the pedestal, the start, the step."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.errors import InputError
from pellucid.sky.background import robust_background

#: The automatic pedestal puts the sky this many standard deviations above zero.
PEDESTAL_SIGMAS = 5.0


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


def first_estimate(
    flux: NDArray[np.float32], pedestal: ArrayLike | None, start: ArrayLike | None
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The data that Richardson–Lucy works on, the pedestal in them, and the x it starts from.

    That is flat at the data's mean, or ``start`` and the pedestal.
    """
    values = sky_pedestal(flux) if pedestal is None else np.asarray(pedestal, dtype=np.float32)
    level = values.reshape(-1, 1, 1)
    data = flux + level
    mean = data.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    if mean.min() < 0:  # no positive x has such an image
        raise InputError("the image's mean is negative; Richardson–Lucy needs a larger pedestal")
    first = mean if start is None else np.maximum(np.asarray(start) + level, 0.0)
    return data, level, np.broadcast_to(first, data.shape).astype(np.float32)


def ratio(data: NDArray[np.float32], blurred: NDArray[np.float32]) -> NDArray[np.float32]:
    """Data over model, 0 where the model is no more than the rounding of its Fourier transform."""
    rounding = np.finfo(np.float32).eps * blurred.max(axis=(1, 2), keepdims=True)
    return np.divide(data, blurred, out=np.zeros_like(data), where=blurred > rounding)


def extrapolated(
    now: NDArray[np.float32],
    before: NDArray[np.float32],
    change: NDArray[np.float32] | None,
    earlier: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    """Go on from ``now`` as far as the last two steps agreed, and never below zero.

    x + λ (x − x₋₁) with λ = ⟨g, g₋₁⟩ / ⟨g₋₁, g₋₁⟩ cut to [0, 1], per band, where g is what the
    last step added to the point it started from.
    """
    if change is None or earlier is None:
        return now
    along = np.sum(change * earlier, axis=(1, 2), keepdims=True)
    length = np.sum(earlier * earlier, axis=(1, 2), keepdims=True)
    tiny = np.finfo(np.float32).tiny
    reach = np.clip(along / np.maximum(length, tiny), 0.0, 1.0)
    return np.maximum(now + reach * (now - before), 0.0)

"""Light that a restoration has too much or too little of, brought back where the image tells.

A restoration that is blurred again must give the image but for its noise. Nothing binds a network
to that, and its stars may be a tenth too bright. Where the image contradicts it beyond what noise
may do, what it drew is scaled by Richardson and Lucy's step; elsewhere nothing is touched. Where
even then much of the light is missing or too much, as in a star whose saturated core was patched up
by its pipeline, the image stays as it was: what could not be restored is not invented.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pellucid.optics import Convolution
from pellucid.restoration.band_limit import smoothed_around
from pellucid.restoration.doubt import MANY, ramp, widened
from pellucid.sky.psf import stamp_fwhm

#: Standard deviations, at the psf's scale, that a difference may have by chance.
CHANCE = 3.0
#: Of the flux: what is never known better, of flat field and psf.
SYSTEMATIC = 0.005
#: How often it is tried, and the largest factor each time.
ROUNDS, STEP = 3, 2.0
#: From so many times what may be chance on, the image contradicts what a network drew; its wings
#: end so many FWHM of the blur further out.
MISSED, WINGS = (2.0, 4.0), 2.5
#: Side in pixels of what softens their edge.
SOFT = 5
#: Between these shares of the light, and so many times what may be chance, the image comes back.
AMISS, SURELY = (0.2, 0.4), (3.0, 6.0)


def explained(
    restored: NDArray[np.float32],
    given: NDArray[np.float32],
    stamps: NDArray[np.floating],
    weight: NDArray[np.float32],
    spread: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Scale a restoration's light so that it explains the image.

    Parameters
    ----------
    restored
        Shape (band, y, x), above the sky, in units of its noise.
    given
        The image, on the same grid and in the same unit.
    stamps
        The blur, shape (band, y, x).
    weight
        Of `pellucid.data.channels.pixel_weights`; 0 where there is no data.
    spread
        That of `spread_of_missing` where this is a window of a larger image, else None.

    References
    ----------
    Richardson 1972, JOSA 62, 55, doi:10.1364/JOSA.62.000055
    """
    blur = Convolution(stamps, (given.shape[1], given.shape[2]))
    data = (weight > 0).astype(np.float32)
    square = np.square(stamps).sum(axis=(1, 2), keepdims=True, dtype=np.float32)
    deviation = np.sqrt(square) / np.maximum(weight, np.float32(1e-3))
    whole = blur.adjoint(data * given)
    if spread is not None:
        # The same over a whole image, be a window of it crowded or empty.
        deviation = np.maximum(deviation, np.sqrt(square) * spread[:, None, None])

    def compared(restored: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Light that is there, that is missing, and that chance may make, at the psf's scale."""
        seen = blur.adjoint(data * blur(restored))
        missing = whole - seen
        noise = deviation if spread is not None else np.maximum(deviation, _spread(missing))
        return seen, missing, np.float32(CHANCE) * noise + np.float32(SYSTEMATIC) * np.abs(seen)

    seen, missing, chance = compared(restored)
    amiss = ramp(np.abs(missing) / chance, MISSED)
    if amiss.any():
        # Around what is not as it was told a network draws more than smooth wings.
        restored = smoothed_around(restored, _around(amiss, stamps))
        seen, missing, chance = compared(restored)
    for _ in range(ROUNDS):
        beyond = np.maximum(np.abs(missing) - chance, 0.0) * (data > 0)
        if not beyond.any():
            return restored
        factor = 1.0 + np.copysign(beyond, missing) / np.maximum(seen, chance)
        light = restored > 0
        restored = np.where(light, restored * np.clip(factor, 1.0 / STEP, STEP), restored)
        seen, missing, chance = compared(restored)
    share = np.abs(missing) / np.maximum(np.abs(seen + missing), chance)
    amiss = ramp(share, AMISS) * ramp(np.abs(missing) / chance, SURELY)
    if not amiss.any():
        return restored
    back = data * blur(widened(amiss, stamps).astype(np.float32))  # with a soft edge
    restored += np.minimum(back, 1.0) * (given - restored)
    return restored


def spread_of_missing(
    restored: NDArray[np.float32],
    given: NDArray[np.float32],
    stamps: NDArray[np.floating],
    weight: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Standard deviation of what a restoration misses at the psf's scale, shape (band,).

    Over that of white noise; parameters as of `explained`.
    """
    blur = Convolution(stamps, (given.shape[1], given.shape[2]))
    missing = blur.adjoint((weight > 0) * (given - blur(restored)))
    white = np.sqrt(np.square(stamps).sum(axis=(1, 2), dtype=np.float32))
    return _spread(missing)[:, 0, 0] / white


def _spread(missing: NDArray[np.floating]) -> NDArray[np.float32]:
    """Robust standard deviation, shape (band, 1, 1): of noise that is correlated, more."""
    step = max(1, math.isqrt(missing[0].size // MANY))
    some = missing[:, ::step, ::step]
    low, high = np.quantile(some, (0.16, 0.84), axis=(1, 2), keepdims=True)
    return np.float32(0.5) * (high - low).astype(np.float32)


def _around(amiss: NDArray[np.floating], stamps: NDArray[np.floating]) -> NDArray[np.floating]:
    """From 1 to 0 where the wings of what is amiss end."""
    from scipy.ndimage import maximum_filter, uniform_filter

    side = 2 * round(WINGS * max(stamp_fwhm(stamp) for stamp in stamps)) + 1
    wings = maximum_filter(amiss, size=(1, side, side))
    for plane in wings:
        uniform_filter(plane, SOFT, output=plane)
    return wings

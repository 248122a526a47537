"""Light that a restoration has too much or too little of, brought back where the image tells.

A restoration that is blurred again must give the image but for its noise. Nothing binds a network
to that, and its stars may be a tenth too bright. Where the image contradicts it beyond what noise
may do, what it drew is scaled by Richardson and Lucy's step; elsewhere nothing is touched.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.optics import Convolution

#: Standard deviations, at the psf's scale, that a difference may have by chance.
CHANCE = 3.0
#: Of the flux: what is never known better, of flat field and psf.
SYSTEMATIC = 0.005
#: How often it is tried, and the largest factor each time.
ROUNDS, STEP = 3, 2.0


def explained(
    restored: NDArray[np.float32],
    given: NDArray[np.float32],
    stamps: NDArray[np.floating],
    weight: NDArray[np.float32],
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

    References
    ----------
    Richardson 1972, JOSA 62, 55, doi:10.1364/JOSA.62.000055
    """
    blur = Convolution(stamps, (given.shape[1], given.shape[2]))
    data = (weight > 0).astype(np.float32)
    square = np.square(stamps).sum(axis=(1, 2), keepdims=True, dtype=np.float32)
    deviation = np.sqrt(square) / np.maximum(weight, np.float32(1e-3))
    for _ in range(ROUNDS):
        again = data * blur(restored)
        seen = blur.adjoint(again)
        missing = blur.adjoint(data * given - again)
        # Noise that is correlated has more at this scale than the same of white noise.
        low, high = np.quantile(missing, (0.16, 0.84), axis=(1, 2), keepdims=True)
        noise = np.maximum(deviation, np.float32(0.5) * (high - low).astype(np.float32))
        chance = np.float32(CHANCE) * noise + np.float32(SYSTEMATIC) * np.abs(seen)
        beyond = np.maximum(np.abs(missing) - chance, 0.0) * (data > 0)
        if not beyond.any():
            break
        factor = 1.0 + np.copysign(beyond, missing) / np.maximum(seen, chance)
        light = restored > 0
        restored = np.where(light, restored * np.clip(factor, 1.0 / STEP, STEP), restored)
    return restored

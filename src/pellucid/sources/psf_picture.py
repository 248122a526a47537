"""A picture of a PSF."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.display import to_pixels
from pellucid.sources.star_psf import StarPSF

#: What is drawn black and white, in shares of the peak; the scale between is logarithmic.
DARK, STEPS, SIZE = 1e-4, 4, 360


def draw_psf(psf: StarPSF) -> NDArray[np.uint8]:
    """The PSF of each band beside each other, first row at the bottom, from 1e-4 of the peak up.

    Returns
    -------
    ndarray
        Shape (y, x), for `pellucid.display.write_picture`.
    """
    fine = psf.fine(STEPS)
    share = fine / fine.max(axis=(1, 2), keepdims=True)
    value = 1.0 - np.log10(np.clip(share, DARK, 1.0)) / np.log10(DARK)
    enlarge = max(1, round(SIZE / value.shape[1]))
    large = value.repeat(enlarge, axis=1).repeat(enlarge, axis=2)
    framed = np.pad(large, [(0, 0), (2, 2), (2, 2)], constant_values=0.5)
    return to_pixels(np.concatenate([*framed], axis=1)[::-1])

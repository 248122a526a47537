"""A picture of a PSF."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.display import to_pixels
from pellucid.sky.psf import PSF

#: What is drawn black, in shares of the peak; the scale from there is logarithmic.
DARK = 1e-4
#: Sides of a band's picture, about.
SIZE = 360


def draw_psf(psf: PSF) -> NDArray[np.uint8]:
    """The PSF of each band beside each other, first row at the bottom, from 1e-4 of the peak up.

    Returns
    -------
    ndarray
        Shape (y, x), for `pellucid.display.write_picture`.
    """
    enlarge = max(1, round(SIZE / psf.stamps.shape[1]))
    share = psf.stamps / psf.stamps.max(axis=(1, 2), keepdims=True)
    value = 1.0 - np.log10(np.clip(share, DARK, 1.0)) / np.log10(DARK)
    large = value.repeat(enlarge, axis=1).repeat(enlarge, axis=2)
    framed = np.pad(large, [(0, 0), (2, 2), (2, 2)], constant_values=0.5)
    return to_pixels(np.concatenate([*framed], axis=1)[::-1])

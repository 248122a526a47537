"""How the study draws a galaxy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.display import asinh_scale, to_pixels
from pellucid.sky import background_of
from pellucid.sky.image import SkyImage


def picture(image: SkyImage, truth: SkyImage) -> NDArray[np.uint8]:
    """Grey levels, shape (y, x, 3), asinh in the noise of the truth, white at its brightest.

    All images of a galaxy are drawn with one scale, so that light can be compared.
    """
    sky = background_of(truth)
    noise = sky.sigma if sky.sigma > 0 else 1e-3 * float(np.nanmax(truth.flux))
    top = max(float(np.nanpercentile(truth.flux[0], 99.8)) / noise, 10.0)
    # The first row at the bottom, as everywhere.
    grey = to_pixels(asinh_scale(np.nan_to_num(image.flux[0, ::-1]) / noise, top))
    return np.repeat(grey[..., None], 3, axis=-1)

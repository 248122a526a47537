"""Filling pixels without data, so that a filter does not spread their absence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.sky.background import robust_background
from pellucid.sky.image import SkyImage

#: Widths of the Gaussian windows, in pixels, tried from the narrowest.
_WINDOWS = (1.0, 2.0, 4.0, 8.0)
#: Least share of a window that must hold data for its mean to be believed.
_SUPPORT = 0.1


def whole(image: SkyImage) -> SkyImage:
    """The image with its holes filled; its mask holds them, so that no noise is measured there."""
    holes = image.holes
    return image.with_flux(filled(image.flux, holes), mask=holes) if holes.any() else image


def filled(
    flux: NDArray[np.floating], mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Replace pixels without data by the mean of their surroundings; the others stay as they are.

    The mean is a normalised convolution, G∗(f·w) / G∗w with w = 1 on data and a Gaussian G, in
    the narrowest of a few windows that reaches enough data; further away the band's sky level is
    taken, and 0 in a band without data.

    Parameters
    ----------
    flux
        Shape (band, y, x), any unit.
    mask
        Same shape; True marks a bad pixel. Pixels that are not finite are bad without it.

    References
    ----------
    Knutsson & Westin 1993, Proc. CVPR, 515, doi:10.1109/CVPR.1993.341081
    """
    flux = np.asarray(flux, dtype=np.float32)
    holes = ~np.isfinite(flux)
    if mask is not None:
        holes |= mask
    if not holes.any():
        return flux
    result = flux.copy()
    sky = robust_background(np.where(holes, np.float32(np.nan), flux)).sky
    for plane, bad, level in zip(result, holes, sky, strict=True):
        if bad.any():
            _fill(plane, bad, float(level))
    return result


def _fill(plane: NDArray[np.float32], bad: NDArray[np.bool_], level: float) -> None:
    from scipy.ndimage import gaussian_filter

    # About the sky, so that the zeros put in the holes are small numbers beside the data.
    excess = np.where(bad, np.float32(0.0), plane - np.float32(level))
    weight = (~bad).astype(np.float32)
    plane[bad] = level
    empty = bad.copy()
    for window in _WINDOWS:
        if not empty.any():
            break
        share = gaussian_filter(weight, window)
        reached = empty & (share > _SUPPORT)
        plane[reached] += gaussian_filter(excess, window)[reached] / share[reached]
        empty &= ~reached

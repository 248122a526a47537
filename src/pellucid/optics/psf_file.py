"""Point spread functions from FITS."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError, refusal
from pellucid.fits import open_fits, scale_card
from pellucid.sky.image import pixel_scale_of
from pellucid.sky.psf import PSF


def read_psf(path: str | os.PathLike[str], default_scale: float | None = None) -> PSF:
    """Read a PSF: the first extension with PSF in its name, or else the first image.

    A stamp of even sides whose peak lies beside the middle loses the outer row or column that
    puts the peak into the centre.

    Parameters
    ----------
    path
        FITS with a stamp (y, x) or one stamp a band (band, y, x).
    default_scale
        Arcsec per pixel where the file says nothing, e.g. that of the image it belongs to.
    """
    with open_fits(path) as file:
        images = [hdu for hdu in file.hdus if hdu.is_plane_or_cube]
        if not images:
            raise file.refuse("holds no PSF stamp", "a PSF has (y, x) or (band, y, x)")
        hdu = next((hdu for hdu in images if "PSF" in hdu.name), images[0])
        values = file.pixels(hdu).astype(np.float64)
        stamps = values.reshape(-1, *values.shape[-2:])
        wcs = file.wcs(hdu)
    stated = pixel_scale_of(wcs) if wcs is not None else scale_card(hdu.header)
    if not (pixel_scale := stated or default_scale):
        advice = "state --pixel-scale, or add a PIXSCALE card"
        raise refusal(path, "the PSF has no pixel scale", advice)
    try:
        return PSF(_odd(stamps).astype(np.float32), pixel_scale)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _odd(stamps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut even sides to odd ones around the peak, where it is one of the two middle pixels."""
    total = np.nan_to_num(stamps).sum(axis=0)
    peaks = np.unravel_index(int(total.argmax()), total.shape)
    for axis, (side, peak) in enumerate(zip(total.shape, peaks, strict=True), start=1):
        if side % 2 == 0 and peak - side // 2 in (0, -1):
            stamps = np.delete(stamps, 0 if peak == side // 2 else -1, axis=axis)
    return stamps

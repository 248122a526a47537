"""What a restoration leaves of its image: the image less the restoration, blurred again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.optics import blur_between, blur_of, convolve, regrid, resampled_psf
from pellucid.restoration.totals import bright_light, of_another_band
from pellucid.sky import PSF, SkyImage, background_of, gaussian_psf
from pellucid.sky.inpaint import filled
from pellucid.view.history import history_lines
from pellucid.view.words import number_of

Stated = PSF | float | None


def residual_of(
    image: SkyImage, restored: SkyImage, blur: PSF
) -> tuple[NDArray[np.float32] | None, str]:
    """The residual in the pixels and the unit of ``image``, and a note where there is none.

    Parameters
    ----------
    image
        What was restored, of the same bands.
    restored
        Maybe in finer pixels, its pixel scale known.
    blur
        What was undone, in the pixels of ``restored``.
    """
    stamps = blur.for_bands(len(restored.bands))
    again = restored.with_flux(convolve(filled(restored.flux), stamps, "reflect"))
    if again.shape[1:] != image.shape[1:]:
        assert restored.pixel_scale is not None
        ratio = np.sqrt(np.prod(restored.shape[1:]) / np.prod(image.shape[1:]))
        plain = replace(again, psf=None, wcs=None, variance=None, mask=None, layout=None)
        again = regrid(plain, restored.pixel_scale * float(ratio))
        if again.shape[1:] != image.shape[1:]:
            return None, "no residual: the restoration shows another part of the sky"
    if of_another_band(*bright_light(image.flux, again.flux, background_of(image))):
        return None, "no residual: the restoration has the flux of another band, or unit"
    left = image.flux - again.flux
    left[image.holes] = np.nan
    return left, ""


def undone(
    image: SkyImage, restored: SkyImage, blur: Stated, psf: Stated
) -> tuple[PSF | None, str]:
    """The blur that was undone, in pixels of the restoration, and a note of what was guessed.

    It is stated, or lies between what stars look like before and after; else it is the Gaussian
    whose width the header tells.
    """
    scale = restored.pixel_scale
    if scale is None:
        return None, "no residual: the size of a pixel is not known"
    lines = history_lines(restored.header)
    try:
        known = blur_of(image, blur) if blur is not None else blur_of(image, psf=psf)
        if known is not None and (blur is not None or not number_of(restored, "PLCTARG")):
            width = number_of(restored, "PLCFWHM")  # a model's own, where the psf only chose it
            if blur is None and width and any("sha256" in line for line in lines):
                return gaussian_psf(width, scale), ""
            return _in_pixels(known, scale), ""
        if known is not None and restored.psf is not None:
            return blur_between(_in_pixels(known, scale), restored.psf), ""
    except InputError as error:
        reason = str(error)
    else:
        place = "image" if known is None else "result"
        reason = f"what a star looks like in the {place} is not known"
    width = number_of(restored, "PLCBLUR") or number_of(restored, "PLCFWHM")
    if not width:
        return None, f"no residual: {reason}"
    note = f'the residual is of a Gaussian blur of {width:.3g}": {reason}'
    return gaussian_psf(width, scale), note


def _in_pixels(psf: PSF, scale: float) -> PSF:
    return psf if abs(psf.pixel_scale / scale - 1) < 1e-3 else resampled_psf(psf, scale)

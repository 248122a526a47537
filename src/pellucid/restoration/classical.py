"""Deconvolution as a restorer."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.deconvolution import METHODS
from pellucid.errors import InputError
from pellucid.optics.inpaint import filled
from pellucid.restoration.result import (
    SCALE_TOLERANCE,
    Restoration,
    bad_pixels,
    with_restored,
)
from pellucid.sky import PSF, gaussian_psf
from pellucid.sky.image import SkyImage


@dataclass(frozen=True)
class ClassicalRestorer:
    """Deconvolution with a known (for ``blind``: a first guess of the) PSF.

    Parameters
    ----------
    method
        A name in `pellucid.deconvolution.METHODS`.
    """

    method: str

    @property
    def name(self) -> str:
        return self.method

    def __call__(self, image: SkyImage, psf: PSF | float | None = None) -> Restoration:
        """Restore ``image`` blurred by ``psf`` (FWHM in arcsec or a PSF; None takes the image's).

        Raises
        ------
        InputError
            When no PSF is known, or its pixels are not the image's.
        """
        psf = _psf_for(image, psf)
        bad = bad_pixels(image)
        restored = METHODS[self.method](
            filled(image.flux, bad) if bad.any() else image.flux, psf.for_bands(len(image.flux))
        )
        return Restoration(
            with_restored(image, restored, bad),
            provenance={"method": self.method, "psf_fwhm": round(psf.fwhm, 4), "notes": []},
        )


def _psf_for(image: SkyImage, psf: PSF | float | None) -> PSF:
    known = image.psf if psf is None else psf
    if known is None:
        raise InputError(
            "a classical method needs the PSF: --psf FWHM_ARCSEC or --psf PSF.fits, "
            "from Python restorer(image, psf=FWHM_ARCSEC), for pairs of two telescopes "
            "`pellucid pairs-observed --blurred-psf`"
        )
    if isinstance(known, PSF):
        if image.pixel_scale and abs(known.pixel_scale / image.pixel_scale - 1) > SCALE_TOLERANCE:
            raise InputError(
                f'the PSF has {known.pixel_scale:.4g}" pixels, the image {image.pixel_scale:.4g}"'
            )
        return known
    if image.pixel_scale is None:
        raise InputError("the image has no pixel scale; --pixel-scale states it")
    return gaussian_psf(float(known), image.pixel_scale)

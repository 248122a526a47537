"""Deconvolution as a restorer."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.deconvolution import METHODS
from pellucid.errors import InputError
from pellucid.optics import blur_of
from pellucid.optics.inpaint import filled
from pellucid.restoration.result import Restoration, with_restored
from pellucid.sky import PSF, SkyImage


@dataclass(frozen=True)
class ClassicalRestorer:
    """Deconvolution with a known (for ``blind``: a first guess of the) blur.

    Parameters
    ----------
    method
        A name in `pellucid.deconvolution.METHODS`.
    constant
        What the method is tuned by: the iterations of Richardson–Lucy, the noise over signal of
        Wiener. None lets the method choose from the image.
    """

    method: str
    constant: float | None = None

    @property
    def name(self) -> str:
        return self.method

    def __call__(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Restoration:
        """Restore ``image``, undoing its blur; see `Restorer`."""
        kernel = blur_of(image, blur, psf, target)
        if kernel is None:
            raise InputError(
                "a classical method needs the PSF: --psf FWHM_ARCSEC or --psf PSF.fits, from "
                "Python psf=…, for pairs of two telescopes `pairs-observed --blurred-psf`"
            )
        flux = filled(image.flux, image.mask)
        restored = METHODS[self.method](flux, kernel.for_bands(len(flux)), self.constant)
        return Restoration(
            with_restored(image, restored),
            provenance={"method": self.method, "psf_fwhm": round(kernel.fwhm, 4), "notes": []},
        )

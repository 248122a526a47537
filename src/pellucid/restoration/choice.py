"""Which shipped model fits an image that comes without the name of one."""

from __future__ import annotations

from pellucid.errors import InputError
from pellucid.networks.bundle import shipped
from pellucid.sky import SkyImage

#: Takes any image whose blur is known.
ANY = "pellucid"
#: FWHM and noise stand in its card; images of this size of pixel and these bands.
SDSS_MODEL, SDSS_SCALE = "galaxygan-sdss", 0.396
HSC_MODEL, HSC_SCALE = "seeinggan-hsc-hst", 0.168
#: Pixel sizes that differ by less than this fraction are the same.
NEAR = 0.05


def fitting_model(image: SkyImage, blur_known: bool) -> tuple[str, str]:
    """The shipped model for an image, and why.

    Parameters
    ----------
    image
        With what its header says.
    blur_known
        Whether its psf or its blur is stated, or stands in the image.

    Raises
    ------
    InputError
        When none fits; the text says what would help.
    """
    if blur_known and ANY in shipped():
        return ANY, "it is told what a star looks like"
    bands = {band.lower().removeprefix("sdss_").removeprefix("sdss ") for band in image.bands}
    gri = bands == {"g", "r", "i"} or len(bands) == 1
    if _near(image, SDSS_SCALE) and gri:
        return SDSS_MODEL, "pixels as SDSS's, and no psf is known"
    if _near(image, HSC_SCALE) and len(bands) == 1 and bands <= {"i", "i2", "hsc_i", "hsc-i"}:
        return HSC_MODEL, "HSC's i band and pixels, and no psf is known"
    raise InputError(
        "without knowing what a star looks like in the image no shipped model fits it: --psf "
        "FWHM_ARCSEC or PSF.fits says it; or name a --model (pellucid models) or a --method"
    )


def _near(image: SkyImage, pixel_scale: float) -> bool:
    scale = image.pixel_scale
    return scale is not None and abs(scale / pixel_scale - 1.0) < NEAR

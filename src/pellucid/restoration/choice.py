"""Which shipped model fits an image that comes without the name of one."""

from __future__ import annotations

import re
from typing import NamedTuple

from pellucid.errors import InputError
from pellucid.networks.bundle import shipped
from pellucid.optics import known_psf, unknown_unit
from pellucid.restoration.suited import FAR
from pellucid.sky import PSF, SkyImage
from pellucid.sky.band_names import find_bands, short_name

#: Takes any image whose blur is known.
ANY = "pellucid"
#: Pixel sizes that differ by less than this fraction are the same.
NEAR = 0.05
#: Cards that say who took an image.
_CARDS = ("TELESCOP", "INSTRUME", "SURVEY", "ORIGIN", "DETECTOR")


class Trained(NamedTuple):
    """What a model was trained for.

    Parameters
    ----------
    bands
        Together, or each of them alone where ``alone``.
    alone
        Which bands it takes one at a time; None for any.
    pixel_scale
        Arcsec; the camera's, by which it is known.
    scales
        The pixels that it takes where the header names the camera.
    camera
        What the header calls telescope or camera.
    blur
        FWHM in arcsec of what it undoes.
    """

    bands: tuple[str, ...]
    alone: tuple[str, ...] | None
    pixel_scale: float
    scales: tuple[float, float]
    camera: str
    whose: str
    blur: tuple[float, float]


#: In the order in which they are tried.
MODELS = {
    "galaxygan-sdss": Trained(
        ("g", "r", "i"), None, 0.396, (0.376, 0.416), r"\b(SDSS|SLOAN)\b|2\.5M", "SDSS", (1.8, 1.8)
    ),
    "seeinggan-hsc-hst": Trained(
        ("i",), ("i",), 0.168, (0.03, 0.21), r"\b(HSC|HYPER SUPRIME.CAM)\b", "HSC", (0.55, 0.62)
    ),
}


def fitting_model(
    image: SkyImage, blur: PSF | float | None = None, psf: PSF | float | None = None
) -> tuple[str, str]:
    """The shipped model for an image, and why.

    Parameters
    ----------
    image
        With what its header says.
    blur, psf
        Where they are stated; otherwise what the image says of its psf counts.

    Raises
    ------
    InputError
        When none fits; the text names the nearest and what would help.
    """
    known = next((each for each in (blur, psf) if each is not None), None) or known_psf(image)
    if known is not None and ANY in shipped():
        return ANY, "it is told what a star looks like"
    fwhm = known.fwhm if isinstance(known, PSF) else known
    for name, trained in MODELS.items():
        reason = _reason(image, trained, fwhm)
        if reason and name in shipped():
            return name, reason
    raise InputError(_no_model(image, fwhm))


def _reason(image: SkyImage, trained: Trained, fwhm: float | None) -> str | None:
    """Why a model fits; None where it does not."""
    if image.pixel_scale is None or not _takes_bands(image, trained):
        return None
    named = re.search(trained.camera, _header_words(image))
    low, high = trained.scales
    if _near(image.pixel_scale, trained.pixel_scale):
        reason = f"pixels as {trained.whose}'s"
    elif named and low <= image.pixel_scale <= high:
        reason = f"an image of {trained.whose}'s, by its header"
    else:
        return None
    if fwhm is None:
        return f"{reason}, and no psf is known"
    if not trained.blur[0] / FAR <= fwhm <= trained.blur[1] * FAR:
        return None
    return f"{reason}, and a psf ({fwhm:.2f}\") that is not far from its training's"


def _takes_bands(image: SkyImage, trained: Trained) -> bool:
    if len(image.bands) == 1:
        return trained.alone is None or short_name(image.bands[0]) in trained.alone
    together = len(image.bands) == len(trained.bands)
    return together and find_bands(trained.bands, image.bands) is not None


def _no_model(image: SkyImage, fwhm: float | None) -> str:
    """In one line: what the image is, which model is nearest, what would work."""
    scale = image.pixel_scale
    bands = ",".join(image.bands)
    if scale is None:
        return (
            "the image has no pixel scale, so that no model can be chosen; --pixel-scale states it"
        )
    nearest = min(MODELS, key=lambda name: _distance(image, MODELS[name]))
    trained = MODELS[nearest]
    one = " or one band alone" if trained.alone is None else " alone"
    text = (
        f'no shipped model fits bands {bands} in pixels of {scale:.4g}" '
        f'(nearest: {nearest}, for {",".join(trained.bands)}{one} in {trained.pixel_scale:g}")'
    )
    if fwhm is not None:
        return f'{text}; --method wiener or richardson-lucy undoes the psf of {fwhm:.2f}"'
    reason = f" ({said})" if (said := unknown_unit(image)) else ""
    told = f"model {ANY} or " if ANY in shipped() else ""
    return (
        f"{text}; state what a star looks like{reason}: --psf FWHM_ARCSEC or PSF.fits or stars, "
        f"for {told}--method wiener or richardson-lucy"
    )


def _distance(image: SkyImage, trained: Trained) -> tuple[bool, float]:
    assert image.pixel_scale is not None
    ratio = image.pixel_scale / trained.pixel_scale
    return not _takes_bands(image, trained), max(ratio, 1.0 / ratio)


def _header_words(image: SkyImage) -> str:
    header = image.header
    return "" if header is None else " ".join(str(header.get(card, "")) for card in _CARDS).upper()


def _near(scale: float, other: float) -> bool:
    return abs(scale / other - 1.0) < NEAR

"""Which shipped model fits an image that comes without the name of one."""

from __future__ import annotations

import re

from pellucid.errors import InputError
from pellucid.networks.bundle import shipped
from pellucid.optics import known_psf
from pellucid.restoration.suited import ABOVE, BELOW, FAR
from pellucid.restoration.trained import MODELS, Trained, in_words
from pellucid.sky import PSF, SkyImage
from pellucid.sky.band_names import find_bands, short_name
from pellucid.sources import ENOUGH, psf_of_the_middle
from pellucid.sources.stated import ways_to_state

#: Takes any image whose blur is known.
ANY = "pellucid"
#: Pixel sizes that differ by less than this fraction are the same.
NEAR = 0.05
#: Cards that say who took an image.
_CARDS = ("TELESCOP", "INSTRUME", "SURVEY", "ORIGIN", "DETECTOR")


def fitting_model(
    image: SkyImage, blur: PSF | float | None = None, psf: PSF | float | None = None
) -> tuple[str, str]:
    """The shipped model for an image, and why.

    Parameters
    ----------
    image
        With what its header says.
    blur, psf
        Where they are stated; otherwise what the image says of its psf counts, or else how wide
        its stars are.

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
        reason = _reason(image, trained)
        if reason and name in shipped():
            if fwhm is None:
                return name, f"{reason}, and no psf is known{_of_stars(image, name)}"
            if _is_near(fwhm, trained):
                return (
                    name,
                    f"{reason}, and a psf ({fwhm:.2f}\") that is not far from its training's",
                )
    raise InputError(_no_model(image, fwhm))


def _of_stars(image: SkyImage, name: str) -> str:
    """What the width of an image's stars says of a model, where they show one.

    Raises
    ------
    InputError
        When it is far from what the model was trained on.
    """
    trained = MODELS[name]
    training = in_words(trained.psf)
    unknown = f"; its training had stars of {training}: where yours are sharper, state --psf"
    if image.header is None:  # the size of a picture's pixels is a guess
        return unknown
    try:
        stars = psf_of_the_middle(image)
    except InputError:  # it shows too few
        return unknown
    if min(map(len, stars.stars)) < ENOUGH:  # which may be none
        return unknown
    fwhm, (low, high) = stars.fwhm, trained.psf
    if low * BELOW <= fwhm <= high * ABOVE:
        return f' (its stars have {fwhm:.2f}")'
    way = f"--psf stars states what they look like, for model {ANY} or --method wiener"
    if _is_near(fwhm, trained):
        return f': its stars have {fwhm:.2f}", those of the training {training}; {way}'
    raise InputError(
        f'the image has stars of {fwhm:.2f}", model {name} was trained on stars of {training}; '
        f"{way}; --model {name} insists on it"
    )


def _is_near(fwhm: float, trained: Trained) -> bool:
    low, high = trained.psf
    return low / FAR <= fwhm <= high * FAR


def _reason(image: SkyImage, trained: Trained) -> str | None:
    """Why bands, pixels and header are those of a model; None where they are not."""
    if image.pixel_scale is None or not _takes_bands(image, trained):
        return None
    named = re.search(trained.camera, _header_words(image))
    low, high = trained.scales
    if _near(image.pixel_scale, trained.pixel_scale):
        return f"pixels as {trained.whose}'s"
    if named and low <= image.pixel_scale <= high:
        return f"an image of {trained.whose}'s, by its header"
    return None


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
    told = f"model {ANY} or " if ANY in shipped() else ""
    return (
        f"for {told}--method wiener or richardson-lucy state what a star looks "
        f"like{ways_to_state(image)}; {text}"
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

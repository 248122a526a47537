"""Whether an image is what a model was trained for: its bands, its pixels, its blur."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.errors import InputError
from pellucid.networks.bundle import Card
from pellucid.optics.blur import SCALE_TOLERANCE
from pellucid.restoration.trained import MODELS, in_words
from pellucid.sky import PSF
from pellucid.sky.band_names import find_bands
from pellucid.sky.image import SkyImage

#: A blur, or a psf, that leaves a model's range by these factors is noted.
BELOW, ABOVE = 0.8, 1.25
#: By this factor, it is refused.
FAR = 2.0
#: Pixels of which the model's are this many times finer, or coarser, are refused.
FAR_PIXELS = 8.0


def channels_of(bands: Sequence[str], card: Card) -> list[int]:
    """Which of an image's bands goes to each of the network's channels.

    Raises
    ------
    InputError
        When the model takes others.
    """
    unnamed = all(band.startswith("band") for band in bands)
    if len(bands) == len(card.bands):
        order = list(range(len(bands))) if unnamed else find_bands(card.bands, bands)
        if order is not None:
            return order
    if len(bands) == 1 and card.single_band:
        return [0] * len(card.bands)
    advice = "--bands names the image's bands"
    found = find_bands(card.bands, bands)
    if found is not None:
        advice = f"--bands {','.join(bands[k] for k in found)} chooses them"
    takes = ",".join(card.bands) + (" or one band alone" if card.single_band else "")
    raise InputError(
        f"the image has bands {','.join(bands)}; model {card.name} takes {takes} ({advice})"
    )


def scale_notes(image: SkyImage, card: Card, force: bool = False) -> list[str]:
    """What to know of an image's pixels under a model.

    Raises
    ------
    InputError
        When they are not known, or far from the model's and not by ``force``.
    """
    scale, own = image.pixel_scale, card.pixel_scale
    if card.scale_rule == "any":
        return []
    if scale is None:
        if card.scale_rule == "resampled":
            raise InputError("the image has no pixel scale; --pixel-scale states it")
        return [f"no pixel scale in the image; the model's {own:g}\" was assumed"]
    fixed = card.scale_rule == "fixed"
    near = scale_fits(image, card) if fixed else 1 / FAR_PIXELS <= scale / own <= FAR_PIXELS
    if near:
        return []
    text = f'the image has {scale:.4g}" pixels, model {card.name} takes {own:g}"'
    if not fixed:
        text += f" and up to {FAR_PIXELS:g} times coarser or finer ones"
    if not force:
        raise InputError(f"{text}; resample it, name another model, or --force it")
    return [f"{text}: it was forced, and nothing vouches for the result"]


def scale_fits(image: SkyImage, card: Card) -> bool:
    """Whether an image's pixels are the model's."""
    scale = image.pixel_scale
    return scale is None or abs(scale / card.pixel_scale - 1.0) <= SCALE_TOLERANCE


def blur_notes(blur: PSF | None, card: Card, force: bool = False) -> list[str]:
    """What to know of a blur, arcsec, under a model; 0 on its card where no blur was known.

    Raises
    ------
    InputError
        When it is far from what the model was trained on, and not by ``force``.
    """
    if blur is None or card.fwhm[1] == 0:
        return []
    text = f'a blur of {blur.fwhm:.2f}" is outside what the model was trained on'
    return _notes(f"{text} ({in_words(card.fwhm)})", blur.fwhm, card.fwhm, force)


def psf_notes(psf: PSF | None, card: Card, force: bool = False) -> list[str]:
    """The same of what a star looks like in an image, which its model's blur is a part of.

    Where nobody knows what one looked like in training, it was no narrower than that blur.
    """
    low, high = card.fwhm
    if high == 0:
        return []
    trained = MODELS.get(card.name)
    stars, said = (low, FAR * high), f"blurred by {in_words(card.fwhm)}"
    if trained is not None:
        stars, said = trained.psf, f"with stars of {in_words(trained.psf)}"
    if psf is None:
        return [f"the psf is not known (--psf): model {card.name} is made for images {said}"]
    text = f'a psf of {psf.fwhm:.2f}" is unlike that of the images in training ({said})'
    return _notes(text, psf.fwhm, stars, force)


def _notes(text: str, fwhm: float, trained: tuple[float, float], force: bool) -> list[str]:
    low, high = trained
    if BELOW * low <= fwhm <= ABOVE * high:
        return []
    if low / FAR <= fwhm <= FAR * high:
        return [text]
    if not force:
        raise InputError(
            f"{text}; --bands or --hdu names the band that it was trained for, --method wiener "
            "undoes any blur, --force insists on the model"
        )
    return [f"{text}: it was forced, and nothing vouches for the result"]

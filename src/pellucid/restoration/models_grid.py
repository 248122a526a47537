"""An image on the pixels that a model was trained on, and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pellucid.networks.bundle import Card
from pellucid.optics import regrid, resample, scaling
from pellucid.restoration.holes import finer, with_restored
from pellucid.restoration.suited import scale_fits
from pellucid.sky import Background, SkyImage, background_of
from pellucid.sky.image import per_pixel
from pellucid.sky.inpaint import filled

#: By so much an image's pixels may be off a whole number of the model's that lie along them.
EXACT = 1e-3


def on_the_models_grid(image: SkyImage, card: Card) -> SkyImage:
    """The image in the pixels that the model was trained on, where it takes others, too."""
    if card.scale_rule != "resampled" or scale_fits(image, card):
        return image
    assert image.pixel_scale is not None
    # Brought back to its own pixels, an image keeps its WCS, which may be one that does not scale.
    wcs = image.wcs if image.pixel_scale > card.pixel_scale else None
    given = regrid(replace(image, wcs=wcs, variance=None, mask=None, psf=None), card.pixel_scale)
    # A last row or column that hangs over the image's edge has no data of its own.
    return given.with_flux(filled(given.flux))


def brought_back(
    restored: NDArray[np.float32], image: SkyImage, whole: SkyImage, card: Card, notes: list[str]
) -> SkyImage:
    """What was restored in the model's pixels, in the image's own where these are the finer.

    Coarser ones could not hold it: there the image itself is brought to the model's pixels, its
    bad pixels with it. ``whole`` is the image with these filled.
    """
    assert image.pixel_scale is not None
    ratio = card.pixel_scale / image.pixel_scale
    if ratio < 1.0:
        notes.append(moved(image, card))
        area = ratio**2 if per_pixel(image.unit) else 1.0
        return with_restored(finer(image, regrid(whole, card.pixel_scale), area), restored)
    notes.append(f"{moved(image, card)} and back")
    grid = scaling(1.0 / ratio)
    flux = np.stack([resample(plane, grid, image.shape[1:]) for plane in restored])
    # Rounding may leave the outermost pixels without a partner; the total is kept all the same.
    flux = np.where(np.isfinite(flux), flux, whole.flux)
    change = (whole.flux - flux).mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    return with_restored(image, np.add(flux, change, dtype=np.float32), whole)


def moved(image: SkyImage, card: Card) -> str:
    """What is said of an image that was brought to a model's pixels."""
    own = f"the model's {card.pixel_scale:.4g}\" pixels"
    return f'the image was brought from {image.pixel_scale:.4g}" to {own}'


def background_on(given: SkyImage, whole: SkyImage) -> Background:
    """The sky of the image that is ``given``, from the ``whole`` image in its own pixels.

    Their noise is white; in finer pixels it is correlated and looks smaller than it is.
    """
    own = background_of(whole)
    area = 1.0
    if given.pixel_scale and whole.pixel_scale:
        area = (given.pixel_scale / whole.pixel_scale) ** 2
    return Background(np.float32(area) * own.sky, area * own.sigma)


def pixels_along(image: SkyImage, card: Card) -> int | None:
    """How many of a model's pixels lie along one of an image's; None where no whole number does."""
    if scale_fits(image, card):
        return 1
    assert image.pixel_scale is not None
    times = image.pixel_scale / card.pixel_scale
    whole_times = round(times)
    if card.scale_rule != "resampled" or whole_times < 2 or abs(times / whole_times - 1) > EXACT:
        return None
    return whole_times

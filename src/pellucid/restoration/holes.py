"""Pixels without data stay what they are, and the light about them stays where it was seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.sky.image import SkyImage
from pellucid.sky.nearest import nearest

#: Pixels from a hole from which light may have been carried into it.
REACH = 8


def with_restored(
    image: SkyImage, restored: NDArray[np.float32], complete: SkyImage | None = None
) -> SkyImage:
    """Masked pixels keep their input value, NaN stays NaN, and the rest of each band its total.

    Parameters
    ----------
    image
        As it was given, with its holes.
    restored
        Of the whole image, and with its total.
    complete
        The image with its holes filled. Without it no total is kept.
    """
    kept = image.holes
    if not kept.any():
        return image.with_flux(restored)
    flux = np.where(kept, image.flux, restored)
    if complete is not None:
        for after, before, plane, holes in zip(flux, complete.flux, restored, kept, strict=True):
            if holes.any() and not holes.all():
                _bring_back(after, before, plane, holes)
    return image.with_flux(flux)


def finer(image: SkyImage, work: SkyImage, area: float) -> SkyImage:
    """What an image holds on the finer grid of ``work``, with its holes and what they hold.

    Parameters
    ----------
    work
        The image with its holes filled, on that grid.
    area
        Of the flux of one of the image's pixels, what a finer one holds.
    """
    holes = image.holes
    if not holes.any():
        return replace(work, mask=None)
    there = nearest(holes, work.shape)
    flux = np.where(there, np.float32(area) * nearest(image.flux, work.shape), work.flux)
    mask = None if image.mask is None else nearest(image.mask, work.shape)
    return replace(work, flux=flux, mask=mask)


def _bring_back(
    after: NDArray[np.float32],
    before: NDArray[np.float32],
    restored: NDArray[np.float32],
    holes: NDArray[np.bool_],
) -> None:
    """Undo, about each hole, as much of what changed there as was carried into it or out of it.

    Nobody sees that light: a star's wings that went into its masked core would be lost, and what
    was guessed in a hole must not shine beside it.
    """
    from scipy import ndimage

    near = np.asarray(ndimage.maximum_filter(holes, size=2 * REACH + 1), dtype=bool)
    places = np.zeros(near.shape, dtype=np.int32)
    ndimage.label(near, output=places)

    def summed(values: NDArray[Any]) -> NDArray[Any]:
        return np.bincount(places.ravel(), values.ravel())

    change = restored.astype(np.float64) - before
    carried = summed(np.where(holes, change, 0.0))
    # Pixels that lost light get back what went into a hole; those that gained some pay for what
    # came out of one.
    sign = np.where(carried > 0, -1.0, 1.0)
    moved = np.where(holes | ~near, 0.0, np.maximum(sign[places] * change, 0.0))
    sums, about = summed(moved), summed(near & ~holes)
    share = np.divide(carried, sums, out=np.zeros_like(sums), where=sums > 0)
    level = np.where(sums > 0, 0.0, carried / np.maximum(about, 1.0))
    after += np.where(near & ~holes, share[places] * moved + level[places], 0.0).astype(np.float32)

"""A PSF that varies over an image: each piece of it is restored with its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from pellucid.restoration.places import Place
from pellucid.sky import PSF, SkyImage

#: What a star looks like at a place (y, x), pixels.
Elsewhere = Callable[[float, float], PSF]

#: A PSF that varies counts as one over so many pixels along a side.
CONSTANT = 512


def varying(image: SkyImage, blur: PSF | float | None, psf: PSF | float | None) -> Elsewhere | None:
    """What a star looks like at a place of an image where that varies; None where it does not."""
    if blur is not None:
        return None
    known = image.psf if psf is None else psf
    return known.elsewhere if isinstance(known, PSF) else None


def middle_of_core(place: Place) -> tuple[float, float]:
    """The place (y, x) in the middle of a piece."""
    y, x = (0.5 * (core.start + core.stop - 1) for core in place.core)
    return y, x


def corners(shape: tuple[int, ...]) -> list[tuple[float, float]]:
    """The places (y, x) at the corners of an image of a shape (band, y, x)."""
    height, width = (side - 1.0 for side in shape[1:])
    return list(product((0.0, height), (0.0, width)))


def variation(elsewhere: Elsewhere | None, shape: tuple[int, ...]) -> list[str]:
    """What to know of a PSF that varies over an image of a shape (band, y, x)."""
    if elsewhere is None:
        return []
    middle = 0.5 * (shape[1] - 1), 0.5 * (shape[2] - 1)
    widths = [elsewhere(*place).fwhm for place in (middle, *corners(shape))]
    return [
        f'the PSF varies over the image (FWHM {min(widths):.3g}" to {max(widths):.3g}"): each part '
        "was restored with its own"
    ]

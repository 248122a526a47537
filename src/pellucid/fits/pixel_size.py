"""How large an image's pixels are on the sky, by its WCS or its cards, and whether squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pellucid.errors import refusal
from pellucid.fits.coordinates import Scale, stated_scale
from pellucid.sky.image import pixel_scale_of

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

#: Pixel sizes that differ by less than this fraction are the same.
SAME = 0.01
#: A pixel longer than broad by this fraction is none that a PSF in arcsec can be put on. (That of
#: a camera whose distortion was not yet taken out, such as HST's, is up to 0.13 longer.)
LONG = 0.25


def pixel_size(
    wcs: WCS | None, headers: Sequence[Header], stated: float | None, where: str
) -> tuple[float | None, list[str]]:
    """Arcsec a pixel where the WCS does not say it, or others did; and what to know of it.

    Parameters
    ----------
    wcs
        Of the image.
    headers
        Of its bands; the first with a card of it counts.
    stated
        What a user says, which wins.
    where
        The files' names, for an error.

    Raises
    ------
    InputError
        When the pixels are far from squares, and nothing is stated.
    """
    notes = []
    told = _of_wcs(wcs) if wcs is not None else next(filter(None, map(stated_scale, headers)), None)
    if told is None:
        return stated, []
    long, short = told.sides
    if long > short * (1.0 + SAME):
        shape = f'pixels are no squares ({long:.4g}" × {short:.4g}")'
        if long > short * (1.0 + LONG) and stated is None:
            advice = "reproject it onto squares, such as with the Python package reproject"
            fault = f"its {shape}, and a PSF is one of squares"
            raise refusal(where, fault, f"{advice}; --pixel-scale ARCSEC insists on a size")
        size = f'{told.arcsec:.4g}" is the side of a square of their area'
        notes.append(f"its {shape}: {size}, and a FWHM in arcsec is not quite that of both axes")
    if stated is not None:
        if abs(stated / told.arcsec - 1.0) > SAME:
            used = f'pixels of {stated:.4g}" were stated and are used'
            notes.append(f'{used}, though the {told.source} says {told.arcsec:.4g}"')
        return stated, notes
    if told.guessed:
        notes.append(f"{told.arcsec:.4g} arcsec a pixel was taken from {told.source}")
    return (told.arcsec if wcs is None else None), notes


def _of_wcs(wcs: WCS) -> Scale:
    sides = np.linalg.svd(wcs.celestial.pixel_scale_matrix, compute_uv=False) * 3600.0
    return Scale(pixel_scale_of(wcs), "WCS", sides=(float(sides[0]), float(sides[1])))

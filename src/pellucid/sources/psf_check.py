"""Whether a PSF that somebody states is that of an image's stars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.sky.image import SkyImage
from pellucid.sky.psf import PSF, pick_bands
from pellucid.sources.star_psf import ENOUGH, MOST
from pellucid.sources.stars import Candidates, candidates, fitted_gaussian, stellar_locus

#: FWHM that differ by more than this, and shares of light in the wings by more than that, are told.
WIDTH, WINGS = 0.1, 0.08
#: Sides of the window in the middle of a large frame in which stars are looked for.
WINDOW = 1024


def psf_misfits(image: SkyImage, psf: PSF) -> list[str]:
    """What is wrong with a PSF in an image's pixels, judged by the stars; nothing without stars."""
    stamps = pick_bands(psf, image.bands).for_bands(len(image.flux))
    masks = [None] * len(image.flux) if image.mask is None else list(image.mask)
    rows, columns = (
        slice(max(0, side // 2 - WINDOW // 2), side // 2 + WINDOW // 2) for side in image.shape[1:]
    )
    notes = []
    for band, plane, mask, stamp in zip(image.bands, image.flux, masks, stamps, strict=True):
        near = None if mask is None else mask[rows, columns]
        found = candidates(plane[rows, columns], near)
        stars = stellar_locus(found)[:MOST]
        if len(stars) < ENOUGH:
            continue
        middle = stamp.shape[0] // 2, stamp.shape[1] // 2
        place, fwhm = (middle, fitted_gaussian(stamp.astype(np.float64), *middle)[2])
        own = float(np.median(found.fwhm[stars]))
        if not np.isfinite(fwhm) or abs(fwhm / own - 1.0) > WIDTH:
            notes.append(
                f"the PSF of band {band} has a core of {fwhm:.1f} pixels, {len(stars)} stars of "
                f"the image {own:.1f}: is it of this image?"
            )
            continue
        seen = float(np.median([_wings(found.plane, found, k, own) for k in stars]))
        said = _wing_share(stamp.astype(np.float64), place, own)
        if abs(said - seen) > WINGS:
            notes.append(
                f"the PSF of band {band} has {said:.0%} of its light in its wings, {len(stars)} "
                f"stars of the image {seen:.0%}"
            )
    return notes


def _wings(plane: NDArray[np.float64], found: Candidates, star: int, fwhm: float) -> float:
    own = (found.others == 0) | (found.others == found.label[star])
    reach = int(np.ceil(3.0 * fwhm))
    y, x = round(float(found.y[star])), round(float(found.x[star]))
    rows, columns = slice(max(0, y - reach), y + reach + 1), slice(max(0, x - reach), x + reach + 1)
    cut = np.where(own[rows, columns], np.nan_to_num(plane[rows, columns]), 0.0)
    return _wing_share(cut, (found.y[star] - rows.start, found.x[star] - columns.start), fwhm)


def _wing_share(plane: NDArray[np.float64], place: tuple[float, float], fwhm: float) -> float:
    """Of the light within 2.5 FWHM, what lies outside one FWHM."""
    y, x = np.indices(plane.shape)
    radius = np.hypot(y - place[0], x - place[1]) / fwhm
    whole = float(plane[radius < 2.5].sum())
    return float(plane[(radius >= 1.0) & (radius < 2.5)].sum()) / whole if whole > 0 else np.nan

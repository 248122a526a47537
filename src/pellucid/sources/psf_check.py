"""Whether a PSF that somebody states is that of an image's stars."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.sky.band_names import band_in_words
from pellucid.sky.image import SkyImage
from pellucid.sky.psf import PSF, pick_bands, stamp_fwhm
from pellucid.sources.star_psf import ENOUGH, MOST, middle_of
from pellucid.sources.stars import SHARP, Candidates, candidates, fitted_gaussian, stellar_locus

#: FWHM that differ by more than this, and shares of light in the wings by more than that, are told.
WIDTH, WINGS = 0.1, 0.08
#: A FWHM in words is that of a profile that nobody named: a factor by which it may differ.
STATED = 1.3
#: And one by which it is not of this image, where its stars are wider than a cosmic ray, in pixels.
ABSURD = 3.0
#: What `stamp_fwhm` finds of a Gaussian of one pixel, and of all that are narrower.
NARROW = 1.25
#: Sides of the window in the middle of a large frame in which stars are looked for, to judge a
#: stamp and a number.
WINDOW, SMALL_WINDOW = 1024, 512


def psf_misfits(image: SkyImage, psf: PSF, force: bool = True) -> list[str]:
    """What is wrong with a PSF in an image's pixels, judged by the stars; nothing without stars.

    Raises
    ------
    InputError
        When it cannot be that of any, and not by ``force``.
    """
    stamps = pick_bands(psf, image.bands).for_bands(len(image.flux))
    notes = []
    for band, found, stars in _stars(image, WINDOW):
        stamp, name = stamps[band].astype(np.float64), band_in_words(image.bands[band])
        middle = stamp.shape[0] // 2, stamp.shape[1] // 2
        own, fwhm = float(np.median(found.fwhm[stars])), fitted_gaussian(stamp, *middle)[2]
        if not np.isfinite(fwhm) or abs(fwhm / own - 1.0) > WIDTH:
            said = (
                f"the PSF of {name} has a core of {_core(stamp, fwhm)}, "
                f"{len(stars)} stars of the image {own:.1f}"
            )
            core = fwhm if np.isfinite(fwhm) else stamp_fwhm(stamp)
            if own > SHARP and not 1.0 / ABSURD < core / own < ABSURD and not force:
                raise InputError(f"{said}; state one of this image, or stars; --force insists")
            notes.append(f"{said}: is it of this image?")
            continue
        seen = float(np.median([_wings(found.plane, found, k, own) for k in stars]))
        said = _wing_share(stamp, middle, own)
        if abs(said - seen) > WINGS:
            notes.append(
                f"the PSF of {name} has {said:.0%} of its light in its wings, "
                f"{len(stars)} stars of the image {seen:.0%}"
            )
    return notes


def fwhm_misfits(image: SkyImage, fwhm: float, force: bool = True) -> list[str]:
    """Whether a FWHM that somebody states, in arcsec, is far from that of an image's stars.

    Raises
    ------
    InputError
        When it cannot be that of any, and not by ``force``.
    """
    scale = image.pixel_scale
    if scale is None:
        return []
    unlike, absurd = [], False
    for band, found, stars in _stars(image, SMALL_WINDOW):
        own = float(np.median(found.fwhm[stars])) * scale
        if not 1.0 / STATED < fwhm / own < STATED:
            unlike.append(f'{own:.2f}" in {band_in_words(image.bands[band])} ({len(stars)} stars)')
            wrong = not 1.0 / ABSURD < fwhm / own < ABSURD
            absurd |= wrong and own > SHARP * scale
    if not unlike:
        return []
    what = f'a psf of {fwhm:g}" is {fwhm / scale:.1f} pixels wide'
    said = f"{what}, the Gaussians that fit stars of the image have {', '.join(unlike)}"
    if absurd and not force:
        raise InputError(
            f"{said}; state the FWHM in arcsec, or --psf stars; --force insists on this one"
        )
    return [f"{said}: is it the FWHM in arcsec, and of this image?"]


def _stars(image: SkyImage, side: int) -> Iterator[tuple[int, Candidates, NDArray[np.int64]]]:
    """Each band that shows enough stars in the middle of the frame, what it shows, and which."""
    middle = middle_of(image, side)
    for band, plane in enumerate(middle.flux):
        found = candidates(plane, None if middle.mask is None else middle.mask[band])
        stars = stellar_locus(found)[:MOST]
        if len(stars) >= ENOUGH:
            yield band, found, stars


def _core(stamp: NDArray[np.float64], fwhm: float) -> str:
    """The width of a stamp's core; no Gaussian fits what is about as narrow as a pixel."""
    width = fwhm if np.isfinite(fwhm) else stamp_fwhm(stamp)
    return f"{width:.1f} pixels" if width > NARROW else "a pixel or less"


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

"""The PSF of an image from its own stars."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.sky.band_names import band_in_words
from pellucid.sky.image import SkyImage
from pellucid.sky.psf import PSF, stamp_fwhm
from pellucid.sources.effective import Stars, effective_psf
from pellucid.sources.stars import Candidates, candidates, stellar_locus

#: Stars of one size from which on no galaxy is likely to pass for one; of the brightest so many
#: the PSF is made.
ENOUGH, MOST = 3, 50
#: Fewer stars have to show by themselves that they are stars: least peak over noise.
SURE = 100.0
#: FWHM of few stars differ by this factor at most.
ALIKE = 1.03
#: Largest half-light radius over FWHM of few and of many stars. Gaussian 0.50, seeing 0.58 to 0.74,
#: an exponential disc 1.2; telescopes in space have wide halos.
COMPACT = (0.78, 0.9)
#: Where the stamp ends, in FWHM, and least half-side in pixels.
REACH, LEAST = 5.0, 7
#: (FWHM in pixels, stars): below that FWHM, and with so many stars, knots of the surface a pixel.
OVERSAMPLING = ((3.0, 8, 2), (1.8, 25, 3))
#: Rings of a stamp with less than so many standard deviations of light are made round.
FAINT = 3.0
#: FWHM that differ by this over the frame are worth a note.
VARIES = 0.05
#: Sides of the window in the middle of a large frame in which stars are looked for unasked, and of
#: the one that is tried where it shows too few.
WINDOWS = (1024, 2048)


@dataclass(frozen=True, eq=False)
class StarPSF(PSF):
    """A PSF with the stars that it was made of.

    Parameters
    ----------
    stars
        Of each band the places (y, x) in pixels, shape (star, 2).
    """

    stars: tuple[NDArray[np.float64], ...] = ()


def psf_from_stars(image: SkyImage) -> StarPSF:
    """What a star looks like in an image, a band each, from its stars.

    They are the sources of the sharpest size that several share, without what is saturated,
    blended, masked, elongated or at the edge; the PSF is the smooth surface through all their
    pixels (see `pellucid.sources.effective`), sampled at the image's pixels.

    Parameters
    ----------
    image
        With its pixel scale known.

    Returns
    -------
    StarPSF
        ``fwhm`` in arcsec; ``stars`` says which; ``notes`` what to know.

    Raises
    ------
    InputError
        When a band shows too few stars.
    """
    if image.pixel_scale is None:
        raise InputError("the image has no pixel scale; --pixel-scale states it")
    masks = [None] * len(image.flux) if image.mask is None else list(image.mask)
    limit = _saturation(image)
    notes: list[str] = []
    called = [band_in_words(name) for name in image.bands]
    picked = []
    for name, plane, mask in zip(called, image.flux, masks, strict=True):
        found = candidates(plane, mask, limit)
        picked.append((found, _stars(found, name, notes)))
    widest = max(float(np.median(found.fwhm[on])) for found, on in picked)
    side = min(image.shape[1:])
    radius = int(np.clip(np.ceil(REACH * widest), LEAST, max(LEAST, side // 2)))
    stamps, places = [], []
    for name, (found, on) in zip(called, picked, strict=True):
        stars = _surroundings(found, on, radius)
        surface, kept = effective_psf(stars, _oversampling(found.fwhm[on]))
        stamp = _clean(surface.stamp(radius), stars, on[kept], found)
        _check_compact(stamp, name, len(on))
        stamps.append(stamp)
        places.append(np.stack([found.y[on], found.x[on]], axis=1)[kept])
        _note_variation(found, on[kept], name, notes)
    counts = sorted({len(place) for place in places})
    several = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    return StarPSF(
        np.stack(stamps),
        image.pixel_scale,
        bands=image.bands,
        origin=f"{several} star{'s' * (counts[-1] > 1)} of the image",
        notes=tuple(notes),
        stars=tuple(places),
    )


def psf_of_the_middle(image: SkyImage) -> StarPSF:
    """What `psf_from_stars` finds, in much less time, in the middle of a large frame."""
    small, large = (middle_of(image, side) for side in WINDOWS)
    try:
        return psf_from_stars(small)
    except InputError:
        if small.shape == large.shape:
            raise
    return psf_from_stars(large)


def middle_of(image: SkyImage, side: int) -> SkyImage:
    """The square of so many pixels, or what there is of it; where it lies on the sky is dropped."""
    starts = [max(0, whole // 2 - side // 2) for whole in image.shape[1:]]
    sides = [min(whole, side) for whole in image.shape[1:]]
    return replace(image, wcs=None).cutout(starts[0], starts[1], sides[0], sides[1])


def _stars(found: Candidates, band: str, notes: list[str]) -> NDArray[np.int64]:
    """The stars of a band: several of one size, or few of which each is one beyond doubt."""
    on = stellar_locus(found)[:MOST]
    if len(on) >= ENOUGH:
        return on
    sure = on[found.peak[on] > SURE * found.noise]
    if not len(sure):
        raise _too_few(band, len(on))
    # The sharper of two may be a star and the other a galaxy with a bright core.
    sure = sure[found.fwhm[sure] < ALIKE * found.fwhm[sure].min()]
    count = "one star" if len(sure) == 1 else f"{len(sure)} stars"
    notes.append(f"the PSF of {band} is that of {count}; a galaxy's bright core may look alike")
    return sure


def _too_few(band: str, count: int) -> InputError:
    what = {0: "no star", 1: "one possible star"}.get(count, f"{count} possible stars")
    return InputError(
        f"{band} shows {what} bright, alone and unsaturated enough, and {ENOUGH} are needed; "
        "take a wider cutout or other --bands, or restore with --psf FWHM_ARCSEC or PSF.fits"
    )


def _check_compact(stamp: NDArray[np.float64], band: str, count: int) -> None:
    """Refuse what has a galaxy's profile: wide for its core."""
    y, x = np.indices(stamp.shape) - stamp.shape[0] // 2
    radius = np.hypot(y, x).ravel()
    order = np.argsort(radius)
    inside = np.cumsum(np.clip(stamp, 0.0, None).ravel()[order])
    half = float(np.interp(0.5 * inside[-1], inside, radius[order]))
    if half > COMPACT[count >= ENOUGH] * stamp_fwhm(stamp):
        raise InputError(
            f"the sharpest sources of {band} ({count}) have the profile of galaxies, not of stars; "
            "take a wider cutout or other --bands, or restore with --psf FWHM_ARCSEC or PSF.fits"
        )


def _oversampling(fwhm: NDArray[np.floating]) -> int:
    """Knots a pixel: more where stars are sharp, and many enough to fill them."""
    fits = [
        knots
        for sharp, count, knots in OVERSAMPLING
        if np.median(fwhm) < sharp and len(fwhm) >= count
    ]
    return max(fits, default=1)


def _saturation(image: SkyImage) -> float:
    """Flux from which on the header says that a pixel is saturated."""
    value = None if image.header is None else image.header.get("SATURATE")
    return float(value) * 0.9 if isinstance(value, (int, float)) and value > 0 else np.inf


def _surroundings(found: Candidates, on: NDArray[np.int64], radius: int) -> Stars:
    """The pixels around each star without those of others."""
    padded = np.pad(found.plane, radius, constant_values=np.nan)
    owners = np.pad(found.others, radius)
    flux, offset = [], []
    for k in on:
        y, x = round(float(found.y[k])), round(float(found.x[k]))
        window = slice(y, y + 2 * radius + 1), slice(x, x + 2 * radius + 1)
        own = (owners[window] == 0) | (owners[window] == found.label[k])
        flux.append(np.where(own, padded[window], np.nan))
        offset.append((found.y[k] - y, found.x[k] - x))
    return Stars(np.stack(flux), np.array(offset), found.noise)


def _clean(
    stamp: NDArray[np.float64], stars: Stars, on: NDArray[np.int64], found: Candidates
) -> NDArray[np.float64]:
    """The stamp with its wings round and falling from where noise or neighbours outshine them."""
    noise = stars.noise / np.sqrt((found.flux[on] ** 2).sum())
    y, x = np.indices(stamp.shape) - stamp.shape[0] // 2
    radius = np.hypot(y, x)
    ring = np.rint(radius).astype(int)
    rings = [ring == k for k in range(int(ring.max()) + 1)]
    radii, means = (np.array([plane[where].mean() for where in rings]) for plane in (radius, stamp))
    # The spikes of a telescope are few of a ring's pixels: they are neither noise nor cut.
    uneven = stamp - np.interp(radius, radii, means)
    low, high = np.array([np.percentile(uneven[where], (16.0, 84.0)) for where in rings]).T
    faint = np.flatnonzero(means < FAINT * np.maximum(noise, 0.5 * (high - low)))
    if not len(faint):
        return stamp
    falling = np.minimum.accumulate(np.clip(means, 0.0, None))
    return np.where(ring >= faint[0], np.interp(radius, radii, falling), stamp)


def _note_variation(found: Candidates, on: NDArray[np.int64], band: str, notes: list[str]) -> None:
    """Say where a plane through the stars' FWHM is not level."""
    if len(on) < 3 * ENOUGH:
        return
    height, width = found.plane.shape
    place = np.stack([found.y[on] / height - 0.5, found.x[on] / width - 0.5], axis=1)
    slope = np.linalg.lstsq(np.column_stack([place, np.ones(len(on))]), found.fwhm[on], rcond=None)[
        0
    ]
    change = float(np.abs(slope[:2]).sum() / slope[2])
    if change > VARIES:
        notes.append(
            f"the FWHM of {band} changes by {change:.0%} over the frame; the PSF is its mean"
        )

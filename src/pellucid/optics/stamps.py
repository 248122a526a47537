"""PSF stamps as they come, brought to an image's pixels with their centre in the middle one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.optics.resampling import block_mean
from pellucid.sky.psf import FWHM_PER_SIGMA, stamp_fwhm

#: A centre that is so near to the middle of a pixel stays where it is, in pixels.
CENTRED = 0.05
#: How far a PSF's centre may be from its stamp's: a share of the side, or so many pixels.
OFF_CENTRE = (0.1, 2.5)
#: Of the peak: what a PSF has left at its stamp's edge at most, and what another source there has.
PEDESTAL, OTHER = 0.03, 0.15
#: Half-light radius over FWHM: an exponential disc has 1.2, seeing 0.6 to 0.8, telescopes in space
#: up to 0.87; and how far it is measured, in FWHM.
WIDE, APERTURE = 0.9, 4.0
#: Points a side that a stamp is read off at, at most.
LARGEST = 6000


def to_pixels(stamp: NDArray[np.floating], ratio: float, sampled: bool = False) -> NDArray:
    """A stamp (y, x) of any sides in pixels ``ratio`` times as large, odd sides, centred.

    Parameters
    ----------
    stamp
        Finite.
    ratio
        Of the new pixels' side to the old ones'.
    sampled
        Whether the values hold the large pixels' response already, as those of PSFEx and of other
        effective PSFs do, and are read off between each other; otherwise what falls into a new
        pixel is added up.

    Raises
    ------
    InputError
        When no stamp has so many pixels.
    """
    middle = centre(stamp)
    nearest = np.rint(middle)
    if abs(ratio - 1.0) < 1e-3 and np.abs(middle - nearest).max() <= CENTRED:
        half = np.minimum(nearest, np.array(stamp.shape) - 1 - nearest).astype(int)
        low = nearest.astype(int) - half
        return stamp[low[0] : low[0] + 2 * half[0] + 1, low[1] : low[1] + 2 * half[1] + 1]
    from scipy.ndimage import map_coordinates

    half = np.maximum(np.ceil((np.array(stamp.shape) / ratio - 1.0) / 2.0).astype(int), 1)
    # A pixel's response is in the values already: what is missing of a larger one's has the
    # difference of both variances.
    missing = 0.0 if sampled else np.sqrt(max(ratio**2 - 1.0, 0.0))
    points = 1 if missing == 0.0 else int(np.ceil(2.0 * ratio)) + 1
    side = int((2 * half + 1).max()) * points
    if side > LARGEST:
        raise InputError(
            f"a pixel of the image is {ratio:.3g} of the PSF's, whose stamp of "
            f"{stamp.shape[0]}×{stamp.shape[1]} would become one of {side} points a side; is its "
            "sampling right?"
        )
    inside = missing * ((np.arange(points) + 0.5) / points - 0.5)
    rows, columns = (
        (middle[axis] + ratio * np.arange(-half[axis], half[axis] + 1))[:, None] + inside
        for axis in (0, 1)
    )
    places = np.meshgrid(rows.ravel() + 2.0, columns.ravel() + 2.0, indexing="ij")
    fine = map_coordinates(np.pad(stamp, 2), places, order=3)
    return block_mean(fine, points, points) * ratio**2


def centre(stamp: NDArray[np.floating]) -> NDArray[np.float64]:
    """Where a stamp's star is, (y, x) in pixels: its centroid under a Gaussian of its own width."""
    peak = np.array(np.unravel_index(int(np.argmax(stamp)), stamp.shape), dtype=float)
    sigma = max(stamp_fwhm(stamp), 1.5) / FWHM_PER_SIGMA
    y, x = np.indices(stamp.shape)
    place = peak
    for _ in range(50):
        weight = stamp * np.exp(-0.5 * ((y - place[0]) ** 2 + (x - place[1]) ** 2) / sigma**2)
        total = weight.sum()
        if not total > 0:
            return peak
        step = np.array([(weight * (y - place[0])).sum(), (weight * (x - place[1])).sum()]) / total
        place = place + 2.0 * step
        if np.abs(place - peak).max() > 2.0:
            return peak
        if np.abs(step).max() < 1e-4:
            break
    return place


def check_is_star(stamp: NDArray[np.floating], sure: bool = True) -> list[str]:
    """Refuse a stamp that shows something else than one star; returns what is odd about it.

    One that is ``sure`` to be a PSF may have a galaxy's profile, as behind adaptive optics.
    """
    if not np.isfinite(stamp).all():
        raise InputError("the PSF has pixels that are not finite")
    peak = float(stamp.max())
    if not peak > 0:
        raise InputError("the PSF holds no flux")
    away = np.abs(centre(stamp) - (np.array(stamp.shape) - 1) / 2)
    if (away > np.maximum(OFF_CENTRE[0] * np.array(stamp.shape), OFF_CENTRE[1])).any():
        row, column = np.unravel_index(int(np.argmax(stamp)), stamp.shape)
        raise InputError(
            f"the PSF's peak is at pixel ({row}, {column}), off the centre of its stamp of "
            f"{stamp.shape[0]}×{stamp.shape[1]}; is it a picture of the sky? A PSF shows one star"
        )
    edge = np.concatenate([stamp[0], stamp[-1], stamp[:, 0], stamp[:, -1]])
    if min(stamp.shape) > 5 and (level := float(np.median(edge)) / peak) > PEDESTAL:
        raise InputError(
            f"at its edge the PSF still has {level:.0%} of its peak; subtract its sky, or give a "
            "wider stamp"
        )
    fwhm = stamp_fwhm(stamp)
    y, x = np.indices(stamp.shape)
    row, column = centre(stamp)
    radius = np.hypot(y - row, x - column)
    outside = radius > 3.0 * max(fwhm, 2.0)
    if outside.any() and (other := float(stamp[outside].max()) / peak) > OTHER:
        raise InputError(
            f"beside the central star there is a source of {other:.0%} of its peak; is it a "
            "picture of the sky? A PSF shows one star"
        )
    wide = _half_light(stamp, radius, fwhm, float(np.median(edge))) / fwhm
    if fwhm <= 2.0 or wide <= WIDE:
        return []
    said = f"half of the PSF's light is beyond {wide:.2f} FWHM, of a star's {WIDE:g} at most"
    if sure:
        return [f"{said}: is it a galaxy?"]
    raise InputError(
        f"{said}: it shows a galaxy; give a star's stamp, stars, or a FWHM in arcsec (of a PSF "
        "with so wide a halo EXTNAME = 'PSF' in its file says so, or --force)"
    )


def _half_light(
    stamp: NDArray[np.floating], radius: NDArray[np.float64], fwhm: float, edge: float
) -> float:
    """Radius of half of the light around a star above what is left of its sky, in pixels."""
    near = radius <= APERTURE * fwhm
    beyond = stamp[~near]
    # Noise of many pixels far from the star would be as much as its light.
    level = float(np.median(beyond)) if beyond.size > sum(stamp.shape) else edge
    order = np.argsort(radius[near])
    light = np.cumsum((stamp[near] - level)[order])
    return float(radius[near][order][np.argmax(light >= 0.5 * light[-1])])

"""The sky and its noise, measured from the pixels themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.sky.image import SkyImage

#: The interquartile range of a Gaussian, in standard deviations.
QUARTILES = 1.3489795003921634


#: Steps in pixels of the second differences that tell noise from a halo: more than what noise
#: shares after a resampling, less than what a halo bends in. And the least part of the scatter that
#: is noise where no halo is taken for the cause.
STEPS, HALO = (8, 16), 0.5
#: The part of the pixels that has one value where they are counts.
EQUAL = 0.005
#: Pixels that they are measured on, at most.
_ENOUGH = 2**17


@dataclass(frozen=True)
class Background:
    """The sky of an image: one level a band and the noise that the bands share.

    Parameters
    ----------
    sky
        Level of each band, shape (band,), in the image's unit.
    sigma
        Standard deviation of a sky pixel, median over bands, in the image's unit.
    """

    sky: NDArray[np.float32]
    sigma: float


def robust_background(flux: NDArray[np.floating]) -> Background:
    """Sky level and noise by iterated clipping about the median.

    Pixels further than 3 standard deviations from the median are dropped until none is, at most
    six times; the spread is the interquartile range over 1.349, or the standard deviation where
    half of the pixels are equal. Quantiles of counts lie between their steps. NaN pixels take no
    part. A constant band has noise 0.

    Parameters
    ----------
    flux
        Shape (band, y, x).
    """
    levels, sigmas = zip(*(_clipped(plane) for plane in flux), strict=True)
    return Background(np.asarray(levels, dtype=np.float32), float(np.median(sigmas)))


def background_of(image: SkyImage) -> Background:
    """The image's own sky and noise where it brings both, measured on its pixels otherwise.

    An image that a galaxy fills shows no sky to measure; one cut from a wider field can bring it.
    Pixels that are masked or not finite take no part.
    """
    holes = image.holes
    if image.sky is None or image.variance is None:
        flux = np.where(holes, np.float32(np.nan), image.flux) if holes.any() else image.flux
        return robust_background(flux)
    deviations = np.sqrt(np.nanmedian(np.where(holes, np.nan, image.variance), axis=(1, 2)))
    return Background(np.asarray(image.sky, dtype=np.float32), float(np.median(deviations)))


def sky_of(image: SkyImage) -> Background:
    """`background_of` with the noise that is left where a halo fills the frame, see `noise_of`."""
    found = background_of(image)
    if image.sky is not None and image.variance is not None:
        return found
    flux = np.where(image.holes, np.float32(np.nan), image.flux)
    sigmas = [noise_of(plane, _clipped(plane)[1]) for plane in flux]
    return Background(found.sky, float(np.median(sigmas)))


def noise_of(plane: NDArray[np.floating], sigma: float) -> float:
    """The noise of a plane, which a halo that fills the frame makes scatter by more.

    Second differences f(x − s) − 2 f(x) + f(x + s) have six times the noise's variance and, a few
    pixels apart, next to nothing of a halo. Where they scatter by much less than the pixels, they
    count; elsewhere sources raise them as they raise the scatter.

    Parameters
    ----------
    plane
        Shape (y, x); NaN takes no part.
    sigma
        By how much its pixels scatter, of `robust_background`.
    """
    every = max(1, plane.size // _ENOUGH)
    least = 0.0
    for step in STEPS:
        if min(plane.shape) < 4 * step:
            continue
        lines = plane[::every], plane.T[::every]
        bends = (ln[:, : -2 * step] - 2 * ln[:, step:-step] + ln[:, 2 * step :] for ln in lines)
        least = max(least, min(_clipped(bend)[1] for bend in bends) / float(np.sqrt(6.0)))
        if least >= HALO * sigma:
            return sigma
    return least or sigma


def galaxygan_noise(flux: NDArray[np.floating]) -> float:
    """Noise as GalaxyGAN's authors measured it: the spread of all pixels in (−0.1, 0.1).

    The bands are pooled, and what galaxy light falls below that limit counts as noise, so this is
    an upper bound that only means something for fluxes in nanomaggies (Schawinski et al. 2017,
    MNRAS 467, L110, doi:10.1093/mnrasl/slx008; the rule is in their published code). It is 0
    where no pixel lies in the range.

    Parameters
    ----------
    flux
        Shape (band, y, x), nanomaggies.
    """
    faint = flux[(flux > -0.1) & (flux < 0.1)]
    return float(faint.std(dtype=np.float64)) if faint.size else 0.0


def _clipped(plane: NDArray[np.floating]) -> tuple[float, float]:
    # Sorted once, a clipped sample is a slice and its quantiles are single elements.
    pixels = plane[np.isfinite(plane)]
    pixels.sort()
    if pixels.size == 0:
        return 0.0, 0.0
    level = sigma = 0.0
    first, last = 0, pixels.size
    for _ in range(6):
        count = last - first
        middle = pixels[first:last]
        lower, level, upper = (float(middle[count * k // 4]) for k in (1, 2, 3))
        if lower == upper:  # as in a dark composite, cut to its lowest value
            return level, float(middle.std(dtype=np.float64))
        lower, level, upper = (_between_steps(middle, count * k // 4) for k in (1, 2, 3))
        sigma = (upper - lower) / QUARTILES
        bounds = np.searchsorted(pixels, [level - 3.0 * sigma, level + 3.0 * sigma])
        if tuple(bounds) == (first, last):
            break
        first, last = int(bounds[0]), int(bounds[1])
    return level, sigma


def _between_steps(pixels: NDArray[np.floating], place: int) -> float:
    """The value at a place of sorted pixels; of counts, of which many are equal, between the steps.

    Equal ones are taken as spread evenly up to half of the way to the next on either side.
    """
    value = pixels[place]
    first, last = np.searchsorted(pixels, value, "left"), np.searchsorted(pixels, value, "right")
    if last - first <= EQUAL * pixels.size or first == 0 or last == pixels.size:
        return float(value)
    low, high = (0.5 * (float(value) + float(pixels[k])) for k in (first - 1, last))
    return low + (high - low) * (place + 0.5 - first) / (last - first)

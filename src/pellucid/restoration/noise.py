"""The noise that an image's planes state beside the one that its pixels show.

A restoration takes its scale from the scatter of the pixels, and from the planes only how the
pixels of a band compare. Where pixels were resampled, neighbours share their noise: they scatter
less than an error plane says, which is right of sums over many of them (Casertano et al. 2000,
AJ 120, 2747, appendix A).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.data.channels import GRAINS, grain
from pellucid.errors import InputError
from pellucid.fits import restored_bands
from pellucid.optics import block_mean
from pellucid.restoration.change import SAMPLE, plain
from pellucid.sky import SkyImage, noise_of, robust_background, sky_of
from pellucid.sky.band_names import band_in_words

#: Of a camera's image no more pixels than this share are so many times as bright as the noise; one
#: pixel may be, that is damaged or of a star.
NOISELESS, SHARE = 1e5, 1e-3
#: By this factor both may differ before it is said.
UNLIKE = 1.3
#: The noise of neighbours' differences, of what it is where the noise is white: shared noise.
SHARED = 0.9
#: Grain of squares of two by two, over the deviation of their pixels: the least of noise that
#: training saw, be it smoothed or enlarged twofold, and with which a network that takes the noise
#: by its pixels is wholly lost.
SEEN, LOST = 0.95, 0.7
#: Grain of pixels, over their deviation: below it they were interpolated.
SMOOTH = 0.27


def of_many_pixels(band: SkyImage, sigma: float) -> float:
    """By how much noise that is smooth over many pixels is worth more than its pixels scatter.

    Pixels that were interpolated share their noise: the mean of a square of them scatters nearly
    as much as one. Beyond what training saw, a network is told of white noise that has as much on
    such squares, or it would take worms of noise for arms.

    Parameters
    ----------
    band
        An image of one band.
    sigma
        Standard deviation of its sky's pixels.

    Returns
    -------
    float
        1 for noise that is no smoother than in training.
    """
    plane = _middle(band)
    if min(plane.shape) < 4 * max(GRAINS):
        return 1.0
    pixel, fine, coarse = (each * grain(block_mean(plane, each, each)) / sigma for each in GRAINS)
    if fine >= SEEN or pixel >= SMOOTH:
        return 1.0
    wide = max(fine, coarse)
    beyond = min(1.0, np.log(SEEN / max(fine, LOST)) / np.log(SEEN / LOST))
    return float(max(1.0, wide) ** beyond)


def interpolated(image: SkyImage) -> bool:
    """Whether all bands have noise so smooth that their pixels are finer than the data were."""
    planes = (_middle(image.of_bands([k])) for k in range(len(image.flux)))
    return all(
        grain(plane) < SMOOTH * noise_of(plane, robust_background(plane[None]).sigma)
        for plane in planes
    )


def skies_of(image: SkyImage) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sky level and noise of each band, shape (band, 1, 1).

    Raises
    ------
    InputError
        When a band has no noise, or so little that no telescope took it.
    """
    level, sigma = [], []
    for k, name in enumerate(image.bands):
        band = image.of_bands([k])
        sky = sky_of(band)
        if not sky.sigma > 0:
            raise InputError(
                f"the sky of {band_in_words(name)} is constant: without noise no scale"
            )
        bright = float(np.quantile(band.flux[~band.holes], 1.0 - SHARE) - sky.sky[0])
        if bright > NOISELESS * sky.sigma:
            raise InputError(
                f"{band_in_words(name)} has no noise to speak of: its bright pixels are "
                f"{bright / sky.sigma:.1e} times as much; add a camera's to a simulation, or take "
                "--method richardson-lucy, which needs none"
            )
        level.append(sky.sky[0])
        sigma.append(sky.sigma * of_many_pixels(band, sky.sigma))
    level, sigma = (np.array(each, dtype=np.float32)[:, None, None] for each in (level, sigma))
    return level, sigma


def stated_noise(image: SkyImage) -> list[float | None]:
    """Of each band the median standard deviation that its plane states; None without one."""
    if image.variance is None:
        return [None] * len(image.flux)
    found: list[float | None] = []
    some = _some(image)
    for plane, bad in zip(image.variance[some], image.holes[some], strict=True):
        good = plane[~bad & np.isfinite(plane)].astype(np.float64)
        found.append(float(np.sqrt(np.median(good))) if good.size else None)
    return found


def noise_notes(image: SkyImage) -> list[str]:
    """Of which bands the pixels scatter otherwise than their planes say, and why.

    Of restored bands nothing is said: their sky is smoother than it is sure.
    """
    if image.variance is None:
        return []
    less: dict[str, float] = {}
    more: dict[str, float] = {}
    smooth = False
    some = _some(image)
    bands = zip(image.bands, stated_noise(image), restored_bands(image), strict=True)
    for k, (band, stated, restored) in enumerate(bands):
        if restored or not stated:
            continue
        plane = image.of_bands([k])
        seen = _seen(plane)
        ratio = noise_of(seen[0], robust_background(seen[some]).sigma) / stated
        if ratio > UNLIKE:
            more[band] = ratio
        elif 0 < ratio < 1.0 / UNLIKE:
            less[band] = ratio
            smooth |= _roughness(_seen(plane), ratio * stated) < SHARED
    notes = []
    if less:
        reason = "it is too large, or in another unit"
        if smooth:
            reason = "neighbours share theirs, as after resampling; sums of many have all of it"
        notes.append(_said(less, reason))
    if more:
        notes.append(_said(more, "some of it is left out, or in another unit"))
    return notes


def _said(ratios: dict[str, float], reason: str) -> str:
    low, high = plain(min(ratios.values())), plain(max(ratios.values()))
    times = low if low == high else f"{low} to {high}"
    return (
        f"{', '.join(ratios)}: the pixels scatter by {times} times the noise that the planes state "
        f"({reason}); that scatter is taken for the noise, and from the planes where there is more"
    )


def _some(image: SkyImage) -> tuple[slice, slice, slice]:
    """Enough pixels of a large frame."""
    step = max(1, int(np.sqrt(image.flux[0].size / SAMPLE)))
    return slice(None), slice(None, None, step), slice(None, None, step)


def _seen(band: SkyImage) -> NDArray[np.float32]:
    return np.where(band.holes, np.float32(np.nan), band.flux)


def _middle(band: SkyImage) -> NDArray[np.float32]:
    """As many pixels as are enough, shape (y, x); NaN where there is no data."""
    side = int(np.sqrt(SAMPLE))
    top, left = (max(0, (length - side) // 2) for length in band.flux.shape[1:])
    plane = _seen(band)[0]
    return plane[top:, left:][:side, :side]


def _roughness(flux: NDArray[np.float32], sigma: float) -> float:
    """Of the noise from pixel to pixel: 1 where it is white."""
    height = min(flux.shape[1], SAMPLE // flux.shape[2] + 1)
    rows = flux[:, (flux.shape[1] - height) // 2 :][:, :height]
    steps = rows[:, :, 1:] - rows[:, :, :-1]
    return robust_background(steps).sigma / (float(np.sqrt(2.0)) * sigma)

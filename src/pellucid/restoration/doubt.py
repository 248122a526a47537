"""What of a restoration is not to be trusted: what the image contradicts, and what it cannot know.

A restoration that is blurred again must give the image but for its noise. Where it does not, or
where it draws detail that would not stand out of that noise, it is doubted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.optics import Convolution, convolve

#: A misfit of more standard deviations counts as so many: its square is still a number.
BOUNDLESS = np.float32(1e9)
#: Between these significances, in standard deviations, doubt rises from 0 to 1.
MISFIT = (3.5, 5.5)
#: Detail is drawn where it exceeds its standard deviation so many times …
DRAWN = (2.0, 4.0)
#: … and is in the data where, blurred, it exceeds the noise so many times.
SEEN = (2.0, 4.0)
#: A pixel's light counts up to so many standard deviations of the sky.
MOST_LIGHT = 50.0
#: What to look at first where a result does not explain its image.
USUAL = "most often the psf is not the image's"
#: A restoration with a reduced χ² above this does not explain its image.
CONTRADICTED = 2.0
#: Light that is sky, in units of the noise, and pixels of it that tell how its noise is correlated.
FAINT, ENOUGH = 1.0, 64
#: So many pixels tell it to a per cent.
MANY = 16_384
#: χ² at the psf's scale: below the first it explains the image, above the second it does not.
UNEXPLAINED = (2.5, 7.0)
DOUBTED = "% of the pixels are doubted (DOUBT)"
#: Of the flux: what is never known better, of flat field and psf.
SYSTEMATIC = 0.01


@dataclass(frozen=True, eq=False)
class Doubt:
    """What is doubted, and why.

    Parameters
    ----------
    doubt
        From 0 to 1 for each pixel, shape (band, y, x).
    significance
        How many standard deviations the restoration, blurred again, lies below the image, at the
        psf's scale.
    chi2
        Mean square of these residuals over their variance, at the psf's scale; 1 is expected.
    reduced
        The same over each band, weighted by its light, shape (band,).
    light
        The sum of those weights, shape (band,).
    spread
        Standard deviation of the ``significance`` of the sky before it was divided by it, shape
        (band,): 1 where noise is white.
    """

    doubt: NDArray[np.float32]
    significance: NDArray[np.float32]
    chi2: NDArray[np.float32]
    reduced: NDArray[np.float32]
    light: NDArray[np.float64]
    spread: NDArray[np.floating]


def doubt_of(
    restored: NDArray[np.float32],
    uncertainty: NDArray[np.float32],
    given: NDArray[np.float32],
    stamps: NDArray[np.floating],
    weight: NDArray[np.float32],
    core: tuple[slice, slice] | None = None,
    spread: NDArray[np.floating] | None = None,
) -> Doubt:
    """Doubt a restoration.

    Parameters
    ----------
    restored, uncertainty
        Shape (band, y, x), above the sky, in units of its noise.
    given
        The image, on the same grid and in the same unit.
    stamps
        The blur, shape (band, y, x).
    weight
        Of `pellucid.data.channels.pixel_weights`; 0 where there is no data.
    core
        Rows and columns that `Doubt.reduced` is taken over; None for all.
    spread
        That of `Doubt` where this is a window of a larger image; None measures it.
    """
    blur = Convolution(stamps, (given.shape[1], given.shape[2]))
    again = blur(restored)
    data = (weight > 0).astype(np.float32)
    deviation = np.hypot(1.0 / np.maximum(weight, 1e-3), SYSTEMATIC * again)
    residual = (data * (given - again) / deviation).astype(np.float32)
    residual = np.clip(residual, -BOUNDLESS, BOUNDLESS)
    square = np.square(stamps)
    square_sum = square.sum(axis=(1, 2), keepdims=True)
    reached, noise = np.ones_like(square_sum), np.sqrt(square_sum)
    if not data.all():
        reached = np.maximum(blur(data), 1e-3)
        noise = noise * np.sqrt(np.maximum(convolve(data, square / square_sum), 1e-3))
    significance = blur(residual) / noise
    if spread is None:
        spread = _spread(significance, np.abs(again) < FAINT)
    scale = np.maximum(spread, 1.0)[:, None, None]
    significance = (significance / scale).astype(np.float32)
    chi2 = (blur(np.square(residual)) / reached).astype(np.float32)
    # What is bright counts for more, but no star for all.
    light = data * np.clip(again - 1.0, 0.0, MOST_LIGHT)
    counted = np.where(light.sum(axis=(1, 2), keepdims=True) > 0, light, data)
    inner = (slice(None), *(core or ()))
    counted = counted[inner]
    misfit = (counted * np.square(residual[inner])).sum(axis=(1, 2))
    reduced = misfit / np.maximum(counted.sum(axis=(1, 2)), 1e-6)
    detail = restored - again
    in_data = np.abs(blur(blur(detail))) / noise
    drawn = ramp(np.abs(detail) / np.maximum(uncertainty, 1e-6), DRAWN)
    # Detail changes sign about its own edge, where none of it is seen.
    unseen = drawn * (1.0 - ramp(widened(in_data, stamps), SEEN))
    # A core that is too high within a ring that is too low misses no light, and yet does not fit.
    amiss = np.maximum(ramp(np.abs(significance), MISFIT), ramp(chi2, UNEXPLAINED))
    contradicted = widened(amiss, stamps)
    doubt = np.maximum(np.maximum(unseen, contradicted), 1.0 - data)
    light = counted.sum(axis=(1, 2), dtype=np.float64)
    planes = doubt.astype(np.float32), significance, chi2
    return Doubt(*planes, reduced.astype(np.float32), light, spread)


def in_words(doubted: float, reduced: Sequence[float], bands: Sequence[str]) -> str:
    """A sentence for a person, a warning where something is amiss.

    Parameters
    ----------
    doubted
        Share of the pixels that are doubted more than not.
    reduced
        Of `Doubt`, shape (band,).
    """
    share = f"{100 * doubted:.0f}" if doubted > 0.1 else f"{100 * doubted:.2g}"
    text = f"{share} {DOUBTED}"
    amiss = [
        f"{band} (chi2 {value:.1f})"
        for band, value in zip(bands, reduced, strict=True)
        if not value <= CONTRADICTED  # of one that is no number nothing is known
    ]
    if amiss:
        where = ", ".join(amiss)
        return (
            f"warning: blurred again, the result does not explain the image in {where}: {USUAL}; "
            f"{text}"
        )
    return f"{text}; blurred again, the result explains the image"


def ramp(value: NDArray[np.floating], ends: tuple[float, float]) -> NDArray[np.floating]:
    """0 below the first of both ends, 1 above the second, linear between them."""
    low, high = ends
    return np.clip((value - low) / (high - low), 0.0, 1.0)


def _spread(planes: NDArray[np.floating], sky: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Robust standard deviation of each plane's ``sky``: of noise that is correlated, more than 1.

    Where a galaxy fills the frame, what does not fit of it would count as noise.
    """
    found = np.ones(len(planes))
    for band, (plane, faint) in enumerate(zip(planes, sky, strict=True)):
        if np.count_nonzero(faint) >= ENOUGH:
            some = plane[faint]
            low, high = np.quantile(some[:: max(1, some.size // MANY)], (0.16, 0.84))
            found[band] = 0.5 * (high - low)
    return found


def widened(planes: NDArray[np.floating], stamps: NDArray[np.floating]) -> NDArray[np.floating]:
    """The largest value within half of the psf's width."""
    from scipy.ndimage import maximum_filter

    side = max(3, round(float(np.sqrt((stamps[0] > 0.5 * stamps[0].max()).sum()))))
    return maximum_filter(planes, size=(1, side, side))

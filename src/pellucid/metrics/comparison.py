"""Two images of one sky, made ready for every metric at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.sky.background import Background, background_of, robust_background
from pellucid.sky.image import SkyImage, is_nanomaggy
from pellucid.stretch import GalaxyGANStretch, NoiseStretch, Stretch


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a metric is given.

    Parameters
    ----------
    truth, restored
        One shape and one unit; masked pixels are NaN, as those without data.
    stretched
        The flux of truth and restoration after one stretch with peak 1, shape (band, y, x).
    blurred, blurred_scale
        As `pellucid.metrics.measure` is given them.
    """

    truth: SkyImage
    restored: SkyImage
    stretched: tuple[NDArray[np.float32], NDArray[np.float32]]
    blurred: SkyImage | None = None
    blurred_scale: float | None = None


#: Named numbers of a comparison; what cannot be measured is NaN.
Metric = Callable[[Comparison], dict[str, float]]


def compared(
    restored: SkyImage,
    truth: SkyImage,
    blurred: SkyImage | None,
    stretch: Stretch | None,
    blurred_scale: float | None,
) -> Comparison:
    """Make a pair ready; parameters and errors are those of `pellucid.metrics.measure`."""
    truth, restored = (_without_masked(image) for image in (truth, restored))
    check_pair(truth.flux, restored.flux)
    if stretch is None:
        stretch = usual_stretch(truth)
    sky = _stretch_sky(truth)
    stretched = stretch.forward(truth.flux, sky), stretch.forward(restored.flux, sky)
    return Comparison(truth, restored, stretched, blurred, blurred_scale)


def usual_stretch(truth: SkyImage) -> Stretch:
    """The stretch that is taken where none is stated: GalaxyGAN's has limits in nanomaggies."""
    return GalaxyGANStretch() if is_nanomaggy(truth.unit) else NoiseStretch()


def _stretch_sky(truth: SkyImage) -> Background:
    """The truth's own sky and noise, or those measured on it.

    A truth without noise, such as a simulated galaxy, is given a thousandth of its peak as noise,
    and 1 where it is constant.
    """
    sky = background_of(truth)
    if not sky.sigma > 0:
        sky = robust_background(truth.flux)
    if sky.sigma > 0:
        return sky
    peak = float(np.nanmax(truth.flux - sky.sky[:, None, None]))
    return Background(sky.sky, 1e-3 * peak if peak > 0 else 1.0)


def check_pair(
    truth: NDArray[np.floating], restored: NDArray[np.floating], data_range: float = 1.0
) -> None:
    """Refuse two images that cannot be compared pixel by pixel."""
    if truth.shape != restored.shape:
        raise InputError(
            f"the truth has shape {truth.shape}, the restoration {restored.shape}; "
            "bring them to one grid first"
        )
    if not (np.isfinite(truth) & np.isfinite(restored)).any():
        raise InputError("no pixel is finite in both the truth and the restoration")
    if not data_range > 0:
        raise InputError(f"a data range of {data_range}; it must be positive")


def _without_masked(image: SkyImage) -> SkyImage:
    bad = ~np.isfinite(image.flux)
    if image.mask is not None:
        bad |= image.mask
    return image.with_flux(np.where(bad, np.float32(np.nan), image.flux))

"""How near a restoration comes to the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pellucid.metrics.cw_ssim import CwSsimOptions, cw_ssim, cw_ssim_printed
from pellucid.metrics.psnr import check_pair, psnr, stretch_sky, stretched_psnr
from pellucid.metrics.source import band_flux_ratios, find_source, flux_ratio, source_errors
from pellucid.metrics.ssim import ssim
from pellucid.sky import background_of
from pellucid.sky.image import is_nanomaggy
from pellucid.sources.photometry import (
    aperture_flux,
    centroid,
    ellipticity,
    half_light_radius,
)
from pellucid.stretch import GalaxyGANStretch, NoiseStretch

if TYPE_CHECKING:
    from pellucid.sky.image import SkyImage

__all__ = [
    "CwSsimOptions",
    "aperture_flux",
    "band_flux_ratios",
    "centroid",
    "compare",
    "cw_ssim",
    "cw_ssim_printed",
    "ellipticity",
    "find_source",
    "flux_ratio",
    "half_light_radius",
    "psnr",
    "source_errors",
    "ssim",
    "stretched_psnr",
]


def compare(
    truth: SkyImage, restored: SkyImage, stretch: GalaxyGANStretch | NoiseStretch | None = None
) -> dict[str, float]:
    """All the numbers of one pair, under the names that reports and ``--json`` use.

    ``psnr`` (dB, the headline), ``ssim`` and ``cw_ssim`` are taken after a stretch with peak 1,
    ``psnr_linear`` and ``ssim_linear`` on the flux with the truth's largest value as range; the
    rest is `source_errors`.

    Parameters
    ----------
    truth, restored
        One shape and one unit. Masked pixels and pixels without data in either are left out.
    stretch
        None takes GalaxyGAN's for an image in nanomaggies. Its limits mean nothing in another
        unit: there it is `NoiseStretch` about the sky and noise of the truth, those that it
        brings or those measured on it.

    Raises
    ------
    InputError
        When shapes disagree, no pixel has data in both, or the truth has no positive flux.
    """
    expected, found = _usable(truth), _usable(restored)
    check_pair(expected, found)
    if stretch is None:
        stretch = GalaxyGANStretch() if is_nanomaggy(truth.unit) else NoiseStretch()
    sky = background_of(truth) if truth.sky is not None else stretch_sky(expected)
    if not sky.sigma > 0:
        sky = stretch_sky(expected)
    brightest = float(np.nanmax(expected))
    stretched = stretch.forward(expected, sky), stretch.forward(found, sky)
    return {
        "psnr": psnr(*stretched, 1.0),
        "psnr_linear": psnr(expected, found, brightest),
        "ssim": ssim(*stretched, 1.0),
        "ssim_linear": ssim(expected, found, brightest),
        "cw_ssim": float(np.nanmean(cw_ssim(*stretched))),
        **source_errors(expected, found, truth.bands),
    }


def _usable(image: SkyImage) -> NDArray[np.float32]:
    bad = ~np.isfinite(image.flux)
    if image.mask is not None:
        bad |= image.mask
    return np.where(bad, np.float32(np.nan), image.flux)

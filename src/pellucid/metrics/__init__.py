"""How near a restoration comes to the truth: a metric is one function, and a line in `METRICS`."""

from __future__ import annotations

from collections.abc import Iterable

from pellucid.metrics.comparison import Comparison, Metric, compared, usual_stretch
from pellucid.metrics.counts import measure_sources
from pellucid.metrics.cw_ssim import (
    CwSsimOptions,
    cw_ssim,
    cw_ssim_printed,
    measure_cw_ssim,
    measure_cw_ssim_all_scales,
    measure_cw_ssim_printed,
)
from pellucid.metrics.morphology import measure_morphology
from pellucid.metrics.psnr import measure_psnr, psnr, stretched_psnr
from pellucid.metrics.source import find_source, measure_source, source_errors
from pellucid.metrics.ssim import measure_ssim, ssim
from pellucid.metrics.texture import measure_texture
from pellucid.metrics.veil import measure_veil
from pellucid.sky.image import SkyImage
from pellucid.stretch import Stretch

__all__ = [
    "DEFAULT",
    "METRICS",
    "Comparison",
    "CwSsimOptions",
    "Metric",
    "cw_ssim",
    "cw_ssim_printed",
    "find_source",
    "measure",
    "psnr",
    "source_errors",
    "ssim",
    "stretched_psnr",
    "usual_stretch",
]

METRICS: dict[str, Metric] = {
    "psnr": measure_psnr,
    "ssim": measure_ssim,
    "cw_ssim": measure_cw_ssim,
    "source": measure_source,
    "cw_ssim_all_scales": measure_cw_ssim_all_scales,
    "cw_ssim_printed": measure_cw_ssim_printed,
    "sources": measure_sources,
    "morphology": measure_morphology,
    "texture": measure_texture,
    "veil": measure_veil,
}
#: Those of any image in a fraction of a second.
DEFAULT = ("psnr", "ssim", "cw_ssim", "source")


def measure(
    restored: SkyImage,
    truth: SkyImage,
    blurred: SkyImage | None = None,
    stretch: Stretch | None = None,
    metrics: Iterable[str] = DEFAULT,
    blurred_scale: float | None = None,
) -> dict[str, float]:
    """The numbers of one restoration, under the names that reports and ``--json`` use.

    Parameters
    ----------
    restored, truth
        One shape and one unit. Masked pixels and pixels without data in either are left out.
    blurred
        What was restored, on the same grid; ``sources`` asks of a restoration only what that
        could show.
    stretch
        With peak 1, of both images, for the metrics that are not taken on flux. None takes
        GalaxyGAN's for an image in nanomaggies. Its limits mean nothing in another unit: there it
        is `NoiseStretch` about the sky and noise of the truth, those that it brings or those
        measured on it.
    metrics
        Names in `METRICS`.
    blurred_scale
        Arcsec per pixel of the camera behind ``blurred``, where that was resampled.

    Returns
    -------
    dict
        Metric after metric, each under the names that its function states.

    Raises
    ------
    InputError
        When shapes disagree, no pixel has data in both, or the truth has no positive flux.
    """
    pair = compared(restored, truth, blurred, stretch, blurred_scale)
    return {key: value for name in metrics for key, value in METRICS[name](pair).items()}

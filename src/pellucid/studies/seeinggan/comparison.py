"""What SeeingGAN is compared with: the image itself, and deconvolution with the measured PSF."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pellucid.data.pairs import Pairs
from pellucid.metrics import measure
from pellucid.restoration import ClassicalRestorer, load_restorer
from pellucid.sky.image import SkyImage
from pellucid.stretch import NoiseStretch
from pellucid.studies.seeinggan.preset import Preset

#: The resampled Subaru image: a cubic spline, which is what bicubic interpolation makes of it.
SUBARU = "subaru"
WIENER, RICHARDSON_LUCY, SEEINGGAN = "wiener", "richardson-lucy", "seeinggan"
#: Galaxies learned from on which the deconvolutions are tuned.
TUNED_ON = 8
#: Noise over signal that the Wiener filter is tuned among. Its own fit takes noise for white,
#: which that of a resampled image is not.
NOISE_TO_SIGNAL = (1e-4, 1e-3, 1e-2, 1e-1)

Restore = Callable[[SkyImage], SkyImage]


def inner(image: SkyImage, margin: int) -> SkyImage:
    """What is scored: the window without its margin."""
    _, height, width = image.shape
    return image.cutout(margin, margin, height - 2 * margin, width - 2 * margin)


def deconvolutions(
    preset: Preset, store: Pairs, learned: Sequence[int]
) -> tuple[dict[str, Restore], dict[str, float]]:
    """Wiener and Richardson-Lucy as they serve CW-SSIM best on galaxies that are learned from.

    Returns
    -------
    tuple
        The restorers, and what was chosen for each. Without PSFs in the store there are none.
    """
    pairs = [store.pair(place) for place in list(learned)[:TUNED_ON]]
    if pairs[0].blurred.psf is None:
        return {}, {}
    margin = preset.galaxies.margin_pixels()
    chosen: dict[str, Restore] = {}
    settings: dict[str, float] = {}
    choices: dict[str, tuple[Callable[..., SkyImage], Sequence[float]]] = {
        WIENER: (_wiener, NOISE_TO_SIGNAL),
        RICHARDSON_LUCY: (_richardson_lucy, preset.iterations),
    }
    for name, (method, values) in choices.items():
        merit = [
            np.mean(
                [
                    cw_ssim_of(
                        inner(pair.sharp, margin), inner(method(value, pair.blurred), margin)
                    )
                    for pair in pairs
                ]
            )
            for value in values
        ]
        settings[name] = values[int(np.argmax(merit))]
        chosen[name] = partial(method, settings[name])
    return chosen, settings


def network(bundle: Path) -> Restore:
    """A trained network as a function of the image."""
    restorer = load_restorer(bundle)
    return lambda image: restorer(image).image


def cw_ssim_of(truth: SkyImage, restored: SkyImage) -> float:
    """CW-SSIM as the study's tables have it."""
    return measure(restored, truth, stretch=NoiseStretch(), metrics=["cw_ssim"])["cw_ssim"]


def _wiener(noise_to_signal: float, image: SkyImage) -> SkyImage:
    return ClassicalRestorer(WIENER, noise_to_signal)(image).image


def _richardson_lucy(iterations: float, image: SkyImage) -> SkyImage:
    return ClassicalRestorer(RICHARDSON_LUCY, int(iterations))(image).image

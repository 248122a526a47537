"""A patch of sky: its pixels, its point spread function, its background."""

from pellucid.sky.background import (
    Background,
    background_of,
    galaxygan_noise,
    noise_of,
    robust_background,
    sky_of,
)
from pellucid.sky.image import SkyImage
from pellucid.sky.pair import Pair
from pellucid.sky.psf import PSF, gaussian_psf, moffat_psf

__all__ = [
    "PSF",
    "Background",
    "Pair",
    "SkyImage",
    "background_of",
    "galaxygan_noise",
    "gaussian_psf",
    "moffat_psf",
    "noise_of",
    "robust_background",
    "sky_of",
]

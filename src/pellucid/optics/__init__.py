"""How light becomes pixels: PSFs, blur, noise and the instruments that make them."""

from pellucid.optics.convolution import Blur, convolve
from pellucid.optics.degradation import Degradation, object_rng, parse_degradation
from pellucid.optics.instruments import INSTRUMENTS, Instrument, instrument
from pellucid.optics.noise import Background, galaxygan_noise, robust_background
from pellucid.optics.psf import PSF, gaussian_psf, matching_kernel, moffat_psf

__all__ = [
    "INSTRUMENTS",
    "PSF",
    "Background",
    "Blur",
    "Degradation",
    "Instrument",
    "convolve",
    "galaxygan_noise",
    "gaussian_psf",
    "instrument",
    "matching_kernel",
    "moffat_psf",
    "object_rng",
    "parse_degradation",
    "robust_background",
]

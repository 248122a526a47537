"""How light becomes pixels: PSFs, blur, noise and the instruments that make them."""

from pellucid.optics.convolution import Blur, convolve
from pellucid.optics.degradation import Degradation, object_rng, parse_degradation
from pellucid.optics.instruments import INSTRUMENTS, Instrument, instrument
from pellucid.optics.noise import Background, background_of, galaxygan_noise, robust_background
from pellucid.optics.psf import PSF, gaussian_psf, matching_kernel, moffat_psf
from pellucid.optics.resampling import Affine, regrid, resample, resampled_psf, scaling

__all__ = [
    "INSTRUMENTS",
    "PSF",
    "Affine",
    "Background",
    "Blur",
    "Degradation",
    "Instrument",
    "background_of",
    "convolve",
    "galaxygan_noise",
    "gaussian_psf",
    "instrument",
    "matching_kernel",
    "moffat_psf",
    "object_rng",
    "parse_degradation",
    "regrid",
    "resample",
    "resampled_psf",
    "robust_background",
    "scaling",
]

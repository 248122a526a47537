"""How light becomes pixels: PSFs, blur, noise and the instruments that make them."""

from pellucid.optics.blur import blur_between, blur_of, known_psf, matching_kernel
from pellucid.optics.convolution import Convolution, convolve
from pellucid.optics.degradation import Degradation, object_rng, parse_degradation
from pellucid.optics.instruments import INSTRUMENTS, Instrument
from pellucid.optics.psf_cards import unknown_unit
from pellucid.optics.resampling import (
    Affine,
    block_mean,
    regrid,
    resample,
    resampled_psf,
    scaled_wcs,
    scaling,
)

__all__ = [
    "INSTRUMENTS",
    "Affine",
    "Convolution",
    "Degradation",
    "Instrument",
    "block_mean",
    "blur_between",
    "blur_of",
    "convolve",
    "known_psf",
    "matching_kernel",
    "object_rng",
    "parse_degradation",
    "regrid",
    "resample",
    "resampled_psf",
    "scaled_wcs",
    "scaling",
    "unknown_unit",
]

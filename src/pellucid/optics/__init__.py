"""How light becomes pixels: PSFs, blur, noise and the instruments that make them."""

from pellucid.optics.convolution import Blur, convolve
from pellucid.optics.degradation import Degradation, object_rng, parse_degradation
from pellucid.optics.instruments import INSTRUMENTS, Instrument, instrument
from pellucid.optics.resampling import (
    Affine,
    block_mean,
    regrid,
    resample,
    resampled_psf,
    scaling,
)

__all__ = [
    "INSTRUMENTS",
    "Affine",
    "Blur",
    "Degradation",
    "Instrument",
    "block_mean",
    "convolve",
    "instrument",
    "object_rng",
    "parse_degradation",
    "regrid",
    "resample",
    "resampled_psf",
    "scaling",
]

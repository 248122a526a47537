"""Wiener deconvolution with the signal's power measured from the image itself."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.deconvolution.signal import (
    fitted_power,
    least_noise_to_signal,
    modest,
    ring_means,
)
from pellucid.deconvolution.spectrum import Response, Spectrum, Strip, check_shapes
from pellucid.deconvolution.units import in_noise_units
from pellucid.errors import InputError
from pellucid.sky.inpaint import filled


def wiener(
    flux: NDArray[np.floating],
    stamps: NDArray[np.floating],
    noise_to_signal: float | None = None,
    boundary: Literal["reflect", "wrap"] = "reflect",
) -> NDArray[np.float32]:
    """Sharpen ``flux`` by the linear filter of least mean square error.

    In Fourier space x̂ = ŷ · H* / (|H|² + N/S) with the PSF's transfer function H, the power N of
    white noise and the power S of the sharp image, both measured from the image itself by
    `fitted_power`, its few brightest places being dimmed first (`modest`), and N/S is nowhere below
    `least_noise_to_signal`. Zero frequency passes
    unchanged, so total flux and sky stay.

    Parameters
    ----------
    flux
        Shape (band, y, x), linear, any unit. NaN pixels are filled first and NaN again after.
    stamps
        The PSF, shape (band, y, x), each summing to 1; ``PSF.for_bands`` gives them.
    noise_to_signal
        N/S as one constant at all frequencies in place of the fit.
    boundary
        ``"reflect"`` mirrors the image about its far edges first, which leaves no seam to ring;
        ``"wrap"`` takes it as periodic.

    References
    ----------
    Wiener 1949, Extrapolation, Interpolation, and Smoothing of Stationary Time Series,
    doi:10.7551/mitpress/2946.001.0001
    """
    check_shapes(flux, stamps)
    if noise_to_signal is not None and not noise_to_signal > 0:
        raise InputError(f"a noise-to-signal ratio of {noise_to_signal}; it must be positive")
    result = np.empty(flux.shape, dtype=np.float32)
    for seen, stamp, restored in zip(filled(flux), stamps, result, strict=True):
        plane, unit = in_noise_units(seen)
        if noise_to_signal is None:
            response = _fitted_filter(modest(plane), stamp, boundary)
        else:
            response = _filter(np.float32(noise_to_signal))
        spectrum = Spectrum(plane, stamp, boundary)
        del plane
        restored[:] = unit.restore(spectrum.filtered(response))
    result[~np.isfinite(flux)] = np.nan
    return result


def _filter(ratio: np.float32) -> Response:
    return lambda strip: strip.transfer.conj() / (strip.gain + ratio)


def _fitted_filter(
    plane: NDArray[np.float32], stamp: NDArray[np.floating], boundary: Literal["reflect", "wrap"]
) -> Response:
    rings = ring_means(Spectrum(plane, stamp, boundary))
    law = fitted_power(plane, rings)
    least = least_noise_to_signal(rings, law)

    def response(strip: Strip) -> NDArray:
        ratio = np.maximum(law.noise_to_signal(strip.logarithm), least[strip.ring])
        return strip.transfer.conj() / (strip.gain + ratio)

    return response

"""Constrained least squares: the smoothest image that explains what was seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.deconvolution.signal import fitted_power, least_noise_to_signal, ring_means
from pellucid.deconvolution.spectrum import Response, Spectrum, Strip, check_shapes
from pellucid.deconvolution.units import in_noise_units
from pellucid.sky.inpaint import filled

#: γ is looked for between these, by bisection of its logarithm.
LEAST, MOST, ROUNDS = 1e-6, 1e6, 40
#: Logarithms of |L/H|², in bins so narrow that a filter is the same all over each.
_BIN = 0.01
_TINY = np.finfo(np.float32).tiny
_LOG_RATIO = np.arange(-70.0, 92.0, _BIN)


def tikhonov(
    flux: NDArray[np.floating], stamps: NDArray[np.floating], smoothness: float | None = None
) -> NDArray[np.float32]:
    """Sharpen ``flux`` by the image x of least |Lx|² for which |y − Hx|² is that of the noise.

    In Fourier space x̂ = ŷ · H* / (|H|² + γ|L|²) with the PSF's transfer function H and the
    Laplacian L. Zero frequency passes unchanged, so total flux and sky stay.

    Parameters
    ----------
    flux
        Shape (band, y, x), linear, any unit. NaN pixels are filled first and NaN again after.
    stamps
        The PSF, shape (band, y, x), each summing to 1; ``PSF.for_bands`` gives them.
    smoothness
        γ; None takes that with which the residual is as large as the noise that `fitted_power`
        finds, and lets through no more than `least_noise_to_signal` allows.

    References
    ----------
    Hunt 1973, IEEE Trans. Comput. C-22, 805, doi:10.1109/TC.1973.5009169;
    Morozov 1966, Soviet Math. Dokl. 7, 414
    """
    check_shapes(flux, stamps)
    result = np.empty(flux.shape, dtype=np.float32)
    for seen, stamp, restored in zip(filled(flux), stamps, result, strict=True):
        plane, unit = in_noise_units(seen)
        spectrum = Spectrum(plane, stamp)
        response = _filter(plane, spectrum) if smoothness is None else _with(smoothness)
        del plane
        restored[:] = unit.restore(spectrum.filtered(response))
    result[~np.isfinite(flux)] = np.nan
    return result


def _with(smoothness: float, least: NDArray[np.float32] | None = None) -> Response:
    def response(strip: Strip) -> NDArray:
        ratio = np.float32(smoothness) * rough(strip)
        if least is not None:
            ratio = np.maximum(ratio, least[strip.ring])
        return strip.transfer.conj() / np.maximum(strip.gain + ratio, _TINY)

    return response


def _filter(plane: NDArray[np.float32], spectrum: Spectrum) -> Response:
    rings = ring_means(spectrum)
    law = fitted_power(plane, rings)
    return _with(by_discrepancy(spectrum, law.noise), least_noise_to_signal(rings, law))


def rough(strip: Strip) -> NDArray[np.float32]:
    """|L|² of the Laplacian L."""
    turns = np.float32(2 * np.pi)
    return np.square(4.0 - 2.0 * np.cos(turns * strip.y) - 2.0 * np.cos(turns * strip.x))


def by_discrepancy(spectrum: Spectrum, noise: float) -> float:
    """The γ with which the mean power of the residual is the ``noise``'s; it grows with γ."""
    # Of a frequency only |L/H|² counts: its power is sorted by that once.
    power = np.zeros(len(_LOG_RATIO))
    for strip in spectrum.strips():
        ratio = rough(strip) / np.maximum(strip.gain, np.float32(1e-30))
        place = (np.log(np.clip(ratio, 1e-30, 1e38)) - _LOG_RATIO[0]) / _BIN
        place = np.rint(place).astype(np.intp)
        power += np.bincount(place.ravel(), spectrum.power(strip).ravel(), len(power))
    power /= spectrum.shape[0] * (spectrum.shape[1] // 2 + 1)
    ratio = np.exp(_LOG_RATIO)
    low, high = np.log(LEAST), np.log(MOST)
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        left = np.exp(middle) * ratio
        residual = float(np.sum(power * (left / (1.0 + left)) ** 2))
        low, high = (low, middle) if residual > noise else (middle, high)
    return float(np.exp(low))

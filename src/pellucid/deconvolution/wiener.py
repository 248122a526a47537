"""Wiener deconvolution with the signal's power measured from the image itself."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.deconvolution.spectrum import (
    check_shapes,
    fitted_noise_to_signal,
    transforms,
)
from pellucid.errors import InputError
from pellucid.optics.inpaint import filled


def wiener(
    flux: NDArray[np.floating],
    stamps: NDArray[np.floating],
    noise_to_signal: float | None = None,
    boundary: Literal["reflect", "wrap"] = "reflect",
) -> NDArray[np.float32]:
    """Sharpen ``flux`` by the linear filter of least mean square error.

    In Fourier space x̂ = ŷ · H* / (|H|² + N/S) with the PSF's transfer function H, the power N of
    white noise and the power S of the sharp image, both measured from the image itself by
    `fitted_noise_to_signal`. Zero frequency passes unchanged, so total flux and sky stay.

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
    from scipy import fft

    check_shapes(flux, stamps)
    if noise_to_signal is not None and not noise_to_signal > 0:
        raise InputError(f"a noise-to-signal ratio of {noise_to_signal}; it must be positive")
    holes = ~np.isfinite(flux)
    data = filled(flux)
    height, width = data.shape[1:]
    result = np.empty_like(data)
    for plane, stamp, restored in zip(data, stamps, result, strict=True):
        image, transfer, shape = transforms(plane, stamp, boundary)
        if noise_to_signal is None:
            level = fitted_noise_to_signal(plane, image, transfer, shape)
        else:
            level = np.float32(noise_to_signal)
        response = transfer.conj() / (np.abs(transfer) ** 2 + level)
        response[0, 0] = 1.0
        restored[:] = np.asarray(fft.irfft2(image * response, s=shape))[:height, :width]
    result[holes] = np.nan
    return result

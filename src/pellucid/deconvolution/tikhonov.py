"""Constrained least squares: the smoothest image that explains what was seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.deconvolution.spectrum import check_shapes, transforms
from pellucid.optics.inpaint import filled
from pellucid.sky.background import robust_background

#: γ is looked for between these, by bisection of its logarithm.
LEAST, MOST, ROUNDS = 1e-6, 1e6, 40


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
        γ; None takes that with which the residual is as large as the noise of the sky.

    References
    ----------
    Hunt 1973, IEEE Trans. Comput. C-22, 805, doi:10.1109/TC.1973.5009169;
    Morozov 1966, Soviet Math. Dokl. 7, 414
    """
    from scipy import fft

    check_shapes(flux, stamps)
    holes = ~np.isfinite(flux)
    data = filled(flux)
    height, width = data.shape[1:]
    result = np.empty_like(data)
    for plane, stamp, restored in zip(data, stamps, result, strict=True):
        image, transfer, shape = transforms(plane, stamp)
        rows, columns = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])
        rough = (4.0 - 2.0 * np.cos(2 * np.pi * rows) - 2.0 * np.cos(2 * np.pi * columns)) ** 2
        gain = np.abs(transfer) ** 2
        strength = smoothness
        if strength is None:
            noise = robust_background(plane[None]).sigma ** 2
            strength = _by_discrepancy(np.abs(image) ** 2 / np.prod(shape), gain, rough, noise)
        response = transfer.conj() / np.maximum(gain + strength * rough, np.finfo(np.float32).tiny)
        restored[:] = np.asarray(fft.irfft2(image * response, s=shape))[:height, :width]
    result[holes] = np.nan
    return result


def _by_discrepancy(
    power: NDArray[np.floating],
    gain: NDArray[np.floating],
    rough: NDArray[np.floating],
    noise: float,
) -> float:
    """The γ with which the mean power of the residual is the ``noise``'s; it grows with γ."""
    low, high = np.log(LEAST), np.log(MOST)
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        left = np.exp(middle) * rough
        residual = float(np.mean(power * (left / (gain + left + 1e-30)) ** 2))
        low, high = (low, middle) if residual > noise else (middle, high)
    return float(np.exp(low))

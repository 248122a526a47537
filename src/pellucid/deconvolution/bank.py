"""A bank of Wiener filters: one image deconvolved with its exact kernel at several strengths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: The prior's spectrum is flat below this frequency and falls as k⁻³ above, cycles per pixel.
KNEE = 0.02
#: Of the noise's power: the least power that an image is taken to have.
FAINTEST = 0.05


def wiener_bank(
    plane: NDArray[np.float32],
    stamp: NDArray[np.floating],
    sigma: float,
    strengths: Sequence[float] = (0.1, 1.0, 10.0),
    signal: float | None = None,
) -> NDArray[np.float32]:
    """x̂ = ŷ · H* / (|H|² + λ N/S) for each λ.

    The prior S has a fixed shape, (1 + (k/k₀)²)^−3/2, and the power of the image above its noise.

    Parameters
    ----------
    plane
        Shape (y, x), sky at 0, any unit.
    stamp
        The kernel, odd sides, sum 1.
    sigma
        Standard deviation of the sky, in the plane's unit.
    strengths
        λ.
    signal
        Mean square of what is above the noise, in units of its variance, where the plane is a
        window of a larger one; None measures it.

    Returns
    -------
    NDArray
        Shape (strength, y, x), in the plane's unit.
    """
    from scipy import fft

    margin = min(max(stamp.shape) + 8, *plane.shape)
    sides = [fft.next_fast_len(side + 2 * margin, real=True) or 0 for side in plane.shape]
    widths = [(margin, full - side - margin) for full, side in zip(sides, plane.shape, strict=True)]
    shape = (int(sides[0]), int(sides[1]))
    image, transfer = _transforms(np.pad(plane, widths, mode="symmetric"), stamp)
    frequency = np.hypot(fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])).astype(np.float32)
    prior = (1.0 + (frequency / KNEE) ** 2) ** -1.5
    if signal is None:
        power = max(float(np.var(plane)) - sigma**2, FAINTEST * sigma**2)
    else:
        power = max(signal, FAINTEST) * sigma**2
    ratio = sigma**2 / power * prior.mean() / prior
    gain = np.abs(transfer) ** 2
    inner = tuple(
        slice(before, before + side) for (before, _), side in zip(widths, plane.shape, strict=True)
    )
    found = np.empty((len(strengths), *plane.shape), dtype=np.float32)
    for k, strength in enumerate(strengths):
        response = transfer.conj() / (gain + np.float32(strength) * ratio)
        response *= image
        found[k] = np.asarray(fft.irfft2(response, s=shape, overwrite_x=True))[inner]
    return found


def _transforms(
    plane: NDArray[np.float32], stamp: NDArray[np.floating]
) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
    """Half-plane Fourier transforms of one band and its PSF on its grid."""
    from scipy import fft

    # Centre at the origin; what overhangs a small grid comes round.
    rows, columns = (
        (np.arange(side) - side // 2) % length
        for side, length in zip(stamp.shape, plane.shape, strict=True)
    )
    kernel = np.zeros(plane.shape, dtype=np.float32)
    np.add.at(kernel, (rows[:, None], columns[None, :]), stamp)
    return np.asarray(fft.rfft2(plane)), np.asarray(fft.rfft2(kernel))

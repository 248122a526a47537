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
    whole: tuple[int, int] | None = None,
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
    whole
        (height, width) of that larger one.

    Returns
    -------
    NDArray
        Shape (strength, y, x), in the plane's unit.
    """
    from scipy import fft

    margin = min(max(stamp.shape) + 8, *plane.shape)
    shape = _grid(plane.shape, margin)
    widths = [(margin, full - side - margin) for full, side in zip(shape, plane.shape, strict=True)]
    image, transfer = _transforms(np.pad(plane, widths, mode="symmetric"), stamp)
    frequency = np.hypot(fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])).astype(np.float32)
    prior = (1.0 + (frequency / KNEE) ** 2) ** -1.5
    if signal is None:
        power = max(float(np.var(plane)) - sigma**2, FAINTEST * sigma**2)
    else:
        power = max(signal, FAINTEST) * sigma**2
    mean = _mean(prior, shape, shape if whole is None else _grid(whole, margin))
    ratio = sigma**2 / power * mean / prior
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


def _grid(shape: tuple[int, ...], margin: int) -> tuple[int, int]:
    """Sides of a plane with its margins that a Fourier transform is fast on."""
    from scipy import fft

    rows, columns = (fft.next_fast_len(side + 2 * margin, real=True) or 0 for side in shape)
    return int(rows), int(columns)


def _mean(prior: NDArray[np.float32], own: tuple[int, int], grid: tuple[int, int]) -> float:
    """The prior's mean over the half-plane of a grid, from what it is on its own.

    It counts the first column as much as the others, of which each stands for two, and so is the
    larger the smaller the grid. Networks have learned with it, and a window takes its image's.
    """
    if own == grid:
        return float(prior.mean())
    half = prior.sum(axis=0, dtype=np.float64)
    of_all = (2.0 * half.sum() - half[0] - (own[1] % 2 == 0) * half[-1]) / (own[0] * own[1])
    rows, columns = grid
    edges = [_column(rows, 0.0), *([_column(rows, 0.5)] if columns % 2 == 0 else [])]
    return (of_all * columns + sum(edges)) / 2.0 / (columns // 2 + 1)


def _column(rows: int, along: float) -> float:
    """The prior's mean where the other frequency is ``along``."""
    frequency = np.fft.fftfreq(rows)
    return float(np.mean((1.0 + (frequency**2 + along**2) / KNEE**2) ** -1.5))


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

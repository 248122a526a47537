"""Blind deconvolution: image and PSF by Richardson–Lucy in turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.deconvolution.spectrum import best_iterations, check_shapes
from pellucid.deconvolution.steps import extrapolated, first_estimate, ratio
from pellucid.optics.convolution import PAD_MODE, Boundary, Convolution
from pellucid.optics.inpaint import filled


def blind_richardson_lucy(
    flux: NDArray[np.floating],
    stamps: NDArray[np.floating],
    rounds: int | None = None,
    pedestal: ArrayLike | None = None,
    boundary: Boundary = "reflect",
    start: ArrayLike | None = None,
    accelerate: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sharpen ``flux`` and correct the PSF h by one Richardson–Lucy step of each a round.

    With r = y / (x ∗ h) both steps are taken from the same x and h, as MATLAB's ``deconvblind``
    takes them: x ← x · (h ⋆ r) / (h ⋆ 1) and h ← h · (x ⋆ r) / (x ⋆ 1) on the support of the
    first stamp, then h / Σh. The PSF stays non-negative with sum 1.

    Parameters
    ----------
    flux, pedestal, boundary, start, accelerate
        As in `richardson_lucy`.
    stamps
        Where the PSF starts, shape (band, y, x); pixels that are 0 stay 0.
    rounds
        How far to go; None takes what `best_iterations` expects to be best with the first PSF.

    Returns
    -------
    tuple
        The flux, in its own unit and shape, and the stamps.

    References
    ----------
    Ayers & Dainty 1988, Opt. Lett. 13, 547, doi:10.1364/OL.13.000547;
    Fish et al. 1995, JOSA A 12, 58, doi:10.1364/JOSAA.12.000058
    """
    check_shapes(flux, stamps)
    holes = ~np.isfinite(flux)
    finite = filled(flux)
    if rounds is None:
        rounds = best_iterations(finite, stamps)
    data, level, first = first_estimate(finite, pedestal, start)
    shape = (data.shape[1], data.shape[2])
    ones = np.ones_like(data)
    now = before = first
    psf = psf_before = _normalised(np.asarray(stamps, dtype=np.float32))
    change = earlier = psf_change = psf_earlier = None
    for _ in range(rounds):
        point, kernel = now, psf
        if accelerate:
            point = extrapolated(now, before, change, earlier)
            kernel = _normalised(extrapolated(psf, psf_before, psf_change, psf_earlier))
        blur = Convolution(kernel, shape, boundary)
        residual = ratio(data, blur(point))
        before, now = now, point * blur.adjoint(residual) / blur.adjoint(ones)
        light = _correlation(point, ones, kernel, boundary)
        # An image without light says nothing of its PSF.
        moved = np.divide(
            kernel * _correlation(point, residual, kernel, boundary),
            light,
            out=kernel.copy(),
            where=light > 0,
        )
        psf_before, psf = psf, _normalised(moved)
        change, earlier = now - point, change
        psf_change, psf_earlier = psf - kernel, psf_change
    result = now - level
    result[holes] = np.nan
    return result, psf


def _correlation(
    flux: NDArray[np.float32],
    weights: NDArray[np.float32],
    stamps: NDArray[np.float32],
    boundary: Boundary,
) -> NDArray[np.float32]:
    """Σₙ weights[n] · flux[n − d] for each offset d of the stamp: the blur's adjoint in the PSF."""
    from scipy.signal import correlate

    rows, columns = stamps.shape[1] // 2, stamps.shape[2] // 2
    padded = np.pad(flux, ((0, 0), (rows, rows), (columns, columns)), mode=PAD_MODE[boundary])
    return np.stack(
        [
            correlate(wide, plane, mode="valid", method="fft")[::-1, ::-1]
            for wide, plane in zip(padded, weights, strict=True)
        ]
    ).astype(np.float32)


def _normalised(stamps: NDArray[np.float32]) -> NDArray[np.float32]:
    stamps = np.maximum(stamps, 0.0)
    return stamps / stamps.sum(axis=(1, 2), keepdims=True)

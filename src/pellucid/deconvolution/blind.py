"""Blind deconvolution: image and PSF by Richardson–Lucy in turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.deconvolution.signal import best_iterations
from pellucid.deconvolution.spectrum import check_shapes
from pellucid.deconvolution.steps import agreement, extrapolated, first_estimate, pedestals, ratio
from pellucid.deconvolution.units import Unit
from pellucid.optics.convolution import Boundary, Convolution
from pellucid.sky.inpaint import filled


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
    finite = filled(flux)
    if rounds is None:
        rounds = best_iterations(finite, stamps)
    levels = pedestals(finite, pedestal)
    starts = None if start is None else np.broadcast_to(start, flux.shape)
    result = np.empty(flux.shape, dtype=np.float32)
    found = np.empty(stamps.shape, dtype=np.float32)
    for band, level in enumerate(levels):
        one = slice(band, band + 1)
        first = None if starts is None else starts[one]
        result[one], found[one] = _in_turn(
            first_estimate(finite[one], float(level), first),
            stamps[one],
            rounds,
            boundary,
            accelerate,
        )
    result[~np.isfinite(flux)] = np.nan
    return result, found


def _in_turn(
    began: tuple[NDArray[np.float32], Unit, NDArray[np.float32]],
    stamps: NDArray[np.floating],
    rounds: int,
    boundary: Boundary,
    accelerate: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One band's image and PSF after these rounds, from what `first_estimate` returns."""
    data, unit, now = began
    del began
    ones = np.broadcast_to(np.float32(1.0), data.shape)
    point, change, psf_change = now, None, None
    kernel = psf = _normalised(np.asarray(stamps, dtype=np.float32))
    for _ in range(rounds):
        blur = Convolution(kernel, (data.shape[1], data.shape[2]), boundary)
        light = blur.in_psf(point, ones)
        residual = ratio(data, blur(point))
        # An image without light says nothing of its PSF.
        better = np.divide(
            kernel * blur.in_psf(point, residual), light, out=kernel.copy(), where=light > 0
        )
        better = _normalised(better)
        step = blur.adjoint(residual, out=residual)
        del residual
        step *= point
        step /= blur.adjoint(ones)
        if accelerate:
            psf_moved = better - kernel
            moved = np.subtract(step, point, out=None if point is now else point)
            reach, change = agreement(moved, change), moved
            psf_reach, psf_change = agreement(psf_moved, psf_change), psf_moved
            point = extrapolated(step, now, reach) if reach else step
            kernel = _normalised(extrapolated(better, psf, psf_reach))
            del moved
        else:
            point, kernel = step, better
        now, psf = step, better
        del step, blur
    # A PSF that has lost its symmetry loses light over the mirrored edge.
    total = now.sum(dtype=np.float64)
    now *= np.float32(data.sum(dtype=np.float64) / total if total > 0 else 1.0)
    return unit.restore(now), psf


def _normalised(stamps: NDArray[np.float32]) -> NDArray[np.float32]:
    stamps = np.maximum(stamps, 0.0)
    return stamps / stamps.sum(axis=(1, 2), keepdims=True)

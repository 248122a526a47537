"""Richardson–Lucy deconvolution of flux that may be negative."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.deconvolution.signal import best_iterations
from pellucid.deconvolution.spectrum import check_shapes
from pellucid.deconvolution.steps import agreement, extrapolated, first_estimate, pedestals, ratio
from pellucid.optics.convolution import Boundary, Convolution
from pellucid.sky.inpaint import filled

#: What an edge weight may vary by and be one number.
ALIKE = 1e-5


def richardson_lucy(
    flux: NDArray[np.floating],
    stamps: NDArray[np.floating],
    iterations: int | None = None,
    pedestal: ArrayLike | None = None,
    boundary: Boundary = "reflect",
    start: ArrayLike | None = None,
    accelerate: bool = False,
) -> NDArray[np.float32]:
    """Sharpen ``flux`` by the iteration x ← x · Bᵀ(y / Bx) / Bᵀ1 on y = flux + pedestal.

    Each step keeps the total flux of an even PSF. The pedestal stands for the sky that was
    subtracted: without it noise below the sky has no Poisson likelihood and would have to be cut.

    Parameters
    ----------
    flux
        Shape (band, y, x), linear, any unit. NaN pixels are filled first and NaN again after.
    stamps
        The PSF, shape (band, y, x), each summing to 1; ``PSF.for_bands`` gives them.
    iterations
        How far to go; more is sharper and noisier. None takes what `best_iterations` expects
        to be nearest to the truth; GalaxyGAN's authors took 10.
    pedestal
        Added before and taken off after, in the unit of ``flux``, one value or one a band. None
        takes what `sky_pedestal` measures.
    boundary
        What lies beyond the image; MATLAB's is ``"wrap"``.
    start
        The first x without its pedestal, in the unit of ``flux``, a number or an array that fits
        ``flux``. None starts flat at each band's mean, from which noise grows slowest; MATLAB
        starts at the image itself.
    accelerate
        Extrapolate along the last steps, as MATLAB does (Biggs & Andrews 1997).

    References
    ----------
    Richardson 1972, JOSA 62, 55, doi:10.1364/JOSA.62.000055;
    Lucy 1974, AJ 79, 745, doi:10.1086/111605;
    Biggs & Andrews 1997, Appl. Opt. 36, 1766, doi:10.1364/AO.36.001766
    """
    check_shapes(flux, stamps)
    finite = filled(flux)
    if iterations is None:
        iterations = best_iterations(finite, stamps)
    levels = pedestals(finite, pedestal)
    starts = None if start is None else np.broadcast_to(start, flux.shape)
    result = np.empty(flux.shape, dtype=np.float32)
    for band, level in enumerate(levels):
        one = slice(band, band + 1)
        data, unit, now = first_estimate(
            finite[one], float(level), None if starts is None else starts[one]
        )
        blur = Convolution(stamps[one], (data.shape[1], data.shape[2]), boundary)
        weight = blur.adjoint(np.broadcast_to(np.float32(1.0), data.shape))
        if np.ptp(weight) < ALIKE:  # as under an even PSF: no array of ones is carried along
            weight = weight.mean(dtype=np.float32)
        point, change = now, None
        for _ in range(iterations):
            step = ratio(data, blur(point))
            step = blur.adjoint(step, out=step)
            step *= point
            step /= weight
            if accelerate:
                moved = np.subtract(step, point, out=None if point is now else point)
                reach, change = agreement(moved, change), moved
                point = extrapolated(step, now, reach) if reach else step
            else:
                point = step
            now = step
        result[one] = unit.restore(now)
    result[~np.isfinite(flux)] = np.nan
    return result

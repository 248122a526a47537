"""What alternates from pixel to pixel, which no sky behind a well-sampled target does, taken away.

A network that halves and doubles pixels leaves a lattice of two pixels, faint everywhere and plain
where its image is bright and not quite what it was told. A Gaussian target of 2.25 pixels leaves a
hundredth of the light's amplitude there. Yet a point's own core has that hundredth: where something
compact is near, all stays.
"""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.restoration.doubt import ramp

#: Of the frequency f of each axis, in cycles a pixel, 1 − sin⁸(πf) is kept.
ORDER = 8
#: Squares of so many pixels, of which a lattice of two knows nothing, tell what is compact …
SQUARE = 2
#: … where their second difference rises from the first to the second of these, in an asinh …
CURVED = (0.15, 0.4)
#: … and all stays within so many squares of that.
NEAR = 2
#: The softening of what is smoothed around a star, in units of the noise.
SOFT = np.float32(3.0)


def band_limited(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Planes without what alternates from pixel to pixel, but for what is compact.

    Parameters
    ----------
    planes
        Shape (band, y, x), an asinh of the flux.
    """
    limited = np.empty_like(planes)
    for plane, result in zip(planes, limited, strict=True):
        result[:] = _without(plane)
        result += _compact(plane) * (plane - result)
    return limited


def smoothed_around(flux: NDArray[np.float32], where: NDArray[np.floating]) -> NDArray[np.float32]:
    """Flux without what alternates from pixel to pixel ``where`` this is 1.

    What is smoothed is an asinh of it, in which a star is a parabola on wings, and leaves no rings.

    Parameters
    ----------
    flux
        Above the sky in units of its noise, shape (band, y, x).
    where
        From 0 to 1, alike.
    """
    smooth = flux.copy()
    for plane, share, result in zip(flux, where, smooth, strict=True):
        value = np.arcsinh(plane / SOFT)
        value += share.astype(np.float32) * (_without(value) - value)
        np.copyto(result, np.sinh(value) * SOFT, where=share > 0)
    return smooth


def _without(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """A plane without what alternates along its rows or columns."""
    from scipy.ndimage import correlate1d

    kept = _kept()
    limited = np.empty_like(plane)
    correlate1d(correlate1d(plane, kept, axis=0), kept, axis=1, output=limited)
    return limited


def _kept() -> NDArray[np.floating[Any]]:
    """The filter along an axis: a pixel, less a binomial of alternating sign."""
    places = np.arange(ORDER + 1)
    binomial = np.array([comb(ORDER, k) for k in places]) * (-1.0) ** (places - ORDER // 2)
    return (places == ORDER // 2) - binomial / 2.0**ORDER


def _compact(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """From 0 to 1, how near each pixel is to something as narrow as a point at the target."""
    from scipy.ndimage import maximum_filter, uniform_filter

    odd = [(0, side % SQUARE) for side in plane.shape]  # belongs to the last whole square
    rows, columns = (side - side % SQUARE for side in plane.shape)
    whole = plane[:rows, :columns]
    square = sum(whole[i::SQUARE, j::SQUARE] for i in range(SQUARE) for j in range(SQUARE))
    around = np.pad(square / np.float32(SQUARE**2), 1, mode="reflect", reflect_type="odd")
    middle = 2.0 * around[1:-1, 1:-1]
    curved = np.abs(around[:-2, 1:-1] + around[2:, 1:-1] - middle)
    curved += np.abs(around[1:-1, :-2] + around[1:-1, 2:] - middle)
    near = maximum_filter(ramp(curved, CURVED).astype(np.float32), 2 * NEAR + 1)
    soft = np.asarray(uniform_filter(near, 3), dtype=np.float32)
    return np.pad(soft.repeat(SQUARE, axis=0).repeat(SQUARE, axis=1), odd, mode="edge")

"""Distortions of a pixel grid, brought to the form that a header can hold: SIP's polynomials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

_ORDER = 5
_POINTS = 40


def has_tables(wcs: WCS) -> bool:
    """Whether a WCS is distorted by tables, which stand in extensions of their file (HST)."""
    tables = (wcs.cpdis1, wcs.cpdis2, wcs.det2im1, wcs.det2im2)
    return any(table is not None for table in tables)


def without_tables(wcs: WCS, shape: tuple[int, int]) -> WCS:
    """The same sky with all distortions as SIP, fitted over a grid of ``shape`` (y, x)."""
    linear = wcs.deepcopy()
    linear.sip = linear.cpdis1 = linear.cpdis2 = linear.det2im1 = linear.det2im2 = None
    return _with_sip(linear, wcs, [(0.5, side + 0.5) for side in shape[::-1]])


def without_plate(wcs: WCS, shape: tuple[int, int]) -> WCS:
    """The same sky with a photographic plate's polynomials as SIP, for a grid of ``shape`` (y, x).

    wcslib reads them (the AMDX and AMDY cards of the Digitized Sky Survey) and cannot write them.
    They are of fifth order about the plate's centre, and so is SIP: a fit around it is exact.
    """
    from astropy.wcs import WCS

    linear = WCS(naxis=2)
    for name in ("ctype", "cunit", "crval", "crpix", "cdelt", "pc", "radesys", "equinox"):
        setattr(linear.wcs, name, getattr(wcs.wcs, name))
    linear.wcs.set()
    crpix = wcs.wcs.crpix
    far = max(np.abs(crpix).max(), np.abs(crpix - shape[::-1]).max())
    return _with_sip(linear, wcs, [(place - far, place + far) for place in crpix])


def _with_sip(linear: WCS, wcs: WCS, ranges: Sequence[tuple[float, float]]) -> WCS:
    """``linear`` with SIP's polynomials, by which it shows the sky of ``wcs``.

    They are fitted over a grid between these pixels of x and of y.

    Where a pixel p is seen undistorted at q, SIP says q − p = Σ A_jk u^j v^k with (u, v) = p −
    CRPIX; the fit is of fifth order, its terms scaled to the size of the grid.

    References
    ----------
    Shupe et al. 2005, ASPC 347, 491.
    """
    from astropy.wcs import Sip

    crpix = wcs.wcs.crpix
    axes = [np.linspace(low, high, _POINTS) for low, high in ranges]
    pixel = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    seen = linear.wcs_world2pix(wcs.all_pix2world(pixel, 1), 1)
    size = max(high - low for low, high in ranges)
    u, v = ((pixel - crpix) / size).T
    powers = [(j, k) for j in range(_ORDER + 1) for k in range(_ORDER + 1 - j)]
    terms = np.stack([u**j * v**k for j, k in powers], axis=-1)
    found = np.linalg.lstsq(terms, (seen - pixel) / size, rcond=None)[0]
    tables: list[NDArray[np.float64]] = [np.zeros((_ORDER + 1, _ORDER + 1)) for _ in range(2)]
    for (j, k), values in zip(powers, found, strict=True):
        for table, value in zip(tables, values, strict=True):
            table[j, k] = value * size ** (1 - j - k)
    linear.sip = Sip(*tables, None, None, crpix)
    linear.wcs.ctype = [
        name if name.endswith("-SIP") else f"{name[:8]}-SIP" for name in linear.wcs.ctype
    ]
    return linear

"""Flux, size, place and shape of a source: what a restoration must not change.

All but the ellipticity, which has no windowed form there, is the work of sep, SExtractor as a
library (Barbary 2016, JOSS 1, 58, doi:10.21105/joss.00058).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Position = tuple[float, float]


def aperture_flux(flux: NDArray[np.floating], center: Position, radius: float) -> float:
    """Sum of the flux in a circle, each pixel by the share of it that lies inside.

    Parameters
    ----------
    flux
        Shape (y, x), sky-subtracted, any unit.
    center
        (y, x) in pixels; (0, 0) is the middle of the first pixel.
    radius
        Pixels.
    """
    import sep

    y, x = center
    return float(sep.sum_circle(_native(flux), [x], [y], [radius], subpix=0)[0][0])


def half_light_radius(flux: NDArray[np.floating], center: Position, radius: float) -> float:
    """Radius in pixels of the circle that holds half of the flux within ``radius``.

    It is read off a curve of growth of 64 steps up to there.

    Parameters
    ----------
    flux, center, radius
        As `aperture_flux`.

    Returns
    -------
    float
        NaN where the aperture holds no positive flux.
    """
    import sep

    plane, (y, x) = _native(flux), center
    total = aperture_flux(plane, center, radius)
    if not total > 0:
        return float("nan")
    half, _ = sep.flux_radius(plane, [x], [y], [radius], 0.5, normflux=np.array([total]))
    return float(half[0])


def kron_radius(
    flux: NDArray[np.floating],
    center: Position,
    region: NDArray[np.bool_],
    ellipse: tuple[float, float, float] = (1.0, 1.0, 0.0),
    reach: float = np.inf,
) -> float:
    """First moment of a source's light, Σ r f / Σ f.

    Parameters
    ----------
    flux, center
        As `aperture_flux`.
    region
        Shape (y, x); True on the pixels that count.
    ellipse
        Semi-major and semi-minor axis in pixels, which are the units of r, and the angle of the
        major axis from x to y in radians.
    reach
        The largest r that counts.

    Returns
    -------
    float
        0 where the region holds no positive flux.

    References
    ----------
    Kron 1980, ApJS 43, 305, doi:10.1086/190669
    """
    import sep

    (y, x), (a, b, theta) = center, ellipse
    reach = min(reach, float(np.hypot(*flux.shape)) / b)
    found, _ = sep.kron_radius(
        _native(flux), [x], [y], [a], [b], [theta], [reach], mask=np.ascontiguousarray(~region)
    )
    return float(found[0])


def centroid(
    flux: NDArray[np.floating], center: Position, radius: float, weight: float
) -> Position:
    """Flux-weighted mean position in a circle, under a Gaussian window that follows it.

    It repeats c ← c + 2 Σ w f (x − c) / Σ w f until it rests: noise far from the source cannot
    pull it (Bertin & Arnouts 1996, A&AS 117, 393, doi:10.1051/aas:1996164).

    Parameters
    ----------
    flux, center, radius
        As `aperture_flux`.
    weight
        Standard deviation of the window in pixels.

    Returns
    -------
    tuple
        (y, x) in pixels; NaN where there is no positive flux, or none to rest at.
    """
    import sep

    # The window's own end, 4 σ, would reach beyond the circle.
    inside = _native(flux * _circle(flux.shape, center, radius)[2])
    x, y, _ = (float(value[0]) for value in sep.winpos(inside, [center[1]], [center[0]], [weight]))
    if not inside.sum() > 0 or np.hypot(y - center[0], x - center[1]) > radius:
        return float("nan"), float("nan")
    return y, x


def ellipticity(
    flux: NDArray[np.floating], center: Position, radius: float, weight: float | None = None
) -> complex:
    """e₁ + i e₂ = (Qₓₓ − Qᵧᵧ + 2i Qₓᵧ) / (Qₓₓ + Qᵧᵧ) from second moments about ``center``.

    |e| = (1 − q²)/(1 + q²) for an axis ratio q; a Gaussian window makes it rounder.

    Parameters
    ----------
    flux, center, radius
        As `aperture_flux`.
    weight
        Standard deviation of the window in pixels; None weighs all of the circle alike.

    Returns
    -------
    complex
        NaN where the moments are not positive.

    References
    ----------
    Kaiser, Squires & Broadhurst 1995, ApJ 449, 460, doi:10.1086/176071
    """
    y, x, circle = _circle(flux.shape, center, radius)
    weighted = flux * circle
    if weight is not None:
        weighted = weighted * np.exp(-0.5 * (y * y + x * x) / weight**2)
    qxx, qyy, qxy = (
        float(np.sum(weighted * moment, dtype=np.float64)) for moment in (x * x, y * y, x * y)
    )
    if not (qxx + qyy > 0 and np.sum(weighted) > 0):
        return complex("nan")
    return complex(qxx - qyy, 2.0 * qxy) / (qxx + qyy)


def _circle(
    shape: tuple[int, ...], center: Position, radius: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Offsets y and x from the centre, and 1 inside the circle, falling to 0 across one pixel."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    y, x = y - center[0], x - center[1]
    return y, x, np.clip(radius + 0.5 - np.hypot(y, x), 0.0, 1.0)


def _native(flux: NDArray[np.floating]) -> NDArray[np.float64]:
    """As sep asks for it: C-contiguous and in the machine's byte order."""
    return np.ascontiguousarray(flux, dtype=np.float64)

"""Flux, size, place and shape of a source: what a restoration must not change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Position = tuple[float, float]


def aperture_flux(flux: NDArray[np.floating], center: Position, radius: float) -> float:
    """Sum of the flux in a circle, pixels on its rim counted in part.

    Parameters
    ----------
    flux
        Shape (y, x), sky-subtracted, any unit.
    center
        (y, x) in pixels; (0, 0) is the middle of the first pixel.
    radius
        Pixels.
    """
    return float(np.sum(flux * circle(flux.shape, center, radius), dtype=np.float64))


def half_light_radius(flux: NDArray[np.floating], center: Position, radius: float) -> float:
    """Radius in pixels that holds half of the flux within ``radius``.

    The curve of growth runs over the pixels in order of distance, each adding its own area: the
    circle of n pixels has the radius √(n/π).

    Parameters
    ----------
    flux, center, radius
        As `aperture_flux`.

    Returns
    -------
    float
        NaN where the aperture holds no positive flux.
    """
    y, x = _offsets(flux.shape, center)
    distance = np.hypot(y, x)
    inside = distance <= radius
    order = np.argsort(distance[inside], kind="stable")
    growth = np.cumsum(flux[inside][order], dtype=np.float64)
    if growth.size == 0 or not growth[-1] > 0:
        return float("nan")
    half = 0.5 * growth[-1]
    crossing = int(np.argmax(growth >= half))
    before = growth[crossing - 1] if crossing else 0.0
    area = crossing + (half - before) / (growth[crossing] - before)
    return float(np.sqrt(area / np.pi))


def centroid(
    flux: NDArray[np.floating], center: Position, radius: float, weight: float | None = None
) -> Position:
    """Flux-weighted mean position in a circle, or under a Gaussian window that follows it.

    The windowed form repeats c ← c + 2 Σ w f (x − c) / Σ w f until it rests: noise far from the
    source cannot pull it (Bertin & Arnouts 1996, A&AS 117, 393, doi:10.1051/aas:1996164).

    Parameters
    ----------
    flux, center, radius
        As `aperture_flux`.
    weight
        Standard deviation of the window in pixels; None weighs all of the circle alike.

    Returns
    -------
    tuple
        (y, x) in pixels; NaN where there is no positive flux.
    """
    inside = circle(flux.shape, center, radius)
    step = 1.0 if weight is None else 2.0
    place = center
    for _ in range(1 if weight is None else 30):
        y, x = _offsets(flux.shape, place)
        weighted = flux * inside * _window(y, x, weight)
        total = float(np.sum(weighted, dtype=np.float64))
        if not total > 0:
            return float("nan"), float("nan")
        move = step * np.sum(weighted * y) / total, step * np.sum(weighted * x) / total
        place = place[0] + float(move[0]), place[1] + float(move[1])
        if np.hypot(place[0] - center[0], place[1] - center[1]) > radius:
            return float("nan"), float("nan")
        if np.hypot(*move) < 1e-4:
            break
    return place


def ellipticity(
    flux: NDArray[np.floating], center: Position, radius: float, weight: float | None = None
) -> complex:
    """e₁ + i e₂ = (Qₓₓ − Qᵧᵧ + 2i Qₓᵧ) / (Qₓₓ + Qᵧᵧ) from second moments about ``center``.

    |e| = (1 − q²)/(1 + q²) for an axis ratio q; a Gaussian window makes it rounder.

    Parameters
    ----------
    flux, center, radius, weight
        As `centroid`.

    Returns
    -------
    complex
        NaN where the moments are not positive.

    References
    ----------
    Kaiser, Squires & Broadhurst 1995, ApJ 449, 460, doi:10.1086/176071
    """
    y, x = _offsets(flux.shape, center)
    weighted = flux * circle(flux.shape, center, radius) * _window(y, x, weight)
    qxx, qyy, qxy = (
        float(np.sum(weighted * moment, dtype=np.float64)) for moment in (x * x, y * y, x * y)
    )
    if not (qxx + qyy > 0 and np.sum(weighted) > 0):
        return complex("nan")
    return complex(qxx - qyy, 2.0 * qxy) / (qxx + qyy)


def circle(shape: tuple[int, ...], center: Position, radius: float) -> NDArray[np.float64]:
    """The share of each pixel that lies in a circle: 1 inside, falling to 0 across one pixel."""
    return np.clip(radius + 0.5 - np.hypot(*_offsets(shape, center)), 0.0, 1.0)


def _offsets(
    shape: tuple[int, ...], center: Position
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return y - center[0], x - center[1]


def _window(
    y: NDArray[np.float64], x: NDArray[np.float64], weight: float | None
) -> NDArray[np.float64] | float:
    return 1.0 if weight is None else np.exp(-0.5 * (y * y + x * x) / weight**2)

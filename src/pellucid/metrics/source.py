"""One galaxy before and after: its flux, size, place and shape, measured alike in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pellucid.metrics.comparison import Comparison, check_pair
from pellucid.sky.background import robust_background
from pellucid.sky.inpaint import filled
from pellucid.sources import (
    Position,
    aperture_flux,
    centroid,
    detect,
    ellipticity,
    half_light_radius,
    kron_radius,
)

#: Kron's aperture: this many first-moment radii hold nearly all of a galaxy's light.
KRON_FACTOR = 2.5
DETECTION_SIGMAS = 3.0
#: Standard deviation in pixels of what smooths an image before its source is looked for.
SMOOTHING = 1.5
SOURCE_ERRORS = ("flux_ratio", "half_light_radius_ratio", "centroid_error", "ellipticity_error")


@dataclass(frozen=True)
class Aperture:
    """Where a galaxy is and how far it reaches, in pixels; ``neighbours`` (y, x) are not it."""

    center: Position
    radius: float
    neighbours: NDArray[np.bool_]


def measure_source(pair: Comparison) -> dict[str, float]:
    """`source_errors`: flux, size, place, shape and colours of the source in the middle."""
    return source_errors(pair.truth.flux, pair.restored.flux, pair.truth.bands)


def find_source(truth: NDArray[np.floating]) -> Aperture | None:
    """The brightest source near the middle of an image, with Kron's aperture.

    Bands are averaged, smoothed lightly and cut at 3 standard deviations of the result; each
    connected region counts by its flux and its nearness to the centre. The radius is 2.5 Σ r f /
    Σ f over the region, at least 3 pixels and at most half of the shorter side.

    Parameters
    ----------
    truth
        Shape (band, y, x), any unit, finite.

    Returns
    -------
    Aperture or None
        None where nothing stands above the noise.

    References
    ----------
    Kron 1980, ApJS 43, 305, doi:10.1086/190669
    """
    from scipy import ndimage

    plane = _above_sky(truth).mean(axis=0)
    smooth = ndimage.gaussian_filter(plane, SMOOTHING)
    background = robust_background(smooth[None])
    smooth = smooth - background.sky[0]
    peak = float(smooth.max())
    # A simulated galaxy without noise has no end; a thousandth of its peak is far enough out.
    threshold = max(DETECTION_SIGMAS * background.sigma, 1e-3 * peak)
    if not peak > threshold:
        return None
    # Smoothed already, and whole: a galaxy's arms and clumps belong to it.
    found = detect(smooth, threshold, min_area=1, fwhm=0.0, contrast=1.0, clean=False)
    labels = found.segments
    height, width = plane.shape
    y, x = np.ogrid[:height, :width]
    distance2 = (y - (height - 1) / 2) ** 2 + (x - (width - 1) / 2) ** 2
    near = smooth * np.exp(-0.5 * distance2 / (min(height, width) / 6) ** 2)
    merit = np.bincount(labels.ravel(), near.ravel())
    merit[0] = -np.inf
    region = labels == int(np.argmax(merit))
    top = np.unravel_index(int(np.argmax(np.where(region, near, -np.inf))), near.shape)
    center = float(top[0]), float(top[1])
    radius = KRON_FACTOR * kron_radius(smooth, center, region)
    radius = min(max(radius, 3.0), min(height, width) / 2)
    return Aperture(center, radius, (labels > 0) & ~region)


def source_errors(
    truth: NDArray[np.floating], restored: NDArray[np.floating], bands: Sequence[str] = ()
) -> dict[str, float]:
    """What became of the source nearest the middle: flux, size, place and shape.

    Aperture, window and neighbours are taken from the truth and used on both images, each above
    its own sky, with bands averaged. Centroid and ellipticity are under a Gaussian window as
    wide as the truth's half-light radius, but at least 1.5 pixels.

    Parameters
    ----------
    truth, restored
        Flux, shape (band, y, x), one unit. Pixels that are not finite in either are filled from
        their surroundings in both.
    bands
        Their names, for the colours; none leaves colours out.

    Returns
    -------
    dict
        ``flux_ratio`` and ``half_light_radius_ratio`` (restored over truth, 1 is right),
        ``centroid_error`` (pixels), ``ellipticity_error`` (|Δe|), and for each band and the next
        ``colour_error_g_r`` (|Δ(g − r)| of the aperture, magnitudes); NaN for what cannot be
        measured.

    """
    colours = [f"colour_error_{blue}_{red}" for blue, red in pairwise(bands)]
    errors = dict.fromkeys((*SOURCE_ERRORS, *colours), float("nan"))
    check_pair(truth, restored)
    holes = ~(np.isfinite(truth) & np.isfinite(restored))
    source = find_source(filled(truth, holes))
    if source is None:
        return errors
    holes |= source.neighbours
    pair = [_above_sky(filled(flux, holes), source) for flux in (truth, restored)]
    # Without names there are no colours.
    errors |= zip(colours, _colour_errors(pair, source), strict=False)
    planes = [flux.mean(axis=0) for flux in pair]
    errors["flux_ratio"] = _ratio(
        *(aperture_flux(plane, source.center, source.radius) for plane in planes)
    )
    size = half_light_radius(planes[0], source.center, source.radius)
    if not np.isfinite(size):
        return errors
    weight = max(size, 1.5)
    places = [centroid(plane, source.center, source.radius, weight) for plane in planes]
    if not np.isfinite(places).all():
        return errors
    centred = list(zip(planes, places, strict=True))
    sizes = [half_light_radius(plane, place, source.radius) for plane, place in centred]
    shapes = [ellipticity(plane, place, source.radius, weight) for plane, place in centred]
    errors["half_light_radius_ratio"] = _ratio(*sizes)
    errors["centroid_error"] = float(np.hypot(*np.subtract(places[1], places[0])))
    errors["ellipticity_error"] = abs(shapes[1] - shapes[0])
    return errors


def _above_sky(flux: NDArray[np.float32], source: Aperture | None = None) -> NDArray[np.float32]:
    """Flux less the sky of each band, measured outside the source's aperture."""
    outside = flux
    if source is not None:
        y, x = np.ogrid[: flux.shape[1], : flux.shape[2]]
        inside = np.hypot(y - source.center[0], x - source.center[1]) < 1.25 * source.radius
        if np.count_nonzero(~inside) >= 50:
            outside = np.where(inside, np.float32(np.nan), flux)
    return flux - robust_background(outside).sky[:, None, None]


def _colour_errors(pair: Sequence[NDArray[np.float32]], source: Aperture) -> list[float]:
    """|Δ colour| of each band and the next in the aperture, magnitudes."""
    fluxes = np.array(
        [[aperture_flux(plane, source.center, source.radius) for plane in flux] for flux in pair]
    )
    magnitudes = -2.5 * np.log10(np.where(fluxes > 0, fluxes, np.nan))
    return [float(error) for error in np.abs(np.diff(np.diff(magnitudes, axis=1), axis=0))[0]]


def _ratio(truth: float, restored: float) -> float:
    return float(restored / truth) if truth > 0 else float("nan")

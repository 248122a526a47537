"""What stands in a window: its sky, its noise, and which pixels belong to which source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.optics import block_mean
from pellucid.sky import robust_background
from pellucid.sources import detect, kron_radius

#: Detection: least height in standard deviations of the sky.
_THRESHOLD = 1.5
#: The sky is measured this far (pixels) from what is detected, on at most so many pixels.
_MARGIN, _SAMPLE = 3, 200_000
#: Kron's radius times this holds nearly all of a source's light; below the least radius it is
#: noise (the values are SExtractor's PHOT_AUTOPARAMS).
_KRON_FACTOR, _KRON_LEAST, _KRON_REACH = 2.5, 3.5, 6.0


@dataclass(frozen=True, eq=False)
class Segments:
    """A window taken apart.

    Parameters
    ----------
    flux
        Shape (y, x), its sky subtracted; NaN where there is no data.
    noise
        Standard deviation of a sky pixel.
    labels
        Shape (y, x); k + 1 on the pixels of source k, 0 on the sky.
    places
        Barycentres (y, x) in pixels, shape (source, 2).
    shapes
        Standard deviations along the major and minor axis in pixels, and the angle of the major
        axis from x to y in radians; shape (source, 3).
    """

    flux: NDArray[np.float32]
    noise: float
    labels: NDArray[np.int32]
    places: NDArray[np.float64]
    shapes: NDArray[np.float64]

    def at(self, place: NDArray[np.float64], within: float) -> int:
        """Label of the source at a pixel (y, x), or of the nearest one ``within`` pixels; or 0."""
        rows, columns = np.nonzero(self.labels)
        distance = np.hypot(rows - place[0], columns - place[1])
        if not (distance <= within).any():
            return 0
        nearest = int(distance.argmin())
        return int(self.labels[rows[nearest], columns[nearest]])


def segment(flux: NDArray[np.floating], binning: int = 1) -> Segments:
    """Measure a window's sky and noise, and find its sources.

    Parameters
    ----------
    flux
        Shape (y, x); NaN where there is no data.
    binning
        Sources are looked for in means over so many pixels a side: finely sampled images show
        more of a galaxy's faint parts, and fewer of its knots, that way.
    """
    if not np.isfinite(flux).any():
        raise InputError("no sky around it: no pixel has data")
    coarse = block_mean(flux.astype(np.float64), binning, binning)
    first = robust_background(coarse[None])
    if not first.sigma > 0:
        raise InputError("no noise around it: the sky's pixels are all equal")
    found = detect(coarse - first.sky[0], _THRESHOLD, first.sigma, fwhm=None)
    labels = _repeated(found.segments, binning, flux.shape)
    near = _repeated(grown(found.segments > 0, _MARGIN), binning, flux.shape)
    pixels = flux[~near & np.isfinite(flux)]
    if pixels.size < 100:  # a source fills the window: clipping has to do
        pixels = flux[np.isfinite(flux)]
    background = robust_background(pixels[None, None, :: 1 + pixels.size // _SAMPLE])
    middle = 0.5 * (binning - 1)
    return Segments(
        (flux - background.sky[0]).astype(np.float32),
        background.sigma,
        labels.astype(np.int32),
        np.stack([found.y, found.x], axis=-1) * binning + middle,
        np.stack([found.a * binning, found.b * binning, found.theta], axis=-1),
    )


def r90(scene: Segments, label: int) -> float:
    """Semi-major axis, in pixels, of the ellipse that holds 90 % of a source's total flux.

    The total is that of Kron's ellipse, 2.5 Kron radii and at least 3.5 isophotal ones; the
    pixels of other sources are left out.

    References
    ----------
    Kron 1980, ApJS 43, 305, doi:10.1086/190669
    Bertin & Arnouts 1996, A&AS 117, 393, doi:10.1051/aas:1996164
    """
    (y, x), (a, b, theta) = scene.places[label - 1], scene.shapes[label - 1]
    b = max(b, 0.1 * a, 0.1)
    rows, columns = np.ogrid[: scene.flux.shape[0], : scene.flux.shape[1]]
    along = (columns - x) * np.cos(theta) + (rows - y) * np.sin(theta)
    across = (rows - y) * np.cos(theta) - (columns - x) * np.sin(theta)
    radius = np.hypot(along / a, across / b)
    own = ((scene.labels == label) | (scene.labels == 0)) & np.isfinite(scene.flux)
    kron = kron_radius(scene.flux, (y, x), own, (a, b, theta), _KRON_REACH)
    inside = own & (radius <= max(_KRON_FACTOR * kron, _KRON_LEAST))
    order = np.argsort(radius[inside])
    growth = np.cumsum(scene.flux[inside][order], dtype=np.float64)
    if not growth[-1] > 0:
        raise InputError("its R90 cannot be measured: its flux is not positive")
    return float(a * radius[inside][order][int(np.argmax(growth >= 0.9 * growth[-1]))])


def without(
    scene: Segments, region: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float32]:
    """The window's flux with a region replaced by sky noise."""
    flux = scene.flux.copy()
    flux[region] = rng.normal(0.0, scene.noise, int(region.sum()))
    return flux


def _repeated(values: NDArray[Any], binning: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Back to full size; what the binning cut off at the far edges is as its neighbour."""
    full = values.repeat(binning, axis=0).repeat(binning, axis=1)
    missing = np.subtract(shape, full.shape)
    return np.pad(full, [(0, missing[0]), (0, missing[1])], mode="edge")


def grown(region: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """A region and what lies within so many pixels of it."""
    from scipy.ndimage import binary_dilation

    if pixels < 1:  # which scipy takes for: until nothing changes
        return region
    return np.asarray(binary_dilation(region, iterations=pixels), dtype=bool)

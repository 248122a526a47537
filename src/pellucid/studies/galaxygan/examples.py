"""Which objects the figures show: spirals, early types, mergers, and what is unlike the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.metrics.source import find_source
from pellucid.optics import block_mean
from pellucid.sky.image import SkyImage
from pellucid.sources import aperture_flux, ellipticity
from pellucid.stretch import GalaxyGANStretch

SPIRAL, EARLY, MERGER = "spiral", "early type", "merger"
#: Side in pixels to which images are averaged before they are compared with one another.
COARSE = 16
NEIGHBOURS = 5
COMPONENTS = 32


class Looks(NamedTuple):
    """What an image looks like, in numbers that tell kinds of galaxies apart."""

    #: Of the bluest over the reddest band in the aperture, magnitudes; large is red.
    colour: float
    #: Of the aperture's light, the share within a third of its radius.
    concentration: float
    #: Σ |f − f turned by 180°| / Σ |f| in the aperture (Conselice 2003, ApJS 147, 1,
    #: doi:10.1086/375001), bands averaged.
    asymmetry: float
    #: Σ |f₁ − f₄| / Σ |f₁| between a quarter and four fifths of the aperture's radius, where f₁
    #: and f₄ are smoothed by Gaussians of 1 and 4 pixels: arms and clumps, not noise.
    texture: float
    #: |e| of the second moments, 0 is round.
    ellipticity: float
    #: Of Kron's aperture, pixels.
    radius: float


def looks(image: SkyImage) -> Looks | None:
    """What the source in the middle of an image looks like; None where there is none."""
    from scipy.ndimage import gaussian_filter

    source = find_source(image.flux)
    if source is None:
        return None
    flux = image.flux - np.median(image.flux, axis=(1, 2), keepdims=True)
    blue, red = (aperture_flux(flux[band], source.center, source.radius) for band in (0, -1))
    plane = flux.mean(axis=0)
    whole, inner = (
        aperture_flux(plane, source.center, radius) for radius in (source.radius, source.radius / 3)
    )
    if not min(blue, red, whole) > 0:
        return None
    y, x = (int(place) for place in source.center)
    reach = int(min(source.radius, y, x, plane.shape[0] - 1 - y, plane.shape[1] - 1 - x))
    if reach < 3:
        return None
    around = (slice(y - reach, y + reach + 1), slice(x - reach, x + reach + 1))
    # Smoothed, or faint galaxies would be asymmetric by their noise.
    window, other = gaussian_filter(plane, 2.0)[around], source.neighbours[around]
    own = ~(other | other[::-1, ::-1])  # a star beside a galaxy does not make it a merger
    difference = np.abs(window - window[::-1, ::-1])[own].sum()
    asymmetry = float(difference / max(np.abs(window)[own].sum(), 1e-12))
    fine, broad = (gaussian_filter(plane, sigma) for sigma in (1.0, 4.0))
    rows, columns = np.ogrid[: plane.shape[0], : plane.shape[1]]
    distance = np.hypot(rows - source.center[0], columns - source.center[1]) / source.radius
    ring = (distance > 0.25) & (distance < 0.8)
    texture = float(np.abs(fine - broad)[ring].sum() / np.abs(fine)[ring].sum())
    shape = abs(ellipticity(plane, source.center, source.radius))
    colour = float(2.5 * np.log10(red / blue))
    flattening = float(np.nan_to_num(shape))
    return Looks(colour, inner / whole, asymmetry, texture, flattening, source.radius)


def by_kind(galaxies: Sequence[Looks | None], count: int) -> dict[str, list[int]]:
    """The positions of the ``count`` clearest examples of each kind, none twice.

    By the sum of ranks: mergers are asymmetric; early types concentrated, red, round and
    symmetric; spirals large, textured, blue and not concentrated. No label says so: the eye has
    the last word.
    """
    from scipy.stats import rankdata

    known = {place: galaxy for place, galaxy in enumerate(galaxies) if galaxy is not None}
    places = list(known)
    numbers = np.reshape(list(known.values()), (-1, len(Looks._fields)))
    ranks = rankdata(numbers, method="ordinal", axis=0) - 1.0
    ranks /= max(len(ranks) - 1, 1)  # 0 is the lowest, 1 the highest
    colour, concentration, asymmetry, texture, flattening, radius = ranks.T
    merit = {
        MERGER: 2 * asymmetry + radius,
        EARLY: concentration + colour - asymmetry - flattening,
        SPIRAL: 1.5 * radius + texture - concentration - 0.5 * colour,
    }
    chosen: dict[str, list[int]] = {}
    taken: set[int] = set()
    for kind, value in merit.items():
        best = [places[k] for k in np.argsort(-value, kind="stable") if places[k] not in taken]
        chosen[kind] = best[:count]
        taken.update(chosen[kind])
    return {kind: chosen[kind] for kind in (SPIRAL, EARLY, MERGER)}


def unlikeness(images: NDArray[np.float32], training: NDArray[np.float32]) -> NDArray[np.float64]:
    """Distance of each image to its nearest training images, in units of their own spread.

    Images as `coarse` gives them, shape (object, feature), are projected on the principal
    components of the training set, each scaled to spread 1; the distance is the mean over the
    five nearest, shape (object,).
    """
    from scipy.spatial import KDTree

    middle = training.mean(axis=0)
    _, spread, axes = np.linalg.svd(training - middle, full_matrices=False)
    used = min(COMPONENTS, int(np.count_nonzero(spread > 1e-6 * spread[0])))
    scale = spread[:used] / np.sqrt(len(training))
    known, asked = (((some - middle) @ axes[:used].T) / scale for some in (training, images))
    distance, _ = KDTree(known).query(asked, k=min(NEIGHBOURS, len(known)))
    return np.asarray(distance).reshape(len(asked), -1).mean(axis=1)


def coarse(image: SkyImage) -> NDArray[np.float32]:
    """An image as few numbers: stretched, averaged to 16 × 16 pixels, shape (feature,)."""
    value = GalaxyGANStretch().forward(image.flux)
    _, height, width = value.shape
    side = min(COARSE, height, width)
    block = min(height, width) // side
    top, left = (height - side * block) // 2, (width - side * block) // 2
    middle = value[:, top : top + side * block, left : left + side * block]
    return block_mean(middle, block, block).ravel()

"""The form of an object, in numbers that its size, brightness, place and angle leave alone.

They say enough to tell a ring, an arc, a warp, a cluster of stars or a cat from galaxies: the
profile of its light, how it changes with the angle in four annuli, and how clumpy, lopsided and
concentrated it is.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

#: σ in pixels of the smoothing that finds the object, and how far its light exceeds the noise.
SMOOTHING, SIGNIFICANT = 2.5, 4.0
#: Rings and directions that it is looked at in, out to so many radii of 85 % of its light.
RINGS, DIRECTIONS, OUT_TO = 12, 64, 1.6
ANNULI = ((0, 3), (3, 6), (6, 9), (9, 12))
ORDERS = (1, 2, 3, 4, 5)


def form_of(plane: NDArray[np.floating], noise: float) -> NDArray[np.float64] | None:
    """The form of the object that stands in the middle of an image, or nearest to it.

    Parameters
    ----------
    plane
        Shape (y, x), above the sky, any unit.
    noise
        Standard deviation of its sky, white; at least what a source is to exceed.

    Returns
    -------
    NDArray
        `LENGTH` numbers; None where nothing exceeds the noise.
    """
    from scipy.ndimage import map_coordinates

    plane = np.asarray(plane / noise, dtype=np.float32)
    segment = _middle_segment(plane)
    if segment is None:
        return None
    light = np.where(segment, np.maximum(plane, 0.0), 0.0)
    total = float(light.sum())
    y, x = np.indices(plane.shape)
    centre = float((light * y).sum()) / total, float((light * x).sum()) / total
    off = np.asarray(y - centre[0]), np.asarray(x - centre[1])
    ratio, angle = _ellipse(light / total, *off)
    distance = np.hypot(*off)[segment]
    radius = max(_enclosing(distance, light[segment] / total, 0.85), 3.0)
    rings = (np.arange(RINGS) + 0.5) / RINGS * OUT_TO * radius
    directions = np.arange(DIRECTIONS) * 2.0 * np.pi / DIRECTIONS + angle
    places = [
        centre[0] + rings[:, None] * np.sin(directions),
        centre[1] + rings[:, None] * np.cos(directions),
    ]
    polar = map_coordinates(plane, places, order=1, mode="nearest")
    if not (polar.mean(axis=1) * rings).sum() > 0:  # it lies in a hole, deeper than it is bright
        return None
    inside = np.nonzero(segment)
    opposite = [2 * middle - place for middle, place in zip(centre, inside, strict=True)]
    mirrored = map_coordinates(plane, opposite, order=1)
    asymmetry = float(np.abs(plane[segment] - mirrored).sum()) / total / 2.0
    values = [
        *_angular(polar, rings),
        *_clumps(plane, segment, radius, total),
        np.log(asymmetry + 0.01),
        _gini(light[segment]),
        np.log(total / (float(light.max()) * segment.sum()) + 1e-3),
        ratio,
        float(np.sqrt(segment.sum() / np.pi)) / radius,
    ]
    return np.asarray(values, dtype=np.float64)


#: Numbers in a form.
LENGTH = RINGS + len(ANNULI) * (len(ORDERS) + 1) + 3 + 3 + 5


def _middle_segment(plane: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Of what stands out of the noise, the part with most light near the middle."""
    from scipy.ndimage import gaussian_filter, label

    smooth = gaussian_filter(plane, SMOOTHING)
    level = SIGNIFICANT / (2.0 * np.sqrt(np.pi) * SMOOTHING)
    labels = np.zeros(plane.shape, dtype=np.int32)
    label(smooth > level, output=labels)
    if not labels.any():
        return None
    y, x = np.indices(plane.shape)
    middle = [0.5 * (side - 1) for side in plane.shape]
    off = np.hypot(y - middle[0], x - middle[1]) / (0.15 * min(plane.shape))
    weight = np.bincount(labels.ravel(), (np.maximum(smooth, 0.0) / (1.0 + off**2)).ravel())
    weight[0] = 0.0
    return labels == int(weight.argmax())


def _ellipse(
    share: NDArray[np.floating], y: NDArray[np.floating], x: NDArray[np.floating]
) -> tuple[float, float]:
    """Axis ratio, and the long axis's angle in radians from x, by second moments."""
    xx, yy, xy = (float((share * each).sum()) for each in (x * x, y * y, x * y))
    half, root = 0.5 * (xx + yy), float(np.hypot(0.5 * (xx - yy), xy))
    ratio = float(np.sqrt(max(half - root, 0.0) / max(half + root, 1e-9)))
    return ratio, 0.5 * float(np.arctan2(2.0 * xy, xx - yy))


def _enclosing(distance: NDArray[np.floating], share: NDArray[np.floating], wanted: float) -> float:
    """Radius that encloses the wanted share of the light."""
    order = np.argsort(distance)
    place = int(np.searchsorted(np.cumsum(share[order]), wanted))
    return float(distance[order][min(place, len(order) - 1)])


def _angular(polar: NDArray[np.floating], rings: NDArray[np.floating]) -> list[float]:
    """The profile, and how the light changes with the angle, from polar (ring, direction)."""
    scale = float((polar.mean(axis=1) * rings).sum() / rings.sum()) + 1e-9
    profile = polar.mean(axis=1) / scale
    waves = np.fft.rfft(polar, axis=1) / DIRECTIONS / scale
    brightness = np.abs(polar) / scale
    amplitudes = []
    for inner, outer in ANNULI:
        base = float(brightness[inner:outer].mean()) + 0.05
        some = np.abs(waves[inner:outer])
        amplitudes += [float(some[:, order].mean()) / base for order in ORDERS]
        finer = some[:, ORDERS[-1] + 1 :]
        amplitudes.append(float(np.sqrt(np.square(finer).sum(axis=1)).mean()) / base)
    # By how much the second wave turns on the way out: arms, and a warp.
    second = [waves[low:high, 2] for low, high in ((2, 5), (5, 8), (8, 11))]
    base = float(brightness[5:11].mean()) + 0.05
    turned = [
        abs(float(np.abs(there.mean()) * np.sin(np.angle(there.sum()) - np.angle(here.sum()))))
        for here, there in itertools.pairwise(second)
    ]
    rise = float(np.maximum(np.diff(profile), 0.0).sum()) / max(float(profile.max()), 1e-9)
    return [
        *np.log(np.maximum(profile, 0.01)),
        *np.log(np.array(amplitudes) + 0.01),
        *np.log(np.array(turned) / base + 0.01),
        float(np.log(rise + 0.01)),
    ]


def _clumps(
    plane: NDArray[np.float32],
    segment: NDArray[np.bool_],
    radius: float,
    total: float,
) -> list[float]:
    """How many peaks there are, how far they stand out, and the light in fine structure."""
    from scipy.ndimage import gaussian_filter, maximum_filter

    fine, coarse = gaussian_filter(plane, 1.0), gaussian_filter(plane, 3.0)
    least = max(5.0 / (2.0 * np.sqrt(np.pi)), 0.03 * float(fine[segment].max()))
    peaks = (maximum_filter(fine, 5) == fine) & segment & (fine > least)
    contrast = np.maximum(fine - coarse, 0.0)[peaks].sum() / (fine[peaks].sum() + 1e-9)
    smooth = gaussian_filter(plane, max(0.12 * radius, 1.0))
    clumped = float((np.maximum(plane - smooth, 0.0) * segment).sum()) / total
    return [
        float(np.log(peaks.sum() + 1.0)),
        float(np.log(contrast + 0.01)),
        float(np.log(clumped + 0.01)),
    ]


def _gini(light: NDArray[np.floating]) -> float:
    """Gini's coefficient of the pixels (Lotz et al. 2004, AJ 128, 163, doi:10.1086/421849)."""
    values = np.sort(light)
    count = len(values)
    if count < 2:
        return 0.0
    ranks = 2 * np.arange(1, count + 1) - count - 1
    return float((ranks * values).sum() / (values.mean() * count * (count - 1) + 1e-9))

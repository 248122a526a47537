"""Stars among the sources of a plane: sharp, round, alone, and not saturated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.sky.background import robust_background
from pellucid.sky.psf import FWHM_PER_SIGMA
from pellucid.sources.detection import Sources, detect, smoothed

#: Sources stand so many standard deviations above the sky, behind a filter of this FWHM in pixels.
THRESHOLD, FILTER = 5.0, 2.5
#: Of the light of what is one above the threshold: what a source by itself has at least.
CONTRAST = 0.005
#: Least peak of a star, in standard deviations of the sky.
BRIGHT = 20.0
#: Least ratio of a star's axes, and most of a neighbour's light over its own within `ALONE` FWHM.
ROUND, BLEND = 0.75, 0.1
#: In FWHM: how far a star is from the frame's edge and from other sources at least.
EDGE, ALONE = 2.5, 3.0
#: The stars' sizes lie within this ratio of each other before the locus is narrowed.
RIDGE = 1.15
#: From so many sources of one size on, it is that of stars; and what is no cosmic ray, in pixels.
CROWD, SHARP = 8, 1.6
#: The sources of highest peak among which the locus of stars is looked for.
LEADERS = 150
#: The sources of highest peak that are measured at all.
MOST = 500
#: Frames with sides of so many pixels show a sky that varies; it is measured in meshes of so many.
WIDE, MESH = 512, 64
#: Pixels above the threshold that are one: where there are more, as around a bright star or in a
#: large galaxy, it is raised until they fall apart, or sep takes most of the time for them.
VAST = 20_000
#: Least variance of the light under its weight, in pixels squared: that of a FWHM of 0.1 pixel.
_THINNEST = 2e-3


@dataclass(frozen=True, eq=False)
class Candidates:
    """Bright sources of one plane above its sky, one entry each.

    Parameters
    ----------
    plane
        Shape (y, x), above the sky; NaN where there is no data.
    others
        Shape (y, x); k + 1 on the pixels of source k, 0 on the sky.
    noise
        Standard deviation of a pixel of the sky.
    label
        Of each candidate in ``others``, shape (source,).
    y, x
        Place in pixels.
    fwhm
        Of the elliptical Gaussian that fits best, geometric mean of both axes, in pixels.
    axes
        Minor over major axis of that Gaussian.
    flux, peak
        Light, and the highest pixel.
    usable
        What could be a star by itself: round, alone, away from edges and holes, not saturated.
    """

    plane: NDArray[np.float64]
    others: NDArray[np.int32]
    noise: float
    label: NDArray[np.int64]
    y: NDArray[np.float64]
    x: NDArray[np.float64]
    fwhm: NDArray[np.float64]
    axes: NDArray[np.float64]
    flux: NDArray[np.float64]
    peak: NDArray[np.float64]
    usable: NDArray[np.bool_]


def candidates(
    flux: NDArray[np.floating], mask: NDArray[np.bool_] | None = None, saturation: float = np.inf
) -> Candidates:
    """The sources of a plane (y, x) that are bright enough to show what a star looks like.

    Parameters
    ----------
    flux
        Any unit; NaN is no data.
    mask
        True on bad pixels.
    saturation
        Flux of a pixel from which on it is saturated.
    """
    flux = np.asarray(flux, dtype=np.float64)
    bad = ~np.isfinite(flux) if mask is None else ~np.isfinite(flux) | mask
    raw = np.where(bad, np.nan, flux)
    plane = raw - _sky(raw, bad)
    noise = robust_background(plane[None].astype(np.float32)).sigma
    seen = np.where(bad, np.nan, smoothed(plane, FILTER))
    sigma = robust_background(seen[None]).sigma
    if not noise > 0 or not sigma > 0:  # nothing but a constant
        none = np.zeros(0)
        return Candidates(
            plane, np.zeros(plane.shape, np.int32), noise, none.astype(int),
            none, none, none, none, none, none, none.astype(bool),
        )  # fmt: skip
    raised, least = _raised(seen, THRESHOLD * sigma)
    sources = detect(seen, THRESHOLD, sigma * raised, fwhm=0.0, contrast=CONTRAST)
    # Of values so large that their squares are none a place is not known.
    found = np.nan_to_num(np.rint(np.stack([sources.y, sources.x])), posinf=0.0, neginf=0.0)
    sides = np.array(plane.shape)[:, None] - 1
    places = tuple(np.clip(found, 0, sides).astype(int))
    # Knots of a galaxy and grains of a halo are none by themselves.
    part = sources.flux < least[places]
    top = np.where(part, -np.inf, _peaks(plane, sources.segments, len(sources)))
    bright = np.argsort(-top)[: int((top > BRIGHT * noise).sum())][:MOST]
    measured = np.array([_moments(plane, sources, k) for k in bright]).reshape(-1, 4)
    y, x, fwhm, axes = measured.T
    known = np.isfinite(fwhm)
    near = np.zeros(len(bright), dtype=bool)
    for k in np.flatnonzero(known):
        apart = np.hypot(sources.y - y[k], sources.x - x[k])
        close = (apart < ALONE * fwhm[k]) & (np.arange(len(sources)) != bright[k]) & ~part
        near[k] = sources.flux[close].sum() > BLEND * sources.flux[bright[k]]
    height, width = plane.shape
    reach = np.where(known, EDGE * fwhm, 0.0)
    inside = (y > reach) & (x > reach) & (y < height - 1 - reach) & (x < width - 1 - reach)
    whole = np.array(
        [
            bool(known[k]) and not bad[_window(plane.shape, y[k], x[k], 1.5 * fwhm[k])].any()
            for k in range(len(bright))
        ],
        dtype=bool,
    )
    unsaturated = _peaks(raw, sources.segments, len(sources))[bright] < saturation
    usable = known & inside & whole & ~near & unsaturated & (axes > ROUND) & (fwhm > 1.0)
    # What lies above the threshold that was is no sky around a star.
    others = np.where((least > 0) & (sources.segments == 0), len(sources) + 1, sources.segments)
    return Candidates(
        plane, others.astype(np.int32), noise, bright + 1, y, x, fwhm, axes,
        sources.flux[bright], top[bright], usable,
    )  # fmt: skip


def stellar_locus(found: Candidates) -> NDArray[np.int64]:
    """The candidates on the ridge of one size that stars of any brightness share, brightest first.

    It is the sharpest size at which (almost) as many sources lie as at any. What is sharper than a
    star is no source of light but a cosmic ray.
    """
    usable = np.flatnonzero(found.usable)
    leaders = usable[np.argsort(-found.peak[usable])][:LEADERS]
    if not len(leaders):
        return leaders
    sizes = np.sort(found.fwhm[leaders])
    counts = np.searchsorted(sizes, sizes * RIDGE, side="right") - np.arange(len(sizes))
    # Where few are alike, they may be galaxies and the sharpest alone a star.
    enough = counts >= 0.6 * counts.max() if counts.max() >= CROWD else sizes > SHARP
    first = int(np.argmax(enough))
    inside = sizes[first : first + counts[first]]
    middle = reach = 0.0
    for _ in range(5):
        middle = float(np.median(inside))
        spread = max(1.4826 * float(np.median(np.abs(inside - middle))), 0.015 * middle)
        reach = min(3.0 * spread, 0.1 * middle)
        inside = sizes[np.abs(sizes - middle) < reach]
    return leaders[np.abs(found.fwhm[leaders] - middle) < reach]


def _sky(plane: NDArray[np.float64], bad: NDArray[np.bool_]) -> NDArray[np.float64] | float:
    if min(plane.shape) < WIDE:
        return float(robust_background(plane[None].astype(np.float32)).sky[0])
    import sep

    data = np.ascontiguousarray(np.where(bad, 0.0, plane))
    return sep.Background(data, mask=bad, bw=MESH, bh=MESH, fw=5, fh=5).back()


def _raised(
    seen: NDArray[np.float64], cut: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By which factor a cut is raised so that no source is vast, and the least light of a source.

    Both have shape (y, x); the latter is 0 where nothing is vast.
    """
    from scipy.ndimage import label

    factor, raised, least = 1.0, np.ones(seen.shape), np.zeros(seen.shape)
    above, regions = seen > cut, np.zeros(seen.shape, dtype=np.int32)
    while above.sum() > VAST:
        label(above, output=regions)
        large = np.bincount(regions.ravel()) > VAST
        large[0] = False
        inside = large[regions]
        if factor == 1.0:
            light = np.bincount(regions.ravel(), np.where(above, seen, 0.0).ravel()) * CONTRAST
            least[inside] = light[regions[inside]]
        factor *= 2.0
        raised[inside] = factor
        above = inside & (seen > factor * cut)
    return raised, least


def _peaks(plane: NDArray[np.float64], segments: NDArray[np.int32], count: int) -> NDArray:
    """The highest pixel of each segment."""
    found = np.full(count + 1, -np.inf)
    np.maximum.at(found, segments.ravel(), np.nan_to_num(plane, nan=-np.inf).ravel())
    return found[1:]


def _window(shape: tuple[int, ...], y: float, x: float, radius: float) -> tuple[slice, slice]:
    """The square of pixels within ``radius`` of a place."""
    low = [max(0, int(np.floor(centre - radius))) for centre in (y, x)]
    high = [min(side, int(np.ceil(c + radius)) + 1) for c, side in zip((y, x), shape, strict=True)]
    return slice(low[0], high[0]), slice(low[1], high[1])


def _moments(
    plane: NDArray[np.float64], sources: Sources, source: int
) -> tuple[float, float, float, float]:
    """`fitted_gaussian` of one source, without the pixels of others."""
    y, x, size = (float(of[source]) for of in (sources.y, sources.x, sources.a))
    if not np.isfinite(y + x + size):  # values so large that their squares are none
        return np.nan, np.nan, np.nan, np.nan
    radius = float(np.clip(4.0 * size, 12.0, 64.0))
    window = _window(plane.shape, y, x, radius)
    flux, segments = plane[window], sources.segments[window]
    own = (segments == 0) | (segments == source + 1)
    low = window[0].start, window[1].start
    y, x, fwhm, axes = fitted_gaussian(np.where(own, flux, np.nan), y - low[0], x - low[1])
    return y + low[0], x + low[1], fwhm, axes


def fitted_gaussian(
    flux: NDArray[np.float64], y: float, x: float
) -> tuple[float, float, float, float]:
    """Place, FWHM in pixels and ratio of axes of the elliptical Gaussian that fits best; or NaN.

    Adaptive moments: the weight is the Gaussian that is found with it (Bernstein & Jarvis 2002,
    AJ 123, 583, doi:10.1086/338085).

    Parameters
    ----------
    flux
        Shape (y, x), above the sky; NaN takes no part.
    y, x
        Where to begin.
    """
    flux = np.where(np.isfinite(flux), flux, 0.0)
    rows, columns = (
        axis.ravel() - start for axis, start in zip(np.indices(flux.shape), (y, x), strict=True)
    )
    # 1, y, x, y², yx and x² from where it begins: the weight's exponent and the moments in one.
    terms = np.stack(
        [np.ones(flux.size), rows, columns, rows * rows, rows * columns, columns * columns]
    )
    flat, radius, failed = flux.ravel(), 0.5 * max(flux.shape), (np.nan, np.nan, np.nan, np.nan)
    v, u = 0.0, 0.0  # the place in y and x
    matrix = (2.0, 0.0, 2.0)  # of the weight: yy, yx, xx
    for _ in range(60):
        a, b, c = inverse = _inverted(*matrix)
        form = (a * v * v + 2 * b * v * u + c * u * u, -2 * (a * v + b * u), -2 * (b * v + c * u))
        weight = np.exp(-0.5 * (np.array([*form, a, 2 * b, c]) @ terms))
        total, my, mx, yy, yx, xx = (terms @ (flat * weight)).tolist()
        if not total > 0:
            return failed
        my, mx = my / total, mx / total
        shift, v, u = math.hypot(my - v, mx - u), 2 * my - v, 2 * mx - u
        moments = (yy / total - my * my, yx / total - my * mx, xx / total - mx * mx)
        # One pixel, or one row of them: no light that came through a telescope.
        if not _axes(*moments)[0] > _THINNEST:
            return failed
        # Of a Gaussian under its own weight both inverses are equal.
        yy, yx, xx = (new - old for new, old in zip(_inverted(*moments), inverse, strict=True))
        low = _axes(yy, yx, xx)[0]
        more = 0.0 if low > 0 else 0.02 - low
        new = _inverted(yy + more, yx, xx + more)
        if math.sqrt(new[0] + new[2]) > radius or shift > 3.0:
            return failed
        step = max(abs(p - q) for p, q in zip(new, matrix, strict=True))
        if step < 1e-3 * (matrix[0] + matrix[2]):
            matrix = new
            break
        yy, yx, xx = (0.5 * (p + q) for p, q in zip(new, matrix, strict=True))
        matrix = (yy, yx, xx)
    low, high = _axes(*matrix)
    return y + v, x + u, float(FWHM_PER_SIGMA * (low * high) ** 0.25), math.sqrt(low / high)


def _inverted(yy: float, yx: float, xx: float) -> tuple[float, float, float]:
    """The inverse of a symmetric matrix of two rows."""
    det = yy * xx - yx * yx
    return xx / det, -yx / det, yy / det


def _axes(yy: float, yx: float, xx: float) -> tuple[float, float]:
    """Its eigenvalues, the lower first."""
    middle, apart = 0.5 * (yy + xx), math.hypot(0.5 * (yy - xx), yx)
    return middle - apart, middle + apart

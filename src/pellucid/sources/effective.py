"""The effective PSF: what all stars of a plane say together of how a star looks, between pixels.

Each pixel of each star is a sample of one smooth surface, the PSF after the pixels' own response,
at the pixel's place relative to the star's centre (Anderson & King 2000, PASP 112, 1360,
doi:10.1086/316632). Here the surface is a cubic B-spline, found by least squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError

#: Of the surface's own height: what stars differ by at a place for reasons other than noise.
_MODEL_ERROR = 0.02
#: Weight of the surface's second differences beside the stars' samples.
_STIFFNESS = 1e-3
#: A star that differs from the others by so much of its light is one of them all the same.
_ALIKE = 0.03


@dataclass(frozen=True, eq=False)
class Stars:
    """The surroundings of some stars of one plane, above the sky.

    Parameters
    ----------
    flux
        Shape (star, y, x), odd sides; NaN where there is no data or another source.
    offset
        Place of each star relative to the middle of its central pixel, shape (star, 2), (y, x).
    noise
        Standard deviation of a pixel of the sky.
    """

    flux: NDArray[np.float64]
    offset: NDArray[np.float64]
    noise: float


@dataclass(frozen=True, eq=False)
class Surface:
    """A PSF that can be read off at any place.

    Parameters
    ----------
    knots
        Coefficients of a cubic B-spline, shape (y, x), odd sides; the middle one at the centre.
    oversampling
        Knots a pixel.
    """

    knots: NDArray[np.float64]
    oversampling: int

    def __call__(self, y: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Its height at offsets from the centre, in pixels."""
        from scipy.ndimage import map_coordinates

        places = [
            c * self.oversampling + side // 2
            for c, side in zip((y, x), self.knots.shape, strict=True)
        ]
        return map_coordinates(self.knots, places, order=3, prefilter=False, mode="constant")

    def stamp(self, radius: int, steps: int = 1) -> NDArray[np.float64]:
        """Samples at the middles of pixels, or ``steps`` a pixel, out to ``radius`` pixels."""
        offset = np.arange(-radius * steps, radius * steps + 1) / steps
        return self(*np.meshgrid(offset, offset, indexing="ij"))


class _Fit:
    """The surface, and where and how bright the stars are on it, each from the other in turn."""

    def __init__(self, stars: Stars, oversampling: int) -> None:
        count, side, _ = stars.flux.shape
        self.stars, self.oversampling, self.radius = stars, oversampling, side // 2
        self.offsets = np.arange(-self.radius, self.radius + 1, dtype=np.float64)
        rows, columns = np.meshgrid(self.offsets, self.offsets, indexing="ij")
        self.core = np.hypot(rows, columns) < max(2.5, 0.5 * self.radius)
        self.place = stars.offset.copy()
        self.sky = np.zeros(count)
        self.scale = np.array([np.nansum(np.where(self.core, flux, 0.0)) for flux in stars.flux])
        self.kept = np.ones(count, dtype=bool)
        self.surface: Surface | None = None

    def _at(self, star: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Offsets of the pixels from a star's centre."""
        y, x = (self.offsets - place for place in self.place[star])
        rows, columns = np.meshgrid(y, x, indexing="ij")
        return rows, columns

    def find_surface(self) -> None:
        """Least squares for the knots, recentred; a sample that is far off weighs less."""
        from scipy.sparse import csr_array, diags_array
        from scipy.sparse.linalg import cg

        before, side = self.surface, 2 * self.radius + 1
        half = (self.radius + 1) * self.oversampling + 2
        knots = 2 * half + 1
        entries, places, samples = [], [], []
        for k in np.flatnonzero(self.kept):
            good = np.isfinite(self.stars.flux[k])
            sample = np.where(good, self.stars.flux[k] - self.sky[k], 0.0) / self.scale[k]
            model = sample if before is None else before(*self._at(int(k)))
            sigma = np.hypot(self.stars.noise / self.scale[k], _MODEL_ERROR * np.abs(model))
            sigma *= np.sqrt(np.maximum(np.abs(sample - model) / (3.0 * sigma), 1.0))
            weight = np.where(good, 1.0 / sigma, 0.0)
            (rows, along), (columns, across) = (
                _bspline((self.offsets - place) * self.oversampling + half)
                for place in self.place[k]
            )
            index = rows[:, None, :, None] * knots + columns[None, :, None, :]
            entry = along[:, None, :, None] * across[None, :, None, :] * weight[..., None, None]
            entries.append(entry.ravel())
            places.append(index.ravel())
            samples.append((sample * weight).ravel())
        # A row a pixel of a star, with the 16 knots around it.
        rows = np.arange(0, 16 * side**2 * len(entries) + 1, 16)
        shape = (side**2 * len(entries), knots**2)
        block = csr_array((np.concatenate(entries), np.concatenate(places), rows), shape)
        normal = block.T @ block
        right = block.T @ np.concatenate(samples)
        stiff = _second_differences(knots) * (_STIFFNESS * np.sqrt(normal.trace()) / knots)
        start = None if before is None else before.knots.ravel()
        matrix: Any = csr_array(normal + stiff.T @ stiff)
        scaled = diags_array(1.0 / matrix.diagonal())
        found, _ = cg(matrix, right, x0=start, rtol=1e-5, maxiter=300, M=scaled)
        surface = Surface(found.reshape(knots, knots), self.oversampling)
        self.surface = _centred(surface, self.radius)

    def move(self, star: int) -> float:
        """Put a star onto the surface; returns how far it is from it, in shares of its light."""
        assert self.surface is not None
        y, x = self._at(star)
        model, step = self.surface(y, x), 0.05
        down = (self.surface(y - step, x) - self.surface(y + step, x)) / (2 * step)
        right = (self.surface(y, x - step) - self.surface(y, x + step)) / (2 * step)
        flux, noise, scale = self.stars.flux[star], self.stars.noise, self.scale[star]
        good = np.isfinite(flux)
        flux = np.where(good, flux, 0.0)
        weight = np.where(good, 1.0 / np.hypot(noise, _MODEL_ERROR * np.abs(scale * model)), 0.0)
        terms = np.stack([model, np.ones_like(model), scale * down, scale * right]) * weight
        found = np.linalg.lstsq(terms.reshape(4, -1).T, (flux * weight).ravel(), rcond=None)[0]
        if found[0] > 0:
            self.scale[star], self.sky[star] = found[0], found[1]
            self.place[star] += np.clip(found[2:], -0.3, 0.3)
        inside = good & self.core
        off = np.where(inside, flux - self.sky[star] - self.scale[star] * model, 0.0)
        excess = max(float((off**2).sum()) - float(inside.sum()) * noise**2, 0.0)
        light = float((model[self.core] ** 2).sum())
        return float(np.sqrt(excess / light)) / float(self.scale[star])


def effective_psf(
    stars: Stars, oversampling: int, rounds: int = 6
) -> tuple[Surface, NDArray[np.bool_]]:
    """The surface, and which of the stars it was made of: those that look like the others.

    Places, fluxes and sky of the stars are found with it, in turn; what does not fit (a neighbour,
    a cosmic ray) loses its weight.
    """
    fit = _Fit(stars, oversampling)
    for step in range(rounds):
        fit.find_surface()
        misfit = np.array([fit.move(k) for k in range(len(stars.flux))])
        if step >= 2 and fit.kept.sum() > 3:
            middle = np.median(misfit[fit.kept])
            spread = 1.4826 * np.median(np.abs(misfit[fit.kept] - middle))
            alike = misfit <= max(middle + 4.0 * spread, _ALIKE)
            fit.kept = alike if alike.sum() >= 3 else fit.kept
    fit.find_surface()
    assert fit.surface is not None
    return fit.surface, fit.kept


def _bspline(place: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The four knots around each place, and their cubic B-splines there."""
    first = np.floor(place).astype(int)
    t = (place - first)[:, None]
    weights = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    return first[:, None] + np.arange(-1, 3), np.concatenate(weights, axis=1) / 6.0


def _second_differences(side: int) -> Any:
    """Of a grid of ``side`` squared along both axes, as a sparse matrix."""
    from scipy.sparse import csr_array, eye_array, kron, vstack

    line = csr_array(np.diff(np.eye(side), n=2, axis=0))
    one = eye_array(side)
    return vstack([kron(line, one), kron(one, line)])


def _centred(surface: Surface, radius: int) -> Surface:
    """The surface with its windowed centroid at its centre, zero on its rim, and of sum 1."""
    from scipy.ndimage import shift

    # The stars' own sky and a level under all of the surface are one: it ends at zero.
    y, x = np.indices((2 * radius + 1,) * 2) - radius
    stamp, rim = surface.stamp(radius), np.abs(np.hypot(y, x) - radius) < 1.0
    level = float(np.median(stamp[rim]))
    knots = (surface.knots - level) / (stamp - level).sum()
    fine = Surface(knots, surface.oversampling)
    y = x = 0.0
    rows, columns = np.mgrid[-radius:radius:0.25, -radius:radius:0.25]
    values = fine(rows, columns)
    width2 = 2.0 * float((values > 0.5 * values.max()).sum() / 16 / np.pi) / (2 * np.log(2))
    for _ in range(30):
        weighted = values * np.exp(-0.5 * ((rows - y) ** 2 + (columns - x) ** 2) / width2)
        if not weighted.sum() > 0 or max(abs(y), abs(x)) > 0.5 * radius:
            raise InputError("what its stars have in common has no middle; state the PSF: --psf")
        y += 2.0 * float((weighted * (rows - y)).sum() / weighted.sum())
        x += 2.0 * float((weighted * (columns - x)).sum() / weighted.sum())
    moved = shift(knots, (-y * surface.oversampling, -x * surface.oversampling), order=3)
    return Surface(moved, surface.oversampling)

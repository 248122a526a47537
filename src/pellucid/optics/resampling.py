"""One image on another pixel grid, its flux conserved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.fits import rescaled
from pellucid.sky.distortion import has_tables, without_tables
from pellucid.sky.image import SkyImage, per_pixel
from pellucid.sky.psf import PSF

if TYPE_CHECKING:
    from astropy.wcs import WCS, Sip

Float = TypeVar("Float", bound=np.floating)


@dataclass(frozen=True, eq=False)
class Affine:
    """Where the pixels of a new grid lie in an old one: old = matrix · new + offset.

    Parameters
    ----------
    matrix
        Shape (2, 2), rows and columns in the order (y, x).
    offset
        Old place (y, x) of the new grid's first pixel, in pixels.
    """

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Area of a new pixel in old ones."""
        return abs(float(np.linalg.det(self.matrix)))

    def __call__(self, place: NDArray[np.floating]) -> NDArray[np.float64]:
        """Old places, shape (…, 2), of new ones."""
        return place @ self.matrix.T + self.offset

    def inverse(self) -> Affine:
        back = np.asarray(np.linalg.inv(self.matrix), dtype=np.float64)
        return Affine(back, -back @ self.offset)


def scaling(ratio: float | Sequence[float]) -> Affine:
    """The grid whose pixels are ``ratio`` times as large (on each axis), with the same corner."""
    ratios = np.broadcast_to(np.asarray(ratio, dtype=float), 2)
    return Affine(np.eye(2) * ratios, 0.5 * (ratios - 1.0))


def resample(
    plane: NDArray[np.floating], grid: Affine, shape: tuple[int, int], order: int = 3
) -> NDArray[np.float32]:
    """Flux per pixel of ``plane`` (y, x) on a grid of ``shape``: a spline, integrated.

    A spline of higher ``order`` leaves less of a sharp star in ripples about it.

    A finer grid samples the spline. A pixel of a coarser one takes the mean over points at most
    half an old pixel apart, so that nothing falls between them. Both are multiplied by the
    area of a new pixel in old ones, which conserves flux. What lies outside the plane, or on a
    pixel without data, is NaN.
    """
    from scipy import ndimage

    plane = np.asarray(plane)
    good = np.isfinite(plane)
    steps = np.linalg.norm(grid.matrix, axis=0)
    points = [1 if step <= 1.0 else int(np.ceil(2.0 * step)) for step in steps]
    inner = scaling([1.0 / count for count in points])
    fine = Affine(grid.matrix @ inner.matrix, grid(inner.offset))
    sides = tuple(side * count for side, count in zip(shape, points, strict=True))
    # Only what the new grid touches, and as much around it as the spline reaches.
    corners = fine(np.array([[y, x] for y in (0, sides[0] - 1) for x in (0, sides[1] - 1)], float))
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 12, 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 13, plane.shape)
    if (high <= low).any():
        return np.full(shape, np.nan, dtype=np.float32)
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    near = np.where(good[window], plane[window], 0.0)
    offset = fine.offset - low
    value = ndimage.affine_transform(
        near.astype(np.float64), fine.matrix, offset, sides, order=order, mode="nearest"
    )
    covered = ndimage.affine_transform(
        good[window].astype(np.float32), fine.matrix, offset, sides, order=0, mode="grid-constant"
    )
    value = block_mean(np.where(covered > 0.5, value, np.nan), *points)
    return (grid.area * value).astype(np.float32)


def regrid(image: SkyImage, pixel_scale: float, order: int = 3) -> SkyImage:
    """The same patch of sky in pixels of another size, its WCS, PSF and noise with it.

    Flux a pixel becomes that of the new pixel; a surface brightness stays what it is.
    The variance stays that of the surface brightness: pixels cut finer are not noisier, but
    their noise is correlated.

    Parameters
    ----------
    image
        With its pixel scale known.
    pixel_scale
        Arcsec per pixel of the new grid.
    order
        Of the spline; see `resample`.
    """
    if image.pixel_scale is None:
        raise InputError("the image has no pixel scale; --pixel-scale states it")
    ratio = pixel_scale / image.pixel_scale
    grid = scaling(ratio)
    height, width = (max(1, round(side / ratio)) for side in image.shape[1:])

    def moved(planes: NDArray[np.floating], order: int = 3) -> NDArray[np.float32]:
        return np.stack([resample(plane, grid, (height, width), order) for plane in planes])

    # Of the flux in a new pixel, what `resample` multiplied by the area too much.
    area = grid.area if per_pixel(image.unit) else 1.0
    excess = np.float32(grid.area / area)

    return replace(
        on_scale(image, pixel_scale),
        flux=moved(image.flux, order) / excess,
        variance=None
        if image.variance is None
        # Of pixels without data it may be boundless: a spline would ring.
        else moved(image.variance, 0) * np.float32(area) / excess,
        mask=None if image.mask is None else moved(image.mask.astype(np.float32)) > 0.5 * grid.area,
    )


def on_scale(image: SkyImage, pixel_scale: float) -> SkyImage:
    """All of an image but its pixels in pixels of another size, arcsec; they are empty."""
    assert image.pixel_scale is not None
    ratio = pixel_scale / image.pixel_scale
    area = ratio**2 if per_pixel(image.unit) else 1.0
    sides = (max(1, round(side / ratio)) for side in image.shape[1:])
    blank = np.broadcast_to(np.float32(0.0), (len(image.flux), *sides))
    return replace(
        image,
        flux=blank,
        variance=None if image.variance is None else blank,
        mask=None if image.mask is None else np.broadcast_to(np.False_, blank.shape),
        sky=None if image.sky is None else tuple(level * area for level in image.sky),
        wcs=None if image.wcs is None else scaled_wcs(image.wcs, ratio, image.shape[1:]),
        header=None if image.header is None else rescaled(image.header, ratio),
        psf=None if image.psf is None else resampled_psf(image.psf, pixel_scale),
        pixel_scale=pixel_scale,
        # Of the file's other HDUs, those in pixels of their own still hold.
        layout=image.layout
        and replace(image.layout, shape=(0, 0, 0), ratio=image.layout.ratio * ratio),
    )


def resampled_psf(psf: PSF, pixel_scale: float) -> PSF:
    """A PSF in pixels of another size, its peak in the central one or next to it.

    Where it was off the middle of its pixel, in finer ones it would be off the middle of the
    stamp: then it is moved there.
    """
    ratio = pixel_scale / psf.pixel_scale
    centre = np.array(psf.stamps.shape[1:]) // 2
    half = np.maximum(np.floor(centre / ratio).astype(int), 1)
    shape = (int(2 * half[0] + 1), int(2 * half[1] + 1))

    def stamps(middle: NDArray[np.floating]) -> NDArray[np.float32]:
        grid = Affine(ratio * np.eye(2), np.asarray(middle - ratio * half, dtype=np.float64))
        planes = [resample(stamp, grid, shape) for stamp in psf.stamps]
        return np.clip(np.nan_to_num(np.stack(planes)), 0.0, None)

    found = stamps(centre.astype(float))
    peak = np.unravel_index(int(found.sum(axis=0).argmax()), shape)
    away = np.array(peak) - half
    if np.abs(away).max() > 1:
        found = stamps(centre + ratio * away)
    return replace(psf, stamps=found, pixel_scale=pixel_scale)


def scaled_wcs(wcs: WCS, ratio: float, shape: tuple[int, int]) -> WCS:
    """The WCS of the grid whose pixels are ``ratio`` times as wide, with the same outer corner.

    Every place on the sky stays what it was; distortions that are kept as tables become SIP,
    fitted over the old grid of ``shape`` (y, x).
    """
    if has_tables(wcs):
        wcs = without_tables(wcs, shape)
    scaled = wcs.celestial.deepcopy()
    scaled.array_shape = None
    scaled.wcs.crpix = (scaled.wcs.crpix - 0.5) / ratio + 0.5
    # One form for all: a header may have a matrix twice, as CD and as PC, or as CROTA.
    matrix = scaled.pixel_scale_matrix
    for form in ("cd", "crota"):
        if getattr(scaled.wcs, f"has_{form}")():
            delattr(scaled.wcs, form)
    scaled.wcs.pc, scaled.wcs.cdelt = matrix * ratio, (1.0, 1.0)
    if scaled.sip is not None:
        scaled.sip = _scaled_sip(scaled.sip, ratio, scaled.wcs.crpix)
    scaled.wcs.set()
    return scaled


def _scaled_sip(sip: Sip, ratio: float, crpix: NDArray[np.float64]) -> Sip:
    """SIP's polynomials Σ A_jk u^j v^k for u and v in pixels ``ratio`` times as wide."""
    from astropy.wcs import Sip

    def scaled(terms: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        if terms is None:
            return None
        j, k = np.indices(terms.shape)
        return terms * ratio ** (j + k - 1.0)

    return Sip(scaled(sip.a), scaled(sip.b), scaled(sip.ap), scaled(sip.bp), crpix)


def block_mean(planes: NDArray[Float], rows: int, columns: int) -> NDArray[Float]:
    """Means over blocks of ``rows`` × ``columns`` pixels.

    Parameters
    ----------
    planes
        Shape (…, y, x). What fills no block at the far edges is left out.
    """
    if rows == columns == 1:
        return planes
    *more, height, width = planes.shape
    height, width = height // rows, width // columns
    whole = planes[..., : height * rows, : width * columns]
    return whole.reshape(*more, height, rows, width, columns).mean(axis=(-3, -1))

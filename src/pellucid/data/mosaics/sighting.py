"""A source as one mosaic shows it, and what two such sightings have to do with each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.data.mosaics.geometry import tangent_affine
from pellucid.data.mosaics.mosaic import Window
from pellucid.data.mosaics.registration import Shift, measure_shift
from pellucid.data.mosaics.segments import Segments, grown, segment
from pellucid.errors import InputError
from pellucid.optics import Affine, block_mean, resample
from pellucid.sky import PSF
from pellucid.sky.image import pixel_scale_of

#: Sources are looked for in pixels of about this size (arcsec), where they come finer.
_DETECTION_SCALE = 0.12
#: The farthest (arcsec) that a source may lie from its place in the catalogue.
_NEAR = 1.0
#: Standard deviation (blurred pixels) of what smooths the sharp image before registration.
_SMOOTHING = 0.7
#: A neighbour reaches so far (arcsec) beyond where it is detected.
_MARGIN = 0.4


@dataclass(frozen=True, eq=False)
class Sighting:
    """A source in a window of a mosaic.

    Parameters
    ----------
    scene
        The window, taken apart.
    grid
        Where the common grid's pixels lie in it.
    place
        Of the source (y, x), pixels.
    psf
        Of the tile, in its pixels.
    pixel_scale
        Arcsec.
    binning
        With which sources were looked for.
    """

    scene: Segments
    grid: Affine
    place: NDArray[np.float64]
    psf: PSF | None
    pixel_scale: float
    binning: int

    @property
    def noise(self) -> float:
        """Standard deviation of the sky, scaled by the area from its own pixels to the grid's."""
        return self.scene.noise * self.grid.area

    def target(self) -> int:
        """The label of the source among the segments; nothing at its place is an InputError."""
        label = self.scene.at(self.place, _NEAR / self.pixel_scale)
        if not label:
            raise InputError("no source is seen at its place")
        return label

    def turned_psf(self) -> PSF | None:
        """The PSF as it lies in the common grid, in pixels of the tile's size."""
        if self.psf is None:
            return None
        turn = self.grid.matrix / np.sqrt(self.grid.area)
        if np.abs(turn - np.eye(2)).max() < 0.01:
            return self.psf
        middle = np.array(self.psf.stamps.shape[1:]) // 2
        side = 2 * int(middle.max()) + 1
        grid = Affine(turn, middle - turn @ np.full(2, side // 2))
        stamps = np.stack([resample(stamp, grid, (side, side)) for stamp in self.psf.stamps])
        return PSF(np.nan_to_num(stamps), self.psf.pixel_scale)


def sighting(window: Window, ra: float, dec: float, size: int, side: float) -> Sighting:
    """Lay the common grid of ``size`` pixels and ``side`` arcsec over a window."""
    scale = pixel_scale_of(window.wcs)
    binning = max(1, round(_DETECTION_SCALE / scale))
    grid = tangent_affine(window.wcs, ra, dec, size, side / size)
    place = grid(np.full(2, 0.5 * (size - 1)))
    return Sighting(segment(window.flux, binning), grid, place, window.tile.psf, scale, binning)


def shift_between(sharp: Sighting, blurred: Sighting, reach: float) -> Shift:
    """Where features of the sharp image stand in the blurred one, in pixels of this.

    Shifts of up to ``reach`` such pixels are looked for.
    """
    from scipy.ndimage import gaussian_filter

    # Smoothed before it is sampled: a star narrower than a pixel would lose its place within one.
    to_sharp, step = _between(blurred, sharp), sharp.binning
    good, width = np.isfinite(sharp.scene.flux), blurred.pixel_scale / sharp.pixel_scale
    flat = np.where(good, sharp.scene.flux, 0.0)
    smooth = gaussian_filter(flat, _SMOOTHING * width, truncate=3.0)
    coarse = Affine(to_sharp.matrix / step, (to_sharp.offset - 0.5 * (step - 1)) / step)
    means = block_mean(np.where(good, smooth, np.nan).astype(np.float64), step, step)
    there = resample(means, coarse, blurred.scene.flux.shape)
    return measure_shift(there, blurred.scene.flux, blurred.psf, reach)


def neighbours(
    sharp: Sighting, blurred: Sighting, shift: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The pixels of other sources, in the sharp and in the blurred image.

    A source of the sharp image whose middle lies on the target of the blurred one is a part of it,
    a knot or an arm: what the blurred image does not tell apart stays in both. The shift (dy, dx)
    is that of the blurred image, in its pixels.
    """
    own = blurred.scene.labels == blurred.target()
    others = (blurred.scene.labels > 0) & ~own
    places = _between(sharp, blurred)(sharp.scene.places) + shift
    rows, columns = np.clip(np.rint(places).astype(int), 0, np.array(own.shape) - 1).T
    parts = 1 + np.flatnonzero(own[rows, columns])
    kept = np.isin(sharp.scene.labels, parts)
    rest = (sharp.scene.labels > 0) & ~kept
    return (
        grown(rest, round(_MARGIN / sharp.pixel_scale)) & ~kept,
        grown(others, round(_MARGIN / blurred.pixel_scale)) & ~own,
    )


def _between(first: Sighting, second: Sighting) -> Affine:
    """From the pixels of one sighting to those of the other."""
    back = first.grid.inverse()
    return Affine(second.grid.matrix @ back.matrix, second.grid(back.offset))

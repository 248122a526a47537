"""One source out of two mosaics: both images on one grid, and what was done to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.data.mosaics.geometry import tangent_header
from pellucid.data.mosaics.mosaic import Mosaic
from pellucid.data.mosaics.segments import r90, without
from pellucid.data.mosaics.sighting import Sighting, neighbours, shift_between, sighting
from pellucid.data.observed import ObservedPair
from pellucid.errors import InputError, UsageError
from pellucid.optics import Affine, object_rng, resample

#: Sky is measured on a window at least so wide (arcsec), and so many cutouts wide.
_LEAST_AROUND, _AROUND = 12.0, 2.0
#: A source's R90 is measured on a window so wide (arcsec).
_R90_AROUND = 30.0
#: A shift is believed where its error (blurred pixels) is smaller and its significance greater.
_SHIFT_ERROR, _SHIFT_SIGNIFICANCE = 0.2, 10.0
#: Where it is larger (blurred pixels), the WCS disagree; and so far it is looked for.
_LARGEST_SHIFT, _REACH = 1.0, 8.0
#: Two images of one sky correlate at least so well, where they are not mostly noise.
_CORRELATION = 0.3


@dataclass(frozen=True)
class Source:
    """A source of a catalogue.

    Parameters
    ----------
    id
        Its name.
    ra, dec
        ICRS, deg.
    r90
        Semi-major axis of the ellipse that holds 90 % of its flux, arcsec; None where it is to be
        measured.
    """

    id: str
    ra: float
    dec: float
    r90: float | None = None


@dataclass(frozen=True)
class CutRecipe:
    """How a source becomes a pair.

    Parameters
    ----------
    size
        Pixels along a side of the cutout.
    window
        Side of the cutout in R90; 2 is the paper's.
    pixel_scale
        Of the common grid, arcsec; None lets the cutout fill the grid.
    neighbours
        ``keep`` other sources, or ``mask`` them with sky noise.
    margin
        Pixels of sky around the cutout that the pair holds, too: what a restoration needs to know
        of it. Of the sharp image it may lack.
    band
        Name of the band that both mosaics show.
    """

    size: int = 256
    window: float = 2.0
    pixel_scale: float | None = None
    neighbours: Literal["keep", "mask"] = "keep"
    margin: int = 0
    band: str = "band1"

    def __post_init__(self) -> None:
        scale = 1.0 if self.pixel_scale is None else self.pixel_scale
        if self.size < 8 or self.margin < 0 or not (self.window > 0 and scale > 0):
            raise UsageError(
                "a cutout has 8 pixels or more, no negative margin, and a window and a pixel scale "
                "above 0"
            )
        if self.neighbours not in ("keep", "mask"):
            raise UsageError(f"neighbours: {self.neighbours!r}; either 'keep' or 'mask' them")


def cut_pair(source: Source, sharp: Mosaic, blurred: Mosaic, recipe: CutRecipe) -> ObservedPair:
    """Cut one source out of both mosaics, on a grid tangent to the sky, north up, east left.

    Each image is interpolated once, with its flux conserved and its sky subtracted; the shift
    between them goes into where the blurred image is sampled. Where both zero points are known
    the sharp flux is brought to the blurred one's unit. A source that makes no pair is an
    InputError with the reason.
    """
    place = source.ra, source.dec
    side = _side(source, blurred, recipe)
    scale = side / recipe.size
    pixels = recipe.size + 2 * recipe.margin
    whole = pixels * scale
    around = max(_AROUND * whole, _LEAST_AROUND)
    reserve = 2.0 * (_LARGEST_SHIFT + 1.0) * blurred.pixel_scale
    fine, coarse = (
        sighting(mosaic.window(*place, least, around), *place, pixels, whole)
        for mosaic, least in ((sharp, side), (blurred, whole + reserve))
    )
    shift = _shift(fine, coarse)
    planes = (fine.scene.flux, coarse.scene.flux)
    if recipe.neighbours == "mask":
        rng = object_rng(0, source.id)
        first, second = neighbours(fine, coarse, shift)
        planes = (without(fine.scene, first, rng), without(coarse.scene, second, rng))
    # The blurred image is sampled where the sharp one's sky stands in it.
    moved = Affine(coarse.grid.matrix, coarse.grid.offset + shift)
    factor, shape = flux_factor(sharp, blurred), (pixels, pixels)
    dy, dx = np.linalg.solve(coarse.grid.matrix, shift) * scale
    return ObservedPair(
        id=source.id,
        sharp=np.float32(factor) * resample(planes[0], fine.grid, shape)[None],
        blurred=resample(planes[1], moved, shape)[None],
        pixel_scale=scale,
        noise=(factor * fine.noise, coarse.noise),
        shift=(float(dy), float(dx)),
        wcs=tangent_header(*place, pixels, scale),
        position=place,
        psfs=(fine.turned_psf(), coarse.turned_psf()),
    )


def flux_factor(sharp: Mosaic, blurred: Mosaic) -> float:
    """What brings the sharp mosaic's flux to the blurred one's unit, 10^(0.4 (z_b − z_s)).

    1 where a zero point z is unknown: then both keep their own unit.
    """
    if sharp.zero_point is None or blurred.zero_point is None:
        return 1.0
    return 10 ** (0.4 * (blurred.zero_point - sharp.zero_point))


def _side(source: Source, blurred: Mosaic, recipe: CutRecipe) -> float:
    """Side of the cutout, arcsec."""
    if recipe.pixel_scale is not None:
        return recipe.size * recipe.pixel_scale
    radius = source.r90
    if radius is None:
        least = 4.0 * blurred.pixel_scale
        window = blurred.window(source.ra, source.dec, least, _R90_AROUND)
        seen = sighting(window, source.ra, source.dec, 1, least)
        radius = r90(seen.scene, seen.target()) * seen.pixel_scale
    if not (np.isfinite(radius) and radius > 0):
        raise InputError(f"its R90 is {radius} arcsec")
    return recipe.window * radius


def _shift(sharp: Sighting, blurred: Sighting) -> NDArray[np.float64]:
    """The shift to remove (dy, dx), in pixels of the blurred image; 0 where none is measurable."""
    found = shift_between(sharp, blurred, _REACH)
    if found.error > _SHIFT_ERROR or found.significance < _SHIFT_SIGNIFICANCE:
        return np.zeros(2)
    shift = np.array([found.dy, found.dx])
    size, (dy, dx) = float(np.hypot(*shift)), shift * blurred.pixel_scale
    if size > _LARGEST_SHIFT:
        raise InputError(
            f'the WCS disagree by {size:.2f} blurred pixels ({dy:+.2f}", {dx:+.2f}" in y and x), '
            f"more than {_LARGEST_SHIFT:g}"
        )
    power = float(np.nanmean(blurred.scene.flux**2))
    if found.correlation < _CORRELATION and power > 4.0 * blurred.scene.noise**2:
        raise InputError(
            f"the mosaics do not show the same sky (correlation {found.correlation:.2f})"
        )
    return shift

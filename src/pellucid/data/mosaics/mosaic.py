"""Windows of mosaics that are too large to load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pellucid.data.mosaics.geometry import square
from pellucid.data.mosaics.tile import Tile, open_tile
from pellucid.data.names import FITS_SUFFIXES
from pellucid.errors import InputError, MissingHDU, UsageError, refusal
from pellucid.fits import role_of_file, roles_beside
from pellucid.sky import PSF, gaussian_psf
from pellucid.sky.image import pixel_scale_of

if TYPE_CHECKING:
    from astropy.wcs import WCS


@dataclass(frozen=True, eq=False)
class Window:
    """A part of a mosaic, read from ``tile``, with its own WCS.

    ``flux`` has the shape (y, x) and the mosaic's unit, and is NaN where there is no data.
    """

    flux: NDArray[np.float32]
    wcs: WCS
    tile: Tile


@dataclass(frozen=True, eq=False)
class Mosaic:
    """A telescope's image of a field, in one tile or many that may overlap.

    Parameters
    ----------
    tiles
        At least one.
    zero_point
        AB magnitude of one unit of flux; None where unknown.
    unit
        As BUNIT has it, or None.
    pixel_scale
        Arcsec.
    """

    tiles: tuple[Tile, ...]
    zero_point: float | None
    unit: str | None
    pixel_scale: float

    def with_psf(self, psf: PSF | float) -> Mosaic:
        """The mosaic with this PSF in all its tiles, in their own pixels, or a Gaussian's FWHM."""
        if not isinstance(psf, PSF):
            psf = gaussian_psf(psf, self.pixel_scale)
        return replace(self, tiles=tuple(replace(tile, psf=psf) for tile in self.tiles))

    def window(self, ra: float, dec: float, side: float, around: float = 0.0) -> Window:
        """The pixels of a square on the sky, read from a tile that holds it whole.

        Where several tiles do, it is the one whose middle is nearest. Pixels that are NaN have no
        data, nor patches (3×3 or more) of exactly 0 where pixels are floating-point numbers: there
        a drizzled mosaic was not exposed. A square that is not whole is an InputError with the
        reason.

        Parameters
        ----------
        ra, dec
            Middle of the square, deg (ICRS).
        side
            Of the square, whose sides run north and east, arcsec.
        around
            Side of a larger square, arcsec, of which the window holds what the tile has; only the
            inner one must be whole.
        """

        def from_middle(tile: Tile) -> float:
            return float(np.linalg.norm(tile.pixel_of(ra, dec) / tile.shape - 0.5))

        # Each tile is asked: some hundred of them take milliseconds.
        inside = [tile for tile in self.tiles if tile.holds(tile.pixel_of(ra, dec))]
        fault: InputError | None = None
        for tile in sorted(inside, key=from_middle):
            corners = tile.pixel_of(*square(ra, dec, side))
            if not tile.holds(corners):
                fault = fault or InputError(f"across the edge of {tile.path}")
                continue
            small = tile.box(corners)
            large = tile.box(tile.pixel_of(*square(ra, dec, max(side, around))))
            flux = tile.read(*large)
            inner = tuple(
                slice(a.start - b.start, a.stop - b.start)
                for a, b in zip(small, large, strict=True)
            )
            empty = 1.0 - float(np.isfinite(flux[inner]).mean())
            if empty == 0.0:
                return Window(flux, tile.wcs[large], tile)
            fault = InputError(f"pixels without data: {max(100 * empty, 0.01):.2g} %")
        raise fault or InputError("off the mosaic")


def open_mosaic(
    paths: Sequence[str | Path],
    hdu: str | int | None = None,
    zero_point: float | None = None,
) -> Mosaic:
    """Read the headers of a mosaic, none of its pixels.

    Parameters
    ----------
    paths
        FITS files, or folders of them, plain, tile-compressed or gzipped. A gzipped one is
        unpacked once to a temporary file, which goes when the program ends. Files of a folder that
        lack ``hdu`` are no tiles.
    hdu
        Name or number of the image in each file; needed where a file holds several.
    zero_point
        AB magnitude of one unit of flux; read from the headers when not given.

    Raises
    ------
    InputError
        When a file is missing, damaged, has no image or no celestial WCS; when the tiles differ in
        pixel scale or unit, or only some have a zero point.
    """
    tiles = open_tiles(paths, hdu)
    first = tiles[0]
    if zero_point is None:
        zero_point = first.zero_point
        tiles = [_at_zero_point(tile, zero_point) for tile in tiles]
    return Mosaic(tuple(tiles), zero_point, first.unit, pixel_scale_of(first.wcs))


def open_tiles(
    paths: Sequence[str | Path], hdu: str | int | None = None, bands: bool = False
) -> list[Tile]:
    """Read the headers of a mosaic's tiles, which may each hold ``bands``; see `open_mosaic`."""
    named, tiles, lacking = set(map(Path, paths)), [], []
    for path in _files(paths):
        try:
            tiles.append(open_tile(path, hdu, bands))
        except MissingHDU as error:
            if path in named:
                raise
            lacking.append(error)
    if not tiles:
        raise lacking[0]
    first = tiles[0]
    pixel_scale = pixel_scale_of(first.wcs)
    for tile in tiles:
        scale = pixel_scale_of(tile.wcs)
        if abs(scale / pixel_scale - 1) > 0.01:
            raise InputError(
                f'{tile.path}: has {scale:.4g}" pixels, {first.path} {pixel_scale:.4g}"'
            )
        if tile.unit != first.unit:
            units = [some.unit or "no unit" for some in (tile, first)]
            raise InputError(f"{tile.path}: is in {units[0]}, {first.path} in {units[1]}")
        if bands and tile.bands != first.bands:
            names = [",".join(some.bands) or "no band that is named" for some in (tile, first)]
            raise refusal(
                tile.path,
                f"shows {names[0]}, {first.path} {names[1]}",
                "give the tiles of each band a folder of their own",
            )
    return tiles


def boxes(
    tiles: Sequence[Tile], ra: float, dec: float, size: int
) -> list[tuple[Tile, slice, slice]]:
    """The tiles that hold a square of pixels around a place whole, and their rows and columns.

    That whose middle is nearest comes first.

    Parameters
    ----------
    ra, dec
        The place, deg (ICRS); it lies in the pixel ``size // 2`` of the square, counted from 0.
    size
        Side of the square, pixels.
    """
    found, fault = [], "off the mosaic"
    for tile in tiles:
        place = tile.pixel_of(ra, dec)
        if not tile.holds(place):
            continue
        low = np.floor(place + 0.5).astype(int) - size // 2
        if (low < 0).any() or (low + size > tile.shape).any():
            fault = f"across the edge of {tile.path}"
            continue
        distance = float(np.linalg.norm(place / tile.shape - 0.5))
        rows, columns = (slice(int(start), int(start) + size) for start in low)
        found.append((distance, (tile, rows, columns)))
    if not found:
        raise InputError(fault)
    return [box for _, box in sorted(found, key=lambda each: each[0])]


def _at_zero_point(tile: Tile, zero_point: float | None) -> Tile:
    if (tile.zero_point is None) != (zero_point is None):
        raise InputError(
            f"{tile.path}: some tiles have a zero point in their header, others have none; state it"
        )
    if tile.zero_point is None or zero_point is None:
        return tile
    return replace(tile, gain=10 ** (0.4 * (zero_point - tile.zero_point)))


def _files(paths: Sequence[str | Path]) -> list[Path]:
    files: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(p for p in path.iterdir() if p.name.lower().endswith(FITS_SUFFIXES))
        # Masks, weights and maps of coverage that lie beside the images are no tiles.
        beside = roles_beside(inside)
        inside = [p for p in inside if p not in beside and role_of_file(p) is None] or inside
        if not inside:
            raise InputError(f"{path}: holds no FITS file")
        files += inside
    if not files:
        raise UsageError("a mosaic needs at least one FITS file")
    return files

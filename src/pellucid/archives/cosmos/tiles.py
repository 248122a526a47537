"""The tiles of the COSMOS field: squares of 10.24 arcmin, 10 arcmin apart, North up.

They are numbered along rows of 12 from the South-East; Hubble saw 9 × 9 of them. The numbers here
are those of the WCS in the tiles' headers, to 0.001 arcmin.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pellucid.data.mosaics.geometry import pixel_of, tangent_wcs
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from astropy.wcs import WCS

#: Rows of 12 columns, of which Hubble saw the columns and rows 1 to 9.
COLUMNS = 12
TILES = tuple(COLUMNS * row + column for row in range(1, 10) for column in range(1, 10))
#: The tangent point of the whole field in deg (ICRS).
TANGENT = (150.1163213, 2.200973097)
#: From one tile's middle to the next, in deg.
_STRIDE = 10 / 60
#: From a tile's middle to its edge, in strides.
_HALF = 0.512
#: Where the tangent point lies in the grid: column and row, a tile's middle being a whole number.
_TANGENT_AT = (5 + 0.16686, 5 - 0.05176)


@cache
def _grid() -> WCS:
    """The grid of tiles as a WCS whose pixels (column, row) are the tiles."""
    grid = tangent_wcs(*TANGENT, size=1, pixel_scale=3600 * _STRIDE)
    grid.wcs.crpix = np.add(_TANGENT_AT, 1)
    return grid


def check_tiles(tiles: list[int]) -> list[int]:
    """The tiles in order, each once; refused where Hubble has not seen one of them."""
    for tile in tiles:
        if tile not in TILES:
            raise UsageError(
                f"tile {tile}: Hubble has none; there are 13 to 21, 25 to 33 and so on to "
                "109 to 117, the middle being 65"
            )
    return sorted(set(tiles))


def tiles_around(ra: float, dec: float, radius: float) -> list[int]:
    """The tiles that a circle about (ra, dec) touches, in deg (ICRS); refused where none."""
    row, column = pixel_of(_grid(), ra, dec)
    rows, columns = np.divmod(TILES, COLUMNS)
    away = np.maximum(np.abs([rows - row, columns - column]) - _HALF, 0)
    touched = np.hypot(*away) * _STRIDE <= radius
    # Beyond the horizon of the plane, and far from the field, it means nothing.
    near = abs(dec - TANGENT[1]) < 5 and abs((ra - TANGENT[0] + 180) % 360 - 180) < 5
    if not (near and touched.any()):
        raise UsageError(
            f"--region {ra:g},{dec:g},{radius:g}: touches no tile; the field is within 0.8 deg of "
            f"{TANGENT[0]:.3f},{TANGENT[1]:.3f}"
        )
    return [tile for tile, touches in zip(TILES, touched, strict=True) if touches]


def tile_box(tile: int) -> tuple[float, float, float, float]:
    """The least box around a tile: least and greatest RA, least and greatest Dec in deg (ICRS)."""
    row, column = divmod(tile, COLUMNS)
    corners = [(column + i, row + j) for i in (-_HALF, _HALF) for j in (-_HALF, _HALF)]
    ras, decs = np.transpose(_grid().wcs_pix2world(corners, 0)).tolist()
    return min(ras), max(ras), min(decs), max(decs)

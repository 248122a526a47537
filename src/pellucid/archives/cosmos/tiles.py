"""The tiles of the COSMOS field: squares of 10.24 arcmin, 10 arcmin apart, North up.

They are numbered along rows of 12 from the South-East; Hubble saw 9 × 9 of them. The numbers here
are those of the WCS in the tiles' headers, to 0.001 arcmin.
"""

from __future__ import annotations

import math

from pellucid.errors import UsageError

#: Rows of 12 columns, of which Hubble saw the columns and rows 1 to 9.
COLUMNS = 12
TILES = tuple(COLUMNS * row + column for row in range(1, 10) for column in range(1, 10))
#: The tangent point of the whole field in deg (ICRS).
TANGENT = (150.1163213, 2.200973097)
SIDE = 10.24 / 60
_STRIDE = 10 / 60
#: The middle of the grid's middle tile from the tangent point, East and North, in deg.
_MIDDLE_TILE = 65
_MIDDLE = (1.6686 / 60, 0.5176 / 60)


def check_tiles(tiles: list[int]) -> list[int]:
    """The tiles in order, each once.

    Raises
    ------
    UsageError
        When Hubble has not seen one of them.
    """
    for tile in tiles:
        if tile not in TILES:
            raise UsageError(
                f"tile {tile}: Hubble has none; there are 13 to 21, 25 to 33 and so on to "
                "109 to 117, the middle being 65"
            )
    return sorted(set(tiles))


def tiles_around(ra: float, dec: float, radius: float) -> list[int]:
    """The tiles that a circle touches.

    Parameters
    ----------
    ra, dec
        Its middle in deg (ICRS).
    radius
        In deg.

    Raises
    ------
    UsageError
        When it lies beside the field.
    """
    # Far from the field a tangent plane means nothing; the field is 0.8 deg around its middle.
    near = abs(dec - TANGENT[1]) < 5 and abs((ra - TANGENT[0] + 180) % 360 - 180) < 5
    x, y = _project(ra, dec) if near else (math.inf, math.inf)
    touched = []
    for tile in TILES:
        away = [max(abs(a - b) - SIDE / 2, 0) for a, b in zip((x, y), _middle(tile), strict=True)]
        if math.hypot(*away) <= radius:
            touched.append(tile)
    if not touched:
        raise UsageError(
            f"--region {ra:g},{dec:g},{radius:g}: touches no tile; the field is within 0.8 deg of "
            f"{TANGENT[0]:.3f},{TANGENT[1]:.3f}"
        )
    return touched


def tile_box(tile: int) -> tuple[float, float, float, float]:
    """The least box around a tile: least and greatest RA, least and greatest Dec in deg (ICRS)."""
    x, y = _middle(tile)
    half = SIDE / 2
    corners = [_deproject(x + i * half, y + j * half) for i in (-1, 1) for j in (-1, 1)]
    ras, decs = zip(*corners, strict=True)
    return min(ras), max(ras), min(decs), max(decs)


def _middle(tile: int) -> tuple[float, float]:
    """A tile's middle on the tangent plane, East and North, in deg."""
    row, column = divmod(tile, COLUMNS)
    middle_row, middle_column = divmod(_MIDDLE_TILE, COLUMNS)
    east = _MIDDLE[0] + (middle_column - column) * _STRIDE
    return east, _MIDDLE[1] + (row - middle_row) * _STRIDE


def _project(ra: float, dec: float) -> tuple[float, float]:
    """Gnomonic coordinates about the tangent point, East and North, in deg."""
    a, d, d0 = (math.radians(value) for value in (ra - TANGENT[0], dec, TANGENT[1]))
    depth = math.sin(d0) * math.sin(d) + math.cos(d0) * math.cos(d) * math.cos(a)
    x = math.cos(d) * math.sin(a) / depth
    y = (math.cos(d0) * math.sin(d) - math.sin(d0) * math.cos(d) * math.cos(a)) / depth
    return math.degrees(x), math.degrees(y)


def _deproject(x: float, y: float) -> tuple[float, float]:
    """(ra, dec) in deg of a point of the tangent plane."""
    x, y, d0 = (math.radians(value) for value in (x, y, TANGENT[1]))
    a = math.atan2(x, math.cos(d0) - y * math.sin(d0))
    d = math.atan2(math.cos(a) * (math.sin(d0) + y * math.cos(d0)), math.cos(d0) - y * math.sin(d0))
    return TANGENT[0] + math.degrees(a), math.degrees(d)

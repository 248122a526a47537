"""The sky coordinates of pixels as polynomials, which a page can compute whatever the projection.

On the plane that touches the sphere in the middle of the image, ξ and η (arcsec, east and north)
are polynomials in pixels; from there to the sphere is the gnomonic projection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from astropy.wcs import WCS

#: A fit that is off by less, arcsec, is good; else the next order is tried.
GOOD = 1e-4
HIGHEST = 6
_ARCSEC = 180.0 * 3600.0 / np.pi
_NAMES = {"RA": ("RA", "Dec"), "GLON": ("l", "b"), "ELON": ("λ", "β")}


def same_places(
    points: NDArray[np.floating], ours: WCS, theirs: WCS
) -> NDArray[np.floating] | None:
    """Where pixels (x, y) of one image lie in another, shape (point, 2); the first pixel is 0.

    The frames of both may differ. None where a point has no place there.
    """
    try:
        sky = np.asarray(ours.celestial.all_pix2world(points, 0))
        found = np.asarray(theirs.celestial.all_world2pix(_in_frame_of(theirs, ours, sky), 0))
    except Exception:  # a distortion that cannot be inverted there: wcslib has no common base
        return None
    return found if np.isfinite(found).all() else None


def _in_frame_of(theirs: WCS, ours: WCS, sky: NDArray[np.floating]) -> NDArray[np.floating]:
    """Longitudes and latitudes (degrees) of one WCS's frame in that of another."""
    from astropy.coordinates import SkyCoord
    from astropy.wcs.utils import wcs_to_celestial_frame

    before: Any
    after: Any
    try:
        before, after = (wcs_to_celestial_frame(each.celestial) for each in (ours, theirs))
    except ValueError:  # frames that astropy has no name for are taken for one
        return sky
    if before.is_equivalent_frame(after):
        return sky
    there: Any = SkyCoord(*sky.T, unit="deg", frame=before).transform_to(after)
    return np.column_stack([there.spherical.lon.deg, there.spherical.lat.deg])


def sky_places(wcs: WCS, shape: tuple[int, int]) -> dict[str, Any] | None:
    """What a page needs to know of a WCS; None where the middle of the image has no place.

    Parameters
    ----------
    shape
        (height, width) in pixels; the first pixel is 0.

    References
    ----------
    Calabretta & Greisen 2002, A&A 395, 1077, doi:10.1051/0004-6361:20021327, section 5.1.3.
    """
    height, width = shape
    x0, y0, half = 0.5 * (width - 1), 0.5 * (height - 1), 0.5 * max(width, height)
    longitude, latitude = (float(each[0]) for each in _places(wcs, np.array([x0]), np.array([y0])))
    if not (np.isfinite(longitude) and np.isfinite(latitude)):
        return None
    x, y = (
        grid.ravel() for grid in np.meshgrid(np.linspace(-0.5, width - 0.5, 21),
                                             np.linspace(-0.5, height - 0.5, 21))
    )  # fmt: skip
    plane = _projected(_places(wcs, x, y), longitude, latitude)
    there = np.isfinite(plane).all(axis=0)
    if not there.any():
        return None
    u, v = (x[there] - x0) / half, (y[there] - y0) / half
    found, off, order = np.zeros((2, 1)), np.inf, 1
    for order in range(1, HIGHEST + 1):
        terms = np.stack([u**i * v**j for i, j in powers(order)], axis=1)
        found = np.linalg.lstsq(terms, plane[:, there].T, rcond=None)[0].T
        off = float(np.abs(terms @ found.T - plane[:, there].T).max())
        if off < GOOD or len(powers(order + 1)) > there.sum():
            break
    return {
        "middle": [x0, y0, half],
        "place": [longitude, latitude],
        "powers": powers(order),
        "xi": found[0].tolist(),
        "eta": found[1].tolist(),
        "off": off,
        "names": _NAMES.get(wcs.celestial.wcs.lngtyp.strip(), ("lon", "lat")),
        "frame": str(wcs.celestial.wcs.radesys or ""),
    }


def powers(order: int) -> list[tuple[int, int]]:
    """Of u and v in the terms up to an order."""
    return [(total - j, j) for total in range(order + 1) for j in range(total + 1)]


def _places(wcs: WCS, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitude and latitude in degrees."""
    sky = wcs.celestial
    found = np.asarray(sky.all_pix2world(np.stack([x, y], axis=1), 0)).T
    return found[[sky.wcs.lng, sky.wcs.lat]]


def _projected(places: NDArray[np.float64], lon0: float, lat0: float) -> NDArray[np.float64]:
    lon, lat, pole = np.radians(places[0] - lon0), np.radians(places[1]), np.radians(lat0)
    depth = np.sin(pole) * np.sin(lat) + np.cos(pole) * np.cos(lat) * np.cos(lon)
    east = np.cos(lat) * np.sin(lon)
    north = np.cos(pole) * np.sin(lat) - np.sin(pole) * np.cos(lat) * np.cos(lon)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(depth > 1e-3, np.stack([east, north]) / depth * _ARCSEC, np.nan)

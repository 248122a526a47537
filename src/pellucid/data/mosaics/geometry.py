"""Between the sky and pixels: places, and grids that are tangent to the sky at a source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.optics import Affine

if TYPE_CHECKING:
    from astropy.wcs import WCS

ARCSEC = np.pi / 180.0 / 3600.0


def pixel_of(wcs: WCS, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.float64]:
    """Pixels (y, x) of places on the sky; (0, 0) is the middle of the first, NaN has none.

    Parameters
    ----------
    wcs
        Celestial, of any frame.
    ra, dec
        ICRS, deg.

    Returns
    -------
    NDArray
        Shape (…, 2).
    """
    from astropy.wcs import NoConvergence

    lon, lat = np.broadcast_arrays(np.asarray(ra, float), np.asarray(dec, float))
    shape = lon.shape
    lon, lat = lon.ravel(), lat.ravel()
    frame = wcs.wcs
    # FK5 of J2000 lies within 0.03 arcsec of ICRS: nothing that registration does not take out.
    like_icrs = frame.radesys in ("", "ICRS") or (frame.radesys == "FK5" and frame.equinox == 2000)
    if frame.lngtyp != "RA" or not like_icrs:
        lon, lat = _in_frame(wcs, lon, lat)
    world = np.empty((lon.size, 2))
    world[:, frame.lng], world[:, frame.lat] = lon, lat
    to_pixel = wcs.all_world2pix if wcs.has_distortion else wcs.wcs_world2pix
    try:
        pixel = np.asarray(to_pixel(world, 0))
    except NoConvergence:  # far outside the image, where its distortions mean nothing
        pixel = np.full_like(world, np.nan)
    return pixel[:, ::-1].reshape(*shape, 2)


def beside(
    ra: float, dec: float, east: ArrayLike, north: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """RA and Dec (deg) of points of the plane that touches the sky at (``ra``, ``dec``).

    The inverse gnomonic projection (Calabretta & Greisen 2002, A&A 395, 1077,
    doi:10.1051/0004-6361:20021327, eqs. 14, 15, 55).

    Parameters
    ----------
    ra, dec
        Where it touches, deg.
    east, north
        Arcsec.
    """
    xi, eta = (np.asarray(value, float) * ARCSEC for value in (east, north))
    sine, cosine = np.sin(np.radians(dec)), np.cos(np.radians(dec))
    run = cosine - eta * sine
    lon = ra + np.degrees(np.arctan2(xi, run))
    lat = np.degrees(np.arctan2(sine + eta * cosine, np.hypot(xi, run)))
    return lon, lat


def square(ra: float, dec: float, side: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """RA and Dec (deg) of the corners of a square of ``side`` arcsec, north up."""
    half = 0.5 * side
    return beside(ra, dec, [half, -half, half, -half], [-half, -half, half, half])


def tangent_affine(wcs: WCS, ra: float, dec: float, size: int, pixel_scale: float) -> Affine:
    """From the pixels of a grid that is tangent to the sky, north up and east left, to a WCS's.

    Taken along the grid's two axes over its whole width: within a few tens of arcsec the rest is
    far below a hundredth of a pixel.

    Parameters
    ----------
    wcs
        The other image's.
    ra, dec
        Middle of the grid, deg.
    size
        Pixels along a side of the grid.
    pixel_scale
        Of the grid, arcsec.
    """
    half = 0.5 * size * pixel_scale
    middle, north, south, west, east = pixel_of(
        wcs, *beside(ra, dec, [0, 0, 0, -half, half], [0, half, -half, 0, 0])
    )
    matrix = np.stack([north - south, west - east], axis=1) / size
    return Affine(matrix, middle - matrix @ np.full(2, 0.5 * (size - 1)))


def tangent_header(ra: float, dec: float, size: int, pixel_scale: float) -> str:
    """The FITS header of `tangent_affine`'s grid."""
    from astropy.io.fits import Header

    cards = {
        "WCSAXES": 2,
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "CRPIX1": 0.5 * (size + 1),
        "CRPIX2": 0.5 * (size + 1),
        "CRVAL1": ra,
        "CRVAL2": dec,
        "CDELT1": -pixel_scale / 3600.0,
        "CDELT2": pixel_scale / 3600.0,
        "RADESYS": "ICRS",
    }
    return Header(cards).tostring()


def _in_frame(
    wcs: WCS, ra: NDArray[np.float64], dec: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from astropy.coordinates import SkyCoord
    from astropy.wcs.utils import wcs_to_celestial_frame

    place: Any = SkyCoord(ra, dec, unit="deg", frame="icrs")
    place = place.transform_to(wcs_to_celestial_frame(wcs)).spherical
    return place.lon.deg, place.lat.deg

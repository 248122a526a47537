"""Between the sky and pixels: places, and grids that are tangent to the sky at a source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.optics import Affine

if TYPE_CHECKING:
    from astropy.wcs import WCS


def pixel_of(wcs: WCS, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.float64]:
    """Pixels (y, x), shape (…, 2), of places on the sky (ICRS, deg); NaN where there is none.

    (0, 0) is the middle of the first pixel. The WCS is celestial, of any frame.
    """
    from astropy.wcs import NoConvergence

    lon, lat = np.broadcast_arrays(np.asarray(ra, float), np.asarray(dec, float))
    frame = wcs.wcs
    # FK5 of J2000 lies within 0.03 arcsec of ICRS: nothing that registration does not take out.
    like_icrs = frame.radesys in ("", "ICRS") or (frame.radesys == "FK5" and frame.equinox == 2000)
    if frame.lngtyp != "RA" or not like_icrs:
        from astropy.coordinates import SkyCoord
        from astropy.wcs.utils import wcs_to_celestial_frame

        place: Any = SkyCoord(lon, lat, unit="deg", frame="icrs")
        place = place.transform_to(wcs_to_celestial_frame(wcs)).spherical
        lon, lat = place.lon.deg, place.lat.deg
    world = np.empty((lon.size, 2))
    world[:, frame.lng], world[:, frame.lat] = lon.ravel(), lat.ravel()
    to_pixel = wcs.all_world2pix if wcs.has_distortion else wcs.wcs_world2pix
    try:
        pixel = np.asarray(to_pixel(world, 0))
    except NoConvergence:  # far outside the image, where its distortions mean nothing
        pixel = np.full_like(world, np.nan)
    return pixel[:, ::-1].reshape(*lon.shape, 2)


def tangent_wcs(ra: float, dec: float, size: int, pixel_scale: float) -> WCS:
    """The gnomonic WCS of a grid that touches the sky at its middle, north up and east left.

    The middle is in ICRS, deg; the grid has ``size`` pixels of ``pixel_scale`` arcsec a side.
    """
    from astropy.wcs import WCS

    grid = WCS(naxis=2)
    grid.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    grid.wcs.radesys = "ICRS"
    grid.wcs.crval = [ra, dec]
    grid.wcs.crpix = [0.5 * (size + 1)] * 2
    grid.wcs.cdelt = [-pixel_scale / 3600.0, pixel_scale / 3600.0]
    return grid


def tangent_header(ra: float, dec: float, size: int, pixel_scale: float) -> str:
    """The FITS header of `tangent_wcs`."""
    header = tangent_wcs(ra, dec, size, pixel_scale).to_header()
    header["CRVAL1"], header["CRVAL2"] = ra, dec  # which astropy rounds to 12 digits
    return header.tostring()


def square(ra: float, dec: float, side: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """RA and Dec (deg) of the corners of a square of ``side`` arcsec, north up."""
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]])
    places = np.asarray(tangent_wcs(ra, dec, 1, side).wcs_pix2world(corners, 0))
    return places[:, 0], places[:, 1]


def tangent_affine(wcs: WCS, ra: float, dec: float, size: int, pixel_scale: float) -> Affine:
    """From the pixels of `tangent_wcs` to those of another WCS.

    Taken along the grid's two axes over its whole width: within a few tens of arcsec the rest is
    far below a hundredth of a pixel.
    """
    middle = np.full(2, 0.5 * (size - 1))
    axes = middle + 0.5 * size * np.array([[0, 0], [0, 1], [0, -1], [1, 0], [-1, 0]])
    places = np.asarray(tangent_wcs(ra, dec, size, pixel_scale).wcs_pix2world(axes, 0))
    centre, north, south, west, east = pixel_of(wcs, *places.T)
    matrix = np.stack([north - south, west - east], axis=1) / size
    return Affine(matrix, centre - matrix @ middle)

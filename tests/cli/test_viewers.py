"""What other programs find in a restoration: planes by name, on the sky, in a unit they know."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.visualization.wcsaxes import WCSAxes
from astropy.wcs import WCS
from matplotlib.figure import Figure
from regions import PolygonSkyRegion, Regions

SIDE = 64


def galaxy(seed: int) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    flux = 60 * np.exp(-np.hypot((x - 40) / 1.4, y - 28) / 4)
    return (flux + np.random.default_rng(seed).normal(0, 0.5, (SIDE, SIDE))).astype("f4")


@pytest.fixture(params=["primary", "cube", "extensions"])
def restored(request, pellucid, sky_header, tmp_path):
    """The file of a restoration in finer pixels, of a file that is built in some way."""
    header = sky_header(BUNIT="Jy", FILTER="r")
    planes = [fits.PrimaryHDU(galaxy(0), header)]
    if request.param == "cube":
        planes = [fits.PrimaryHDU(np.stack([galaxy(0), galaxy(1)]), sky_header(BUNIT="Jy"))]
    elif request.param == "extensions":
        named = [
            fits.ImageHDU(galaxy(k), sky_header(BUNIT="Jy"), name=n) for k, n in enumerate("gr")
        ]
        planes = [fits.PrimaryHDU(), *named]
    fits.HDUList(planes).writeto(tmp_path / "in.fits")
    target = tmp_path / "out.fits"
    words = "--psf", 1.0, "--output", target, "--regions", tmp_path / "out.reg"
    pellucid("restore", tmp_path / "in.fits", *words)
    return target


def test_each_plane_of_the_sky_has_a_name_of_its_own_and_stands_on_wcs_axes(restored):
    places, names, drawn = [], [], 0
    with fits.open(restored) as file:
        for hdu in file:
            if hdu.data is None or hdu.name == "PSF":
                continue
            names.append((hdu.name, hdu.ver))
            wcs = WCS(hdu.header).celestial
            plane = hdu.data if hdu.data.ndim == 2 else hdu.data[0]
            figure = Figure()
            axes = figure.add_subplot(projection=wcs)
            assert isinstance(axes, WCSAxes)
            axes.imshow(plane, origin="lower")
            figure.draw_without_rendering()
            assert axes.coords[0].coord_type == "longitude"
            places.append(wcs.pixel_to_world(*np.array(plane.shape[::-1]) / 2))
            drawn += 1
    assert len(set(names)) == len(names) == drawn >= 4
    assert max(place.separation(places[0]).arcsec for place in places) < 1e-6


def test_fluxes_have_the_unit_of_the_image_and_fractions_none(restored):
    with fits.open(restored) as file:
        units = {hdu.name: hdu.header.get("BUNIT") for hdu in file if hdu.data is not None}
    fluxes = {name: unit for name, unit in units.items() if name not in ("DOUBT", "CHI2", "PSF")}
    assert {u.Unit(unit) for unit in fluxes.values()} == {u.Jy}
    assert {units["DOUBT"], units["CHI2"]} == {None}


def test_a_source_of_the_region_file_lies_on_the_image_as_given(restored):
    with fits.open(restored.with_name("in.fits")) as file:
        wcs = WCS(next(hdu for hdu in file if hdu.data is not None).header).celestial
    regions = Regions.read(restored.with_name("out.reg"), format="ds9")
    assert all(isinstance(region, PolygonSkyRegion) for region in regions)
    sources = [region.to_pixel(wcs).vertices for region in regions if "text" in region.meta]
    middles = np.array([(at.x.mean(), at.y.mean()) for at in sources])
    assert np.hypot(*(middles - [40, 28]).T).min() < 0.3

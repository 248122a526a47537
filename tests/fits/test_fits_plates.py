"""Scanned photographic plates: their solution, and the size of their pixels without it."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fits_files import noise, save, sky_header

from pellucid.fits import read_image, write_image
from pellucid.optics.resampling import scaled_wcs
from pellucid.sky import SkyImage

SIDES = (60, 72)
#: Of a plate of the Digitized Sky Survey, in arcsec of mm, mm², …
POLYNOMIAL = (67.23, 0.03, -1.2, 1e-3, -3e-4, 2e-4, 0.0, 2.2e-6, 1e-6, 2e-6, 1e-7, 0.0, 0.0)


def scanned(**cards) -> fits.Header:
    header = fits.Header()
    header["SURVEY"], header["PLTSCALE"] = "SERC-I", (67.2, "[arcsec/mm]")
    header["XPIXELSZ"] = header["YPIXELSZ"] = 25.28445
    header.update(cards)
    return header


def plate(**cards) -> fits.Header:
    header = scanned()
    header["PLTRAH"], header["PLTRAM"], header["PLTRAS"] = 10, 0, 1.5
    header["PLTDECSN"] = "-"
    header["PLTDECD"], header["PLTDECM"], header["PLTDECS"] = 30, 0, 3.0
    header["CNPIX1"], header["CNPIX2"] = 2900, 3900
    for k in range(1, 7):
        header[f"PPO{k}"] = 177500.0 if k in (3, 6) else 0.0
    for k in range(1, 21):
        value = POLYNOMIAL[k - 1] if k <= len(POLYNOMIAL) else 0.0
        header[f"AMDX{k}"], header[f"AMDY{k}"] = value, -value if k == 2 else value
    header.update(cards)
    return header


def apart(one: WCS, other: WCS, ratio: float = 1.0, x0: float = 0.0, y0: float = 0.0) -> float:
    """How far corners and middle of the second lie from where the first has them, in arcsec."""
    x, y = (np.array(each) for each in ((0.0, 30.0, 30.0, 0.0, 17.0), (0.0, 0.0, 20.0, 20.0, 9.0)))
    here = other.pixel_to_world(x, y)
    there = one.pixel_to_world((x + 0.5) * ratio - 0.5 + x0, (y + 0.5) * ratio - 0.5 + y0)
    return float(here.separation(there).arcsec.max())


@pytest.mark.parametrize("cards", [{}, {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}])
def test_the_solution_of_a_plate_places_its_pixels_as_astropy_does(tmp_path, cards):
    header = plate(**cards)
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(noise(*SIDES), header)))
    assert image.wcs is not None
    assert apart(WCS(header), image.wcs) < 1e-3
    assert image.pixel_scale == pytest.approx(1.70, rel=0.01)
    assert any("the solution of its plate" in note for note in image.notes)

    again = fits.getheader(write_image(image, tmp_path / "b.fits"))
    assert {key: again[key] for key in header} == dict(header.items())
    window = write_image(image.cutout(7, 11, 40, 50), tmp_path / "c.fits")
    found = fits.getheader(window)
    # Any of these alone makes astropy refuse the file.
    assert not [key for key in found if key.startswith(("AMD", "PPO", "CNPIX", "XPIXEL"))]
    assert apart(WCS(header), WCS(found), x0=11, y0=7) < 1e-3
    assert apart(image.wcs, read_image(window).wcs, x0=11, y0=7) < 1e-3


def test_a_plate_in_finer_pixels_stays_where_it_was(tmp_path):
    header = plate()
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(noise(*SIDES), header)))
    finer = SkyImage(
        np.repeat(np.repeat(image.flux, 2, 1), 2, 2),
        wcs=scaled_wcs(image.wcs, 0.5, SIDES),
        layout=image.layout,
        header=image.header,
    )
    found = fits.getheader(write_image(finer, tmp_path / "b.fits"))
    assert apart(WCS(header), WCS(found), ratio=0.5) < 1e-3


def test_the_scale_of_a_plate_tells_the_size_of_its_pixels(tmp_path):
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(noise(*SIDES), scanned())))
    assert image.pixel_scale == pytest.approx(67.2 * 25.28445e-3, rel=1e-6)
    assert any("XPIXELSZ and PLTSCALE" in note for note in image.notes)


def test_what_is_left_of_a_plates_cards_beside_a_wcs_does_no_harm(tmp_path):
    header = scanned(**sky_header())
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(noise(*SIDES), header)))
    assert image.pixel_scale == pytest.approx(0.4, rel=1e-6)
    assert apart(WCS(sky_header()), image.wcs) < 1e-6

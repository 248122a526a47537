"""Cameras whose programs store the rows of a frame from the top, and say so: ROWORDER."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from typed import picture

from pellucid.cli import main

SIDES = (48, 56)


def frame(path, order, **cards):
    """A star in the first rows of a camera's frame, in colours."""
    y, x = np.mgrid[: SIDES[0], : SIDES[1]]
    star = 9000 * np.exp(-((y - 8) ** 2 + (x - 40) ** 2) / 8)
    noise = np.random.default_rng(0).normal(0, 20, (3, *SIDES))
    header = fits.Header({"ROWORDER": order, "PROGRAM": "Siril 1.2.0", **cards})
    header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0})
    header.update({"CRPIX1": 5.0, "CRPIX2": 6.0, "CDELT1": -7e-4, "CDELT2": -7e-4})
    pixels = np.clip(1000 + star + noise, 0, 65535).astype("u2")
    fits.writeto(path, pixels if "BAYERPAT" not in cards else pixels[0], header)
    return header


@pytest.mark.parametrize("order", ["TOP-DOWN", "BOTTOM-UP"])
def test_rows_stay_as_they_are_and_pictures_stand_as_ds9_shows_them(tmp_path, capsys, order):
    before = frame(tmp_path / "a.fits", order)
    words = ["--method", "wiener", "--psf", "5", "--output", str(tmp_path / "b.fits")]
    assert (
        main(["restore", str(tmp_path / "a.fits"), *words, "--png", str(tmp_path / "b.png")]) == 0
    )
    assert ("as DS9 shows them" in capsys.readouterr().err) == (order == "TOP-DOWN")
    pixels, after = fits.getdata(tmp_path / "b.fits", header=True)
    assert np.unravel_index(pixels[0].argmax(), SIDES) == (8, 40)
    shown = picture(tmp_path / "b.png").sum(axis=-1)
    assert np.unravel_index(shown.argmax(), SIDES)[0] == pytest.approx(SIDES[0] - 1 - 8, abs=2)
    assert after["ROWORDER"] == order
    corners = [(0, 0), (SIDES[1] - 1, 0), (0, SIDES[0] - 1)]
    here, there = (WCS(header, naxis=2).wcs_pix2world(corners, 0) for header in (before, after))
    np.testing.assert_allclose(there, here, rtol=0, atol=1e-9)


@pytest.mark.parametrize("order", ["TOP-DOWN", "BOTTOM-UP"])
def test_a_mosaic_is_refused_whatever_the_order_of_its_rows(tmp_path, capsys, order):
    frame(tmp_path / "a.fits", order, BAYERPAT="RGGB")
    words = ["--method", "wiener", "--psf", "5", "--output", str(tmp_path / "b.fits")]
    assert main(["restore", str(tmp_path / "a.fits"), *words]) == 3
    assert "debayer" in capsys.readouterr().err
    assert not (tmp_path / "b.fits").exists()

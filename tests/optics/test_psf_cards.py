"""A PSF from the cards of a header, and in which unit they state its FWHM."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from pellucid.optics.blur import blur_of
from pellucid.optics.psf_cards import card_fwhm, unknown_unit
from pellucid.sky import SkyImage


def header(keyword: str, value: object, comment: str = "") -> fits.Header:
    made = fits.Header()
    made[keyword] = (value, comment)
    return made


@pytest.mark.parametrize(
    ("keyword", "value", "comment", "scale", "fwhm"),
    [
        ("SEEING", 1.3, "", 0.396, 1.3),
        ("SEEING", 3.2, "[pixels] Average FWHM", 0.4, 1.28),
        ("SEEING", "1.3 arcsec", "", 0.396, 1.3),
        ("SEEING", 2.0, "[pix] Mean FWHM of point sources", 1.01, 2.02),
        ("PSF_FWHM", 0.8, "[arcsec] Spatial resolution", 0.2, 0.8),
        ("PSF_FWHM", 0.8, "", 0.2, 0.8),
        ("IQ", 0.65, "", 0.185, 0.65),
        ("HIERARCH SEEING_FWHM", 0.9, "arcsec", 0.2, 0.9),
        ("FWHM", 3.3, "Median FWHM in pixels", 0.26, 0.858),
        ("FWHM", 4.2, "", 0.26, 1.092),  # 4.2" would be a storm
        ("FWHM", 0.8, "", 0.25, 0.8),  # no star is 0.2" from the ground
        ("FWHMPIX", 2.5, "", 0.4, 1.0),
        ("HIERARCH PSF_FWHM_ARCSEC", 0.7, "", 0.2, 0.7),
        ("HIERARCH ESO QC PSF FWHM", 3.5, "pixel", 0.2, 0.7),
        ("HIERARCH CHIP.SEEING", 4.1, "pixels", 0.25, 1.025),
    ],
)
def test_a_stated_fwhm(keyword, value, comment, scale, fwhm):
    found = card_fwhm(header(keyword, value, comment), scale)
    assert found is not None
    assert found.fwhm == pytest.approx(fwhm)
    assert "from the header" in found.note


@pytest.mark.parametrize(
    ("keyword", "value", "comment"),
    [
        ("SEEING", 0.0, ""),
        ("SEEING", "unknown", ""),
        ("HIERARCH ESO TEL AMBI FWHM START", 0.9, "arcsec"),
        ("HIERARCH DIMM SEEING", 0.9, "arcsec"),
        ("FWHMRMS", 0.3, "arcsec"),
        ("IQ", "IQ70", ""),
        ("FILTFWHM", 120.0, "nm"),
    ],
)
def test_what_is_no_fwhm_of_the_image(keyword, value, comment):
    assert card_fwhm(header(keyword, value, comment), 0.3) is None


def test_an_ambiguous_unit_is_refused_where_it_is_needed():
    cards = header("FWHM", 2.0)
    image = SkyImage(np.zeros((9, 9)), header=cards, pixel_scale=0.4)
    assert blur_of(image) is None
    assert unknown_unit(image) == "FWHM = 2 in the header may be arcsec or pixels"


def test_a_fwhm_narrower_than_pixels_show_is_of_no_star_in_them():
    image = SkyImage(np.zeros((9, 9)), header=header("SEEING", 0.9, "arcsec"), pixel_scale=2.0)
    assert blur_of(image) is None
    assert unknown_unit(image).startswith("SEEING = 0.9 arcsec in the header is 0.5 pixels")


def test_the_psf_of_an_image_is_what_its_header_says():
    image = SkyImage(np.zeros((9, 9)), header=header("SEEING", 1.4), pixel_scale=0.3)
    psf = blur_of(image)
    assert psf.fwhm == pytest.approx(1.4, rel=0.01)
    assert 'a Gaussian of FWHM 1.40"' in psf.notes[0]
    assert blur_of(image, psf=2.0).fwhm == pytest.approx(2.0, rel=0.01)


def test_a_moffat_profile():
    cards = header("PSF_FWHM", 1.0, "arcsec")
    cards["PSF_BETA"] = 3.0
    image = SkyImage(np.zeros((9, 9)), header=cards, pixel_scale=0.2)
    psf = blur_of(image)
    assert "Moffat profile (beta 3)" in psf.notes[0]
    assert psf.stamps.shape[1] > 50

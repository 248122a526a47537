"""Bands that no FILTER card names: in a survey's name, counted, in an exposure's own tables."""

from __future__ import annotations

import pytest
from astropy.io import fits
from fits_files import noise, save, sky_header

from pellucid.fits import read_image, write_image


@pytest.mark.parametrize(
    ("cards", "band"),
    [
        ({"SURVEY": "SDSS-r"}, "r"),
        ({"SURVEY": "SDSS-r  DR7"}, "r"),
        ({"SURVEY": "SDSSdr7g"}, "g"),
        ({"SURVEY": "SDSSz"}, "z"),
        ({"SURVEY": "2MASS-J"}, "J"),
        ({"SURVEY": "PS1 DR2 g"}, "g"),
        ({"SURVEY": "HSC_PDR3/i"}, "i"),
        ({"SURVEY": "GALEX NUV"}, "NUV"),
        ({"SURVEY": "SDSS-r", "FILTER": "i"}, "i"),
        ({"SURVEY": "DECaLS"}, "band1"),
        ({"SURVEY": "DES Y2"}, "band1"),
        ({"SURVEY": "SERC-J"}, "band1"),
        ({"SURVEY": "POSSII-F Red"}, "band1"),
        # The number of a camera's band.
        ({"BAND": 1, "TELESCOP": "WISE"}, "W1"),
        ({"BAND": 2, "ORIGIN": "unWISE"}, "W2"),
        ({"BAND": 2, "UNW_VER": "3.1"}, "W2"),
        ({"BAND": (1, "WISE band")}, "W1"),
        ({"BAND": (1, "first, otherwise 2")}, "band1"),
        ({"BAND": 1}, "band1"),
        ({"CHNLNUM": 2, "INSTRUME": "IRAC"}, "ch2"),
        # LSST's.
        ({"HIERARCH LSST BUTLER DATAID BAND": "i      "}, "i"),
        ({"FILTER": "i", "HIERARCH LSST BUTLER DATAID BAND": "i"}, "i"),
        ({"FILTER": "LSST_i"}, "LSST_i"),
        ({"FILTER": "_unknown_", "HIERARCH LSST BUTLER DATAID BAND": "y"}, "y"),
        ({"HIERARCH LSST BUTLER DATAID PHYSICAL_FILTER": "r_03"}, "r_03"),
        ({"HIERARCH physical_filter": "HSC-I"}, "HSC-I"),
    ],
)
@pytest.mark.parametrize("extension", [False, True])
def test_a_band_that_no_filter_card_names(tmp_path, cards, band, extension):
    header = fits.Header()
    header.update(cards)
    hdus = [fits.PrimaryHDU(noise(6, 7), header)]
    if extension:
        hdus = [fits.PrimaryHDU(header=header), fits.ImageHDU(noise(6, 7), name="SCI")]
    image = read_image(save(tmp_path / "a.fits", *hdus))
    assert image.bands == (band,)
    assert read_image(write_image(image, tmp_path / "b.fits")).bands == (band,)


@pytest.mark.parametrize(
    ("band", "physical", "expected"), [("i", "i_06", "i"), ("", "i_06", "i_06"), ("", "", "band1")]
)
def test_the_filter_label_of_an_exposure(tmp_path, band, physical, expected):
    """It stands in a table of the file's archive, and no card says it."""
    columns = [
        fits.Column("flags", "2X", array=[[bool(band), bool(physical)]]),
        fits.Column("band", "32A", array=[band]),
        fits.Column("physical", "32A", array=[physical]),
    ]
    label = fits.BinTableHDU.from_columns(columns, name="ARCHIVE_DATA")
    label.header["AR_NAME"] = "FilterLabel"
    other = fits.BinTableHDU.from_columns([fits.Column("band", "1J", array=[7])])
    other.header["AR_NAME"] = "Detector"
    image = fits.ImageHDU(noise(6, 7), sky_header(), name="IMAGE")
    read = read_image(save(tmp_path / "calexp.fits", image, other, label))
    assert read.bands == (expected,)
    assert read_image(write_image(read, tmp_path / "b.fits")).bands == (expected,)

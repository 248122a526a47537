"""The names that surveys, cameras and filter wheels give to bands."""

from __future__ import annotations

import pytest

from pellucid.sky.band_names import find_bands, short_name

NAMES = {
    "g": "g SDSS_g sdss_g decam-g g.MP9401 g' gp HSC_G HSC-G DES_g GBAND g_SDSS g_G0301 g.00000",
    "r": "r r2 HSC-R2 r.MP9602 OCAM_r_SDSS sdssr ps1_r lsst_r r_57 MegaCam.r HSCr rMP9601",
    "i": "i i2 HSC_I2 I W-S-I+ i_39 i.MP9702 kids_i",
    "z": "z zs DECam_z mosaic_z zp",
    "y": "y NIR_Y NISP-Y",
    "vis": "VIS EUC_VIS",
    "ks": "Ks VISTA_Ks",
    "w2": "W2 unwise-w2",
    "f814w": "F814W ACS_F814W hst-f814w",
}


@pytest.mark.parametrize(
    ("band", "name"), [(band, name) for band, names in NAMES.items() for name in names.split()]
)
def test_a_survey_s_name_is_that_of_its_band(band, name):
    assert short_name(name) == band


@pytest.mark.parametrize(
    ("name", "band"),
    [
        ("g DECam SDSS c0001 4720.0 1520.0", "g"),
        ("DECam r", "r"),
        ("SDSS i'", "i"),
        ("Johnson R", "johnson r"),
        ("Cousins_I", "cousins_i"),
        ("Gaia G", "gaia g"),
        ("g-r", "g-r"),
        ("band1", "band1"),
        ("clear", "clear"),
        ("", ""),
    ],
)
def test_words_around_a_band_and_what_is_none(name, band):
    assert short_name(name) == band


def test_bands_are_found_by_the_nearest_form_of_their_names():
    assert find_bands(["g", "r", "i"], ["HSC_I", "HSC_R", "HSC_G", "HSC_Z"]) == [2, 1, 0]
    assert find_bands(["i"], ["i", "i2"]) == [0]
    assert find_bands(["I"], ["r", "i"]) == [1]
    assert find_bands(["R", "r"], ["r", "R"]) == [1, 0]
    # Which of both is meant, nobody can know.
    assert find_bands(["SDSS_i"], ["i", "i2"]) is None
    assert find_bands(["z"], ["g", "r"]) is None

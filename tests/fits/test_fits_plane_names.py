"""Cards that name the planes of a cube: as bands, or as an image, its error and its model."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from fits_files import noise, save
from numpy.testing import assert_allclose, assert_array_equal

from pellucid.cli import main
from pellucid.fits import read_image, restored_bands, write_image

UNNAMED = ("band1", "band2", "band3")


@pytest.mark.parametrize(
    ("cards", "names"),
    [
        ({"FILTER1": "g", "FILTER2": "r", "FILTER3": "i"}, ("g", "r", "i")),
        ({"FILT1": "F606W", "FILT2": "F814W", "FILT3": "F160W"}, ("F606W", "F814W", "F160W")),
        ({"FILTER0": "g", "FILTER1": "r", "FILTER2": "i"}, ("g", "r", "i")),
        ({"BAND_1": "J", "BAND_2": "H", "BAND_3": "Ks"}, ("J", "H", "Ks")),
        ({"FILTER01": "g", "FILTER02": "r", "FILTER03": "i"}, ("g", "r", "i")),
        ({"FILTER": "g,r,i"}, ("g", "r", "i")),
        ({"BAND": "gri"}, ("g", "r", "i")),
        ({"FILTER": "VIS"}, UNNAMED),
        ({"FILTER": "g DECam SDSS"}, UNNAMED),
        ({"CTYPE3": ("FILTER", "g, r, i")}, ("g", "r", "i")),
        ({"CTYPE3": "BAND", "CRVAL3": (1.0, "F606W F814W F160W")}, ("F606W", "F814W", "F160W")),
        ({"CTYPE3": ("FILTER", "of the wheel")}, UNNAMED),
        ({"COMMENT": ["Plane 1: g", "plane 2 = r", "PLANE 3: i"]}, ("g", "r", "i")),
        ({"COMMENT": ["plane 1: g", "plane 3: i"]}, UNNAMED),
        # Places of wheels.
        ({"FILTER1": "CLEAR1L", "FILTER2": "F814W"}, UNNAMED),
        ({"FILTER1": "g", "FILTER2": "CLEAR", "FILTER3": "OPEN"}, UNNAMED),
        ({"FILTER1": "g", "FILTER2": "r", "FILTER3": "i", "FILTER4": "z"}, UNNAMED),
        ({"FILTER1": "r", "FILTER2": "r", "FILTER3": "r"}, UNNAMED),
    ],
)
def test_cards_of_many_forms_name_planes(tmp_path, cards, names):
    header = fits.Header()
    for keyword, value in cards.items():
        for each in value if isinstance(value, list) else [value]:
            header.append((keyword, *(each if isinstance(each, tuple) else (each,))), end=True)
    flux = noise(3, 6, 7)
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(flux, header)))
    assert image.bands == names
    in_words = "COMMENT" in cards or any(isinstance(value, tuple) for value in cards.values())
    said = any("by the comments of its header" in note for note in image.notes)
    assert said == (in_words and names != UNNAMED)
    # Some of them, and all under other names, are told from each other again.
    new = ("u", "g", "r")
    path = write_image(read_image(tmp_path / "a.fits", bands=new), tmp_path / "b.fits")
    assert read_image(path).bands == new
    if names != UNNAMED:
        found = read_image(tmp_path / "a.fits", bands=(names[2],))
        assert_array_equal(found.flux, flux[2:])


def test_two_planes_and_two_filters_are_bands_and_two_wheels_are_not(tmp_path):
    cube = fits.PrimaryHDU(noise(2, 6, 7), fits.Header({"FILTER1": "g", "FILTER2": "i"}))
    assert read_image(save(tmp_path / "a.fits", cube)).bands == ("g", "i")
    wheels = fits.Header({"FILTER1": "CLEAR1L", "FILTER2": "F814W"})
    cube = fits.PrimaryHDU(noise(2, 6, 7), wheels)
    assert read_image(save(tmp_path / "b.fits", cube)).bands == ("band1", "band2")
    plane = fits.PrimaryHDU(noise(6, 7), fits.Header({"FILTER1": "g", "FILTER2": "i"}))
    assert read_image(save(tmp_path / "c.fits", plane)).bands == ("g",)


@pytest.mark.parametrize(
    ("name", "values", "variance"),
    [
        ("ERROR", 2.0, 4.0),
        ("VARIANCE", 4.0, 4.0),
        ("IVAR", 0.25, 4.0),
        ("WEIGHT", 1.0, None),
        ("MODEL", 1.0, None),
    ],
)
def test_a_plane_beside_the_image_in_its_cube_is_no_band(tmp_path, capsys, name, values, variance):
    """It is read as what it is, and written again as it is."""
    flux = noise(2, 20, 22)
    flux[1] = values
    flux[1, 3, 4] = 0.0
    cards = fits.Header({"PLANE1": "IMAGE", "PLANE2": name, "PIXSCALE": 0.4})
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(flux, cards))
    image = read_image(path)
    assert image.bands == ("band1",)
    assert_array_equal(image.flux, flux[:1])
    if variance is None:
        assert image.variance is None
    else:
        assert_allclose(image.variance[0, 10], variance)
    bad = np.zeros((1, 20, 22), bool)
    bad[0, 3, 4] = True
    assert_array_equal(
        np.zeros_like(bad) if image.mask is None else image.mask, bad & (name != "MODEL")
    )

    words = ["--method", "wiener", "--psf", "1.2", "--output", str(tmp_path / "b.fits")]
    assert main(["restore", str(path), *words]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "of its cube plane 1 (IMAGE) is read as image" in said
    told = (
        "not used, copied as it is: plane 2 (MODEL)" if name == "MODEL" else f"plane 2 ({name}) as"
    )
    assert told in said
    with fits.open(tmp_path / "b.fits") as hdus:
        assert hdus[0].header["PLCBANDS"] == "band1"
        assert not np.array_equal(hdus[0].data[0], flux[0])
        assert_array_equal(hdus[0].data[1], flux[1])
    again = read_image(tmp_path / "b.fits")
    assert (again.bands, restored_bands(again)) == (("band1",), (True,))
    assert again.variance is None, "the input's noise is none of the restored pixels"


def test_planes_that_are_named_are_read_where_a_user_says_so(tmp_path):
    cards = fits.Header({"PLANE1": "IMAGE", "PLANE2": "ERROR"})
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(2, 6, 7), cards))
    assert read_image(path, bands=("IMAGE", "ERROR")).bands == ("IMAGE", "ERROR")


@pytest.mark.parametrize(
    ("cards", "bands"),
    [
        ({"PLANE1": "IMAGE", "PLANE2": "ERROR", "FILTER": "F814W"}, ("F814W",)),
        ({"BANDS": "SCI,ERR", "FILTER": "r"}, ("r",)),
        ({"FILTER1": "FLUX", "FILTER2": "ERR"}, ("band1",)),
        ({"BAND1": "IMAGE", "BAND2": "ERROR", "SURVEY": "SDSS-r"}, ("r",)),
        ({"BAND1": "SCI_G", "BAND2": "ERR_G"}, ("G",)),
        ({"BAND1": "r", "BAND2": "ERROR"}, ("r",)),
        ({"BAND1": "SCI_G", "BAND2": "SCI_R", "BAND3": "MODEL"}, ("G", "R")),
    ],
)
def test_a_plane_called_image_has_the_name_of_its_filter(tmp_path, cards, bands):
    planes = noise(len(bands) + 1, 20, 22)
    planes[-1] = 2.0
    header = fits.Header({**cards, "PIXSCALE": 0.4})
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(planes, header))
    assert read_image(path).bands == bands
    words = ["--method", "wiener", "--psf", "1.2", "--output", str(tmp_path / "b.fits")]
    assert main(["restore", str(path), *words]) == 0
    again = read_image(tmp_path / "b.fits")
    assert (again.bands, set(restored_bands(again))) == (bands, {True})

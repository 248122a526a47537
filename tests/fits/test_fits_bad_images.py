"""A whole FITS file that holds no image, or bands that do not fit together: one line says so."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from fits_files import GOOD, noise, refused, save, sky_header

from pellucid.errors import InputError, UsageError
from pellucid.fits import read_image


@pytest.mark.parametrize("hdu", [5, -1, "7", "NOPE", "SCI,9"])
def test_wrong_hdu_lists_those_there_are(tmp_path, hdu):
    path = save(tmp_path / "a.fits", fits.ImageHDU(GOOD, name="SCI"))
    text = refused(path, match="has no HDU", hdu=hdu)
    assert "0 PRIMARY (image, empty), 1 SCI (image, 4×5)" in text


def test_chosen_hdu_is_empty(tmp_path):
    path = save(tmp_path / "a.fits", fits.ImageHDU(GOOD, name="SCI"))
    refused(path, match="HDU 0 PRIMARY .* has no pixels", hdu=0)


def test_chosen_hdu_is_a_table(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("z", "C", array=np.ones(3, "c8"))])
    path = save(tmp_path / "a.fits", fits.ImageHDU(GOOD, name="SCI"), table)
    refused(path, match="HDU 2 .*table.* is no image", hdu=2)


def test_only_a_table(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("mag", "E", array=np.ones(3))])
    refused(save(tmp_path / "a.fits", table), match="holds no image")


def test_no_data_at_all(tmp_path):
    refused(save(tmp_path / "a.fits", fits.PrimaryHDU()), match="holds no image")


def test_random_groups(tmp_path):
    data = fits.GroupData(
        np.ones((3, 4, 5), "f4"), bitpix=-32, parnames=["u"], pardata=[np.ones(3)]
    )
    path = tmp_path / "a.fits"
    fits.HDUList([fits.GroupsHDU(data)]).writeto(path)
    refused(path, match="holds no image")
    refused(path, match="random groups.* is no image", hdu=0)


@pytest.mark.parametrize(
    ("shape", "words"), [((7,), "has 1 axis"), ((2, 3, 4, 5), "2×3×4×5.* has 4 axes")]
)
@pytest.mark.parametrize("hdu", [None, 0])
def test_wrong_number_of_axes(tmp_path, shape, words, hdu):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(np.ones(shape)))
    text = refused(path, match=words, hdu=hdu)
    assert "an image has (y, x) or (band, y, x)" in text


def test_all_nan(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(np.full((4, 5), np.nan)))
    refused(path, match="no finite pixel")


def test_one_band_all_nan(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(np.stack([GOOD, GOOD * np.nan])))
    refused(path, match="plane 2 of HDU 0 .* no finite pixel")


def test_all_infinite(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(np.full((4, 5), np.inf)))
    refused(path, match="no finite pixel")


def test_mismatched_shapes(tmp_path):
    first = save(tmp_path / "g.fits", fits.PrimaryHDU(GOOD))
    second = save(tmp_path / "r.fits", fits.PrimaryHDU(GOOD.T.copy()))
    refused(first, second, match="different shapes \\(4×5 and 5×4\\)")


def test_mismatched_wcs(tmp_path):
    first = save(tmp_path / "g.fits", fits.PrimaryHDU(GOOD, sky_header()))
    second = save(tmp_path / "r.fits", fits.PrimaryHDU(GOOD, sky_header(0.3)))
    refused(first, second, match="different sky \\(0.3 pixels apart\\)")


def test_mismatched_wcs_behind_a_band_without_one(tmp_path):
    paths = [
        save(tmp_path / f"{band}.fits", fits.PrimaryHDU(GOOD, header))
        for band, header in (("g", None), ("r", sky_header()), ("i", sky_header(2)))
    ]
    with pytest.raises(InputError, match=r"r\.fits.* and .*i\.fits.*different sky"):
        read_image(*paths)


def test_two_chips_are_not_two_bands(tmp_path):
    chips = [fits.ImageHDU(GOOD, sky_header(9.0 * k), name="SCI", ver=k + 1) for k in range(2)]
    path = save(tmp_path / "a.fits", *chips)
    refused(path, match="different sky \\(9.0 pixels apart\\).*--hdu")
    assert read_image(path, hdu="SCI,2").shape == (1, 4, 5)


def test_mismatched_units(tmp_path):
    first = save(tmp_path / "g.fits", fits.PrimaryHDU(GOOD, fits.Header({"BUNIT": "nanomaggy"})))
    second = save(tmp_path / "r.fits", fits.PrimaryHDU(GOOD, fits.Header({"BUNIT": "adu"})))
    refused(first, second, match="different units \\(nanomaggy and adu\\)")


def test_broken_wcs(tmp_path):
    header = sky_header(CDELT1=0.0, CDELT2=0.0)
    refused(save(tmp_path / "a.fits", fits.PrimaryHDU(GOOD, header)), match="WCS of HDU 0")


def test_duplicate_bands(tmp_path):
    paths = [
        save(tmp_path / f"{k}.fits", fits.PrimaryHDU(GOOD, fits.Header({"FILTER": "r"})))
        for k in range(2)
    ]
    refused(*paths, match="both band r.*--bands")
    assert read_image(*paths, bands=("r", "i")).bands == ("r", "i")
    with pytest.raises(InputError, match="both band r"):
        read_image(*paths, bands=("r", "r"))


@pytest.mark.parametrize("bands", [("g", "r", "i"), ()])
def test_wrong_number_of_band_names(tmp_path, bands):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(np.stack([GOOD, GOOD])))
    refused(path, match=f"{len(bands)} band names .* for 2 bands", bands=bands)


def test_one_of_two_planes_that_nothing_names(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(np.stack([GOOD, GOOD])))
    refused(path, match="nothing says which of its 2 planes is g; give 2", bands=("g",))


def test_several_files_of_several_bands(tmp_path):
    cube = save(tmp_path / "a.fits", fits.PrimaryHDU(np.stack([GOOD, GOOD])))
    one = save(tmp_path / "b.fits", fits.PrimaryHDU(GOOD))
    with pytest.raises(InputError, match=r"a\.fits: holds 2 bands"):
        read_image(cube, one)


def test_no_file_is_a_usage_error():
    with pytest.raises(UsageError, match="no file"):
        read_image()


def test_a_constant_band_is_noted_and_constant_bands_are_refused(tmp_path):
    cube = noise(3, 8, 9)
    cube[1] = 0
    bands = fits.Header({"BANDS": "grz"})
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(cube, bands)))
    assert "band r is constant (0) and shows nothing" in image.notes
    refused(tmp_path / "a.fits", match=r"constant \(0\) and holds no image", bands=("r",))
    cube[[0, 2]] = 4
    refused(save(tmp_path / "b.fits", fits.PrimaryHDU(cube)), match=r"constant \(4, 0\)")


def test_what_brings_bands_to_one_grid_is_named(tmp_path):
    paths = [
        save(
            tmp_path / f"{band}.fits", fits.PrimaryHDU(noise(8, 9), sky_header(shift, FILTER=band))
        )
        for band, shift in (("g", 0.0), ("r", 11.5))
    ]
    assert "Python package reproject" in refused(*paths, match="11.5 pixels apart")


def test_a_file_of_tables_alone_goes_with_an_image(tmp_path):
    """As SDSS's masks and PSFs do."""
    rows = fits.Column("x", "E", array=np.ones(3))
    tables = [fits.BinTableHDU.from_columns([rows]) for _ in range(2)]
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(tmp_path / "psField.fits")
    refused(tmp_path / "psField.fits", match="no image but 2 tables; a mask stands beside")


def test_the_chips_of_a_camera_show_different_sky(tmp_path):
    """As CFHT's MegaCam writes them: one chip is read, with its band and pixels, by its name."""
    scale = 0.187 / 3600
    chips = []
    for k in range(3):
        cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0}
        cards |= {"CRPIX1": 3.0 - 60.0 * k, "CRPIX2": 2.0, "CD1_1": -scale, "CD2_2": scale}
        header = fits.Header({**cards, "CD1_2": 0.0, "CD2_1": 0.0, "FILTER": "r.MP9601"})
        chips.append(fits.ImageHDU(GOOD + k, header, name=f"ccd{k:02d}"))
    primary = fits.PrimaryHDU(
        header=fits.Header({"INSTRUME": "MegaPrime", "TELESCOP": "CFHT 3.6m"})
    )
    path = save(tmp_path / "1p.fits", primary, *chips)
    refused(path, match="different sky.*--hdu")
    chip = read_image(path, hdu="ccd01")
    np.testing.assert_array_equal(chip.flux[0], GOOD + 1)
    assert chip.bands == ("r.MP9601",)
    assert chip.pixel_scale == pytest.approx(0.187, rel=1e-4)

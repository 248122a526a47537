"""Pixels without data: never used, never written over, and told."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from fits_files import noise, refused, save
from numpy.testing import assert_array_equal

from pellucid.fits import read_image, write_image
from pellucid.fits.nodata import all_empty_pixels, empty_pixels
from pellucid.sky import background_of

RNG = np.random.default_rng(4)
SKY = RNG.normal(0, 1, (80, 90)).astype("f4")
ONES = np.ones(SKY.shape, "f4")


def footprint(angle: float = 0.5) -> np.ndarray:
    """What a turned detector saw of the frame."""
    y, x = np.mgrid[: SKY.shape[0], : SKY.shape[1]]
    y, x = y - 40, x - 45
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return (abs(along) < 35) & (abs(across) < 30)


@pytest.mark.parametrize("value", [0.0, -9999.0, -99.0, 1e30, -1e30, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("sky", [0.0, 1000.0])
def test_a_border_of_one_value_is_no_data(tmp_path, value, sky):
    flux = SKY + np.float32(sky)
    flux[:, 50:] = value
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(flux)))
    expected = np.zeros(flux.shape, bool)
    expected[:, 50:] = True
    assert_array_equal(image.holes[0], expected)
    background = background_of(image)
    assert background.sigma == pytest.approx(1.0, rel=0.05)
    assert background.sky[0] == pytest.approx(sky, abs=0.1)
    assert any("3200 of 7200 pixels are not used and stay as they are" in n for n in image.notes)
    write_image(image, tmp_path / "b.fits")
    with fits.open(tmp_path / "b.fits") as hdus:
        assert len(hdus) == 1, "what was found is found again"
        assert_array_equal(hdus[0].data, flux)


def test_a_turned_frame_with_a_gap_between_its_chips():
    empty = ~footprint()
    empty[38:43] = True
    found, value = empty_pixels(np.where(empty, np.float32(0), SKY))
    assert value == 0
    assert_array_equal(found, empty)


def test_a_hole_of_a_value_that_always_means_no_data():
    flux = SKY.copy()
    flux[30:40, 30:50] = -9999
    found, value = empty_pixels(flux)
    assert value == -9999
    assert_array_equal(found, flux == -9999)


def test_a_border_of_zeros_beside_columns_and_a_hole_of_other_values():
    flux = SKY.copy()
    flux[:15], flux[:, -10:], flux[40:50, 30:40] = 0.0, -99.0, -999.0
    found = {value: empty for empty, value in all_empty_pixels(flux)}
    assert set(found) == {0.0, -99.0, -999.0}
    for value, empty in found.items():
        assert_array_equal(empty, flux == value)


COUNTS = np.random.default_rng(6).poisson(0.1, SKY.shape).astype("f4")
Y, X = np.mgrid[-40:40, -45:45]
GALAXY = np.exp(-np.hypot(Y, X) / 4).astype("f4")
DATA = {
    "noise": SKY,
    "integers of a quiet sky": np.round(SKY * 0.7) + 100,
    "photons, mostly none": COUNTS,
    "a sky cut at 0": np.maximum(SKY, 0),
    "a galaxy without noise or light around it": np.where(GALAXY > 1e-4, GALAXY, 0),
    "a galaxy on a constant sky": 100 + np.where(GALAXY > 1e-4, GALAXY, 0),
    "one value": ONES,
    "a lowest value of -99, once": np.where(SKY.min() == SKY, np.float32(-99), SKY),
}


@pytest.mark.parametrize("name", DATA)
def test_data_are_not_taken_for_a_border(name):
    assert empty_pixels(DATA[name].astype("f4")) is None


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("WHT", 600.0, 0.0),
        ("WEIGHT", 1.0, -1.0),
        ("IVAR", 1.0, 0.0),
        ("VARIANCE", 1.0, np.inf),
        ("VARIANCE", 1.0, 0.0),
        ("ERR", 1.0, np.nan),
        ("RMS", 1.0, 1e30),
        ("RMS", 1.0, -99.0),
    ],
)
def test_no_weight_and_no_finite_variance_are_no_data(tmp_path, name, good, bad):
    values = np.full(SKY.shape, good, "f4")
    values[10:20, 30:40] = bad
    hdus = [fits.ImageHDU(SKY, name="SCI"), fits.ImageHDU(values, name=name)]
    image = read_image(save(tmp_path / "a.fits", *hdus))
    assert_array_equal(image.mask[0], values != good)
    assert f"1.39% no {'weight' if name in ('WHT', 'WEIGHT') else 'finite variance'}" in str(
        image.notes
    )


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("RMS", 0.004, 1e16),
        ("ERR", 2e-20, 1.0),
        ("RMS", 1e16, 1e30),
        ("VARIANCE", 4.0, 1e32),
        ("IVAR", 1e4, 1e-20),
        ("WHT", 600.0, 1e-9),
    ],
)
@pytest.mark.parametrize("share", [0.02, 0.9])
def test_an_absurd_noise_is_no_data(tmp_path, name, good, bad, share):
    """Whatever number a pipeline has for it, and however much of the frame it fills."""
    none = RNG.random(SKY.shape) < share
    told = np.where(none, bad, good * RNG.uniform(0.5, 2.0, SKY.shape)).astype("f4")
    flux = np.where(none, np.float32(500.0), SKY)
    hdus = [fits.ImageHDU(flux, name="SCI"), fits.ImageHDU(told, name=name)]
    image = read_image(save(tmp_path / "a.fits", *hdus))
    assert_array_equal(image.mask[0], none)
    assert background_of(image).sigma == pytest.approx(1.0, rel=0.1)
    assert len(image.notes) == 2, "what was read, and how much is not used"
    assert f"{none.mean():.2%} " in image.notes[1]
    assert f"2 {name}" in image.notes[1]


def test_the_noise_of_the_brightest_star_is_not_absurd(tmp_path):
    told = np.exp(RNG.normal(0.0, 0.1, SKY.shape)).astype("f4")
    told[30:33, 40:43] = 900.0
    told[60, 60] = 1e-6
    hdus = [fits.ImageHDU(SKY, name="SCI"), fits.ImageHDU(told, name="ERR")]
    assert not read_image(save(tmp_path / "a.fits", *hdus)).holes.any()


def test_a_plane_that_leaves_nothing_is_passed_over(tmp_path):
    hdus = [fits.ImageHDU(SKY, name="SCI"), fits.ImageHDU(0 * ONES, name="WHT")]
    image = read_image(save(tmp_path / "a.fits", *hdus))
    assert image.mask is None
    assert "which was passed over" in str(image.notes)


def test_every_pixel_flagged_is_refused(tmp_path):
    flags = np.full(SKY.shape, 4, "i2")
    path = save(
        tmp_path / "a.fits", fits.ImageHDU(SKY, name="SCI"), fits.ImageHDU(flags, name="MASK")
    )
    assert "--bad-bits" in refused(path, match="every pixel of HDU 1 .* bad or has no data")
    assert not read_image(path, bad_bits="~4").mask.any()


def test_a_mask_that_came_after_reading_is_written(tmp_path):
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5))))
    mask = np.eye(4, 5, dtype=bool)[None]
    again = read_image(write_image(image.with_flux(image.flux, mask=mask), tmp_path / "b.fits"))
    assert_array_equal(again.mask, mask)

"""What is compared shows one sky in one unit, and the numbers are those of any unit."""

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose

from pellucid.cli import main
from pellucid.errors import InputError
from pellucid.evaluation.comparable import made_comparable
from pellucid.metrics import measure, psnr
from pellucid.sky import SkyImage
from pellucid.sky.unit import factor_between


def noisy(seed: int = 1) -> np.ndarray:
    flux = np.random.default_rng(seed).normal(0.0, 1.0, (1, 64, 72))
    y, x = np.mgrid[:64, :72]
    return (flux + 200.0 * np.exp(-0.02 * ((y - 32) ** 2 + (x - 36) ** 2))).astype("f4")


@pytest.mark.parametrize(
    ("unit", "other", "factor"),
    [
        ("nJy", "uJy", 1e-3),
        ("nanomaggies", "nmgy", 1.0),
        ("nanomaggy", "nJy", 3631.0),
        ("maggy", "nanomaggies", 1e9),
        ("electrons/s", "ELECTRONS/S", 1.0),
        ("electrons/s", "electron / s", 1.0),
        ("DN", "adu", 1.0),
        ("counts", "ct", 1.0),
        ("W / (m2 Hz)", "Jy", 1e26),
        ("nJy", "MJy/sr", None),
        ("adu", "nJy", None),
        ("adu", "adu/s", None),
        ("what it is", "adu", None),
    ],
)
def test_the_factor_between_units(unit, other, factor):
    assert factor_between(unit, other) == (None if factor is None else pytest.approx(factor))


@pytest.mark.parametrize("factor", [1e-30, 3e-20, 0.37, 5e12, 1e30])
def test_any_unit_gives_the_same_numbers(factor):
    truth, restored = (noisy(seed) for seed in (1, 2))
    once = measure(SkyImage(restored), SkyImage(truth))
    unit = np.float32(factor)
    again = measure(SkyImage(restored * unit), SkyImage(truth * unit))
    assert again == pytest.approx(once, rel=1e-4, abs=1e-4, nan_ok=True)
    found = psnr(truth * unit, restored * unit, 200.0 * factor)
    assert found == pytest.approx(psnr(truth, restored, 200.0), abs=1e-4)


def test_a_restoration_in_another_unit_is_converted_and_that_is_said():
    truth, restored = SkyImage(noisy(), unit="uJy"), SkyImage(noisy() * np.float32(1e3), unit="nJy")
    same = made_comparable(restored, truth)
    assert_allclose(same.flux, truth.flux, rtol=1e-6)
    assert same.unit == "uJy"
    assert "nJy" in same.notes[0]
    assert made_comparable(truth, truth) is truth
    assert "no unit" in made_comparable(SkyImage(noisy()), truth).notes[0]


def test_unlike_units_are_refused():
    with pytest.raises(InputError, match=r"MJy/sr.*nJy.*convert"):
        made_comparable(SkyImage(noisy(), unit="MJy/sr"), SkyImage(noisy(), unit="nJy"))


@pytest.fixture
def saved(tmp_path, sky_header):
    def save(name: str, plane: np.ndarray, **cards: object) -> str:
        sci = fits.ImageHDU(plane, sky_header(**cards), name="SCI")
        err = fits.ImageHDU(np.ones_like(plane), name="ERR")
        fits.HDUList([fits.PrimaryHDU(), sci, err]).writeto(tmp_path / name)
        return str(tmp_path / name)

    return save


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"BUNIT": "MJy/sr"}, "MJy/sr"),
        ({"CRVAL1": 150.01}, "another sky"),
        ({"CRPIX2": 22.5}, "2.0 pixels apart"),
    ],
)
def test_evaluate_refuses_what_is_unlike(saved, capsys, cards, said):
    truth, other = saved("t.fits", noisy()[0]), saved("r.fits", noisy(2)[0], **cards)
    assert main(["evaluate", "--truth", truth, "--restored", other]) == 3
    line = capsys.readouterr().err
    assert "r.fits: " in line
    assert said in line
    assert line.count("\n") == 1


def test_evaluate_takes_the_extension_that_is_named(saved, capsys):
    truth = saved("t.fits", noisy()[0])
    command = ["evaluate", "--truth", truth, "--restored", truth, "--json"]
    assert main([*command, "--hdu", "SCI"]) == 0
    assert '"ssim": 1.0' in capsys.readouterr().out
    assert main([*command, "--hdu", "9"]) == 3
    assert main(["evaluate", "--data", truth, "--method", "wiener", "--hdu", "1"]) == 2

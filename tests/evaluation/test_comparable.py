"""What is compared shows one sky in one unit, and the numbers are those of any unit."""

import json
import re

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose

from pellucid.cli import main
from pellucid.errors import InputError
from pellucid.evaluation.comparable import made_comparable
from pellucid.metrics import measure, psnr
from pellucid.optics import convolve
from pellucid.sky import SkyImage, gaussian_psf
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


@pytest.mark.parametrize("side", [2, 3])
@pytest.mark.parametrize(("unit", "factor"), [("nJy", 1), ("MJy/sr", None), (None, 1)])
def test_finer_pixels_are_joined(side, unit, factor):
    """As many as fill one of the truth's; flux a pixel adds up, a surface brightness does not."""
    truth = SkyImage(noisy(), unit=unit)
    fine = truth.flux.repeat(side, axis=1).repeat(side, axis=2)
    shares = fine / side**2 if factor else fine
    mask = np.zeros(shares.shape, bool)
    mask[0, side * 5, side * 7 + 1] = True
    found = made_comparable(SkyImage(shares, unit=unit, mask=mask), truth)
    assert_allclose(found.flux, truth.flux, rtol=1e-5, atol=1e-6)
    assert np.argwhere(found.mask).tolist() == [[0, 5, 7]]
    assert f"{side} × {side} pixels" in found.notes[0]
    assert ("added up" if factor else "averaged") in found.notes[0]


@pytest.mark.parametrize("shape", [(1, 128, 216), (1, 96, 108), (1, 32, 36)])
def test_pixels_that_do_not_fill_each_other_are_refused(shape):
    with pytest.raises(InputError, match=r"1×64×72.*one grid.*reproject"):
        made_comparable(SkyImage(np.zeros(shape, "f4")), SkyImage(noisy()))


@pytest.mark.parametrize("side", [1, 2])
def test_other_bands_are_told_as_such(side):
    restored = SkyImage(np.zeros((2, 64 * side, 72 * side), "f4"), bands=("g", "r"))
    with pytest.raises(InputError, match=r"other bands \(g, r\) than the truth \(r\).*--bands"):
        made_comparable(restored, SkyImage(noisy(), bands=("r",)))


def test_evaluate_takes_bad_bits_of_the_image_that_has_a_mask(saved, tmp_path, capsys):
    plane = noisy()[0]
    spoilt, flags = plane.copy(), np.zeros(plane.shape, "i2")
    spoilt[10:20, 10:20], flags[10:20, 10:20] = 1e4, 4
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(spoilt, name="SCI"), fits.ImageHDU(flags, name="DQ")]
    fits.HDUList(hdus).writeto(tmp_path / "r.fits")
    words = ["evaluate", "--truth", saved("t.fits", plane), "--restored", str(tmp_path / "r.fits")]
    found = {}
    for bits in ("4", "none"):
        assert main([*words, "--json", "--bad-bits", bits]) == 0
        found[bits] = json.loads(capsys.readouterr().out)["psnr"]
    assert found["4"] is None, "infinite: all else is equal"
    assert found["none"] < 40
    assert main([*words[:3], "--restored", words[2], "--bad-bits", "4"]) == 2
    assert "neither image has a mask" in capsys.readouterr().err


def test_the_truth_may_stand_in_another_extension(saved, tmp_path, capsys):
    sky, sharp = noisy()[0], noisy()[0] + 1.0
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(sky, name="HSC"), fits.ImageHDU(sharp, name="HST")]
    fits.HDUList(hdus).writeto(tmp_path / "both.fits")
    both = str(tmp_path / "both.fits")
    words = ["evaluate", "--truth", both, "--restored", both]
    assert main([*words, "--truth-hdu", "HST", "--hdu", "HSC", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["psnr"] is not None
    assert main([*words, "--hdu", "HST"]) == 0
    assert "both images have the same pixels" in capsys.readouterr().err


def test_evaluate_takes_a_restoration_in_halved_pixels(saved, capsys):
    plane = noisy()[0]
    half = {"CRPIX1": 40.5, "CRPIX2": 48.5, "CDELT1": -0.198 / 3600, "CDELT2": 0.198 / 3600}
    fine = plane.repeat(2, axis=0).repeat(2, axis=1) / 4
    truth, restored = saved("t.fits", plane), saved("r.fits", fine, **half)
    assert main(["evaluate", "--truth", truth, "--restored", restored]) == 0
    out, err = capsys.readouterr()
    assert "2 × 2 pixels of the restoration were added up" in err
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert rows["centroid_error"] == ["0.0000", "pixels"]
    assert rows["psnr"][1] == "dB"
    assert float(rows["flux_ratio"][0]) == pytest.approx(1.0, abs=1e-4)
    aside = saved("s.fits", fine, **{**half, "CRPIX1": 44.5})
    assert main(["evaluate", "--truth", truth, "--restored", aside]) == 3
    assert "2.0 pixels apart" in capsys.readouterr().err


def star_field(fwhm: float) -> np.ndarray:
    sharp = np.zeros((1, 96, 96), np.float32)
    sharp[0, 20::28, 20::28] = 1e3
    return convolve(sharp, gaussian_psf(fwhm, 0.396).stamps)[0]


@pytest.fixture
def with_psf(tmp_path, sky_header):
    def save(name: str, fwhm: float) -> str:
        stamp = gaussian_psf(fwhm, 0.396).stamps[0]
        planes = (
            fits.ImageHDU(star_field(fwhm), sky_header(), name="SCI"),
            fits.ImageHDU(stamp, fits.Header({"PIXSCALE": 0.396}), name="PSF"),
        )
        fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(tmp_path / name)
        return str(tmp_path / name)

    return save


@pytest.mark.parametrize(("restored", "truth", "sharper"), [(1.0, 1.6, True), (1.6, 1.0, False)])
def test_unlike_sharpness_is_told_with_what_to_do(
    with_psf, tmp_path, capsys, restored, truth, sharper
):
    files = {"restoration": with_psf("r.fits", restored), "truth": with_psf("t.fits", truth)}

    def evaluated() -> tuple[float, str]:
        words = ["--truth", files["truth"], "--restored", files["restoration"], "--json"]
        assert main(["evaluate", *words]) == 0
        out, err = capsys.readouterr()
        return json.loads(out)["psnr_linear"], err

    before, said = evaluated()
    which, other = ("restoration", "truth") if sharper else ("truth", "restoration")
    widths = re.search(rf'the {which} is sharper \(FWHM (\S+)"\) than the {other} \((\S+)"\)', said)
    assert widths is not None
    assert [float(width) for width in widths.groups()] == pytest.approx([1.0, 1.6], abs=0.03)
    options = re.search(r"--fwhm (\S+) --noise 0", said)
    assert options is not None
    blurred = str(tmp_path / "blurred.fits")
    words = ["--fwhm", options[1], "--noise", "0", "--output", blurred]
    assert main(["degrade", files[which], *words]) == 0
    files[which] = blurred
    after, said = evaluated()
    assert "sharper" not in said
    assert after > before + 10.0


def test_like_sharpness_and_unknown_psfs_are_not_complained_of(with_psf, saved, capsys):
    pairs = [
        (with_psf("a.fits", 1.6), with_psf("b.fits", 1.65)),
        (saved("c.fits", noisy()[0]),) * 2,
    ]
    for truth, restored in pairs:
        assert main(["evaluate", "--truth", truth, "--restored", restored]) == 0
        said = capsys.readouterr().err
        assert "sharper" not in said
        assert "nothing states" not in said


def test_bands_that_were_not_restored_are_told_and_left_out(tmp_path, sky_header, capsys):
    truth, restored = str(tmp_path / "t.fits"), str(tmp_path / "r.fits")
    fits.writeto(
        truth, np.stack([noisy(k)[0] for k in range(3)]), sky_header(BANDS="gri", BUNIT="nJy")
    )
    words = ["--method", "wiener", "--psf", "1.2", "--bands", "r", "--output", restored]
    assert main(["restore", truth, *words]) == 0
    words = ["evaluate", "--truth", truth, "--restored", restored]
    capsys.readouterr()
    assert main(words) == 0
    alone = capsys.readouterr()
    said = " ".join(alone.err.split())
    assert "by the cards of r.fits (PLCTYPE, PLCBANDS) g, i were left unrestored" in said
    assert "the numbers are of r, --bands chooses others" in said
    assert "psnr and ssim are taken after an asinh stretch in units of the truth's noise" in said
    assert main([*words, "--bands", "r"]) == 0
    chosen = capsys.readouterr()
    assert "left unrestored" not in chosen.err
    assert alone.out == chosen.out
    assert main([*words, "--bands", "g,r,i"]) == 0
    assert "the numbers are of all bands" in " ".join(capsys.readouterr().err.split())
    assert main(["evaluate", "--truth", truth, "--restored", truth]) == 0
    assert "left unrestored" not in capsys.readouterr().err

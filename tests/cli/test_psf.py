"""`pellucid psf`, and `restore --psf stars`, as a person uses them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import uniform_filter
from typed import INPUT, USAGE, picture, strict

from pellucid.cli import main
from pellucid.optics import convolve
from pellucid.sky import PSF
from pellucid.sky.psf import gaussian_psf, moffat_psf, stacked, stamp_fwhm
from pellucid.sources.psf_picture import psf_figure

FWHM = 1.2


@pytest.fixture
def field(tmp_path, sky_header) -> Path:
    """25 stars of 1.2 arcsec on noise, and a galaxy."""
    rng = np.random.default_rng(3)
    flux = rng.normal(0, 1, (260, 260))
    stamp = moffat_psf(FWHM, 0.396, 3.5).stamps[0]
    half = len(stamp) // 2
    for y in range(40, 240, 45):
        for x in range(40, 240, 45):
            window = slice(y - half, y + half + 1), slice(x - half, x + half + 1)
            flux[window] += stamp * 10 ** rng.uniform(3.5, 4.5)
    path = tmp_path / "field.fits"
    fits.writeto(path, flux.astype("f4"), sky_header(FILTER="r"))
    return path


def test_the_psf_of_an_image(pellucid, field, tmp_path):
    out, png = tmp_path / "PSF.fits", tmp_path / "psf.png"
    report = strict(pellucid("psf", field, "--output", out, "--png", png, "--json"))
    assert report["fwhm"] == pytest.approx(FWHM, rel=0.02)
    assert report["bands"]["r"]["stars"] == len(report["bands"]["r"]["places"]) >= 20
    with fits.open(out, checksum=True) as hdus:
        assert hdus[0].data.sum() == pytest.approx(1.0, rel=1e-4)
        assert hdus[0].header["PIXSCALE"] == pytest.approx(0.396)
        assert hdus[0].header["FWHM"] == pytest.approx(FWHM, rel=0.02)
        assert "pellucid psf" in str(hdus[0].header["HISTORY"])
    assert picture(png).shape[0] > 300


def test_the_picture_of_a_psf_tells_bands_widths_and_arcsec():
    stamps = [moffat_psf(fwhm, 0.4).stamps[0] for fwhm in (1.2, 1.6)]
    psf = PSF(stacked(stamps), 0.4, bands=("g", "r"))
    figure = psf_figure(psf)
    first, second, bar = figure.axes
    assert first.get_title() == 'g: FWHM 1.22", 3.0 pixels'
    assert second.get_title() == 'r: FWHM 1.61", 4.0 pixels'
    assert first.get_xlabel() == first.get_ylabel() == "arcsec"
    assert "peak" in bar.get_ylabel()
    side = psf.stamps.shape[1] * 0.4
    for axis, fwhm in ((first, 1.2), (second, 1.6)):
        (drawn,), (circle,) = axis.images, axis.patches
        assert drawn.get_extent() == pytest.approx((-side / 2, side / 2, -side / 2, side / 2))
        assert drawn.origin == "lower"
        assert 2.0 * circle.get_radius() == pytest.approx(fwhm, rel=0.02)


def test_each_band_has_a_fwhm(field, tmp_path, capsys):
    plane, header = fits.getdata(field, header=True)
    cube = np.stack([plane, convolve(plane[None], gaussian_psf(1.2, 0.396).stamps)[0]])
    header.remove("FILTER")
    fits.writeto(tmp_path / "gr.fits", cube, header + fits.Header({"BANDS": "gr"}))
    assert main(["psf", str(tmp_path / "gr.fits"), "--output", str(tmp_path / "P.fits")]) == 0
    said = capsys.readouterr().err
    sharp, wide = (
        float(x) for x in re.search(r'FWHM g ([\d.]+)", r ([\d.]+)" from', said).groups()
    )
    assert sharp == pytest.approx(FWHM, rel=0.02)
    assert wide > 1.2 * sharp


def test_restore_with_the_psf_of_the_stars(pellucid, field, tmp_path):
    words = ("restore", field, "--method", "wiener", "--json")
    measured = strict(pellucid(*words, "--psf", "stars", "--output", tmp_path / "a.fits"))
    assert measured["psf_fwhm"] == pytest.approx(FWHM, rel=0.02)
    assert "undone: a blur of FWHM" in str(fits.getheader(tmp_path / "a.fits")["HISTORY"])
    pellucid("psf", field, "--output", tmp_path / "PSF.fits")
    read = pellucid(*words, "--psf", tmp_path / "PSF.fits", "--output", tmp_path / "b.fits")
    assert not [note for note in strict(read)["notes"] if "the PSF of band" in note]
    first, second = (fits.getdata(tmp_path / name) for name in ("a.fits", "b.fits"))
    np.testing.assert_allclose(first, second, atol=1e-3 * np.abs(first).max())


def test_a_psf_that_does_not_fit_the_stars_is_noted(pellucid, field, tmp_path):
    stamp = gaussian_psf(2.4, 0.396).stamps[0]
    fits.writeto(tmp_path / "wide.fits", stamp, fits.Header({"PIXSCALE": 0.396}))
    words = ("restore", field, "--method", "wiener", "--json", "--output", tmp_path / "a.fits")
    notes = strict(pellucid(*words, "--psf", tmp_path / "wide.fits"))["notes"]
    (note,) = [note for note in notes if "stars of the image" in note]
    assert note in " ".join(str(fits.getheader(tmp_path / "a.fits")["HISTORY"]).split("\n"))


@pytest.mark.parametrize("verb", ["restore", "info"])
def test_a_number_that_does_not_fit_the_stars_is_noted(pellucid, field, tmp_path, verb):
    """Such as a FWHM in pixels."""
    words = [verb, field, "--json"]
    if verb == "restore":
        words += ["--method", "wiener", "--overwrite", "--output", tmp_path / "a.fits"]
    for fwhm, notes in (("3.03", 1), ("0.5", 1), ("1.2", 0)):
        told = json.loads(pellucid(*words, "--psf", fwhm))
        told = told if isinstance(told, dict) else told[0]
        said = [note for note in told["notes"] if "is it the FWHM in arcsec" in note]
        assert len(said) == notes
        if said and verb == "restore":
            history = str(fits.getheader(tmp_path / "a.fits")["HISTORY"])
            # Cards lose blanks at their ends.
            assert "".join(said[0].split()) in "".join(history.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("star", "is a FWHM in arcsec, a FITS file, or stars"),
        ("2.5px", "(here 0.99)"),
        ("1.35arcsec", "(here 1.35)"),
        ('1.35"', "(here 1.35)"),
        ("seeing", "is no file and no number"),
        ("1,3", "(here 1.3)"),
    ],
)
def test_what_a_psf_may_be_is_said(field, tmp_path, capsys, text, said):
    words = ["--method", "wiener", "--output", str(tmp_path / "a.fits")]
    assert main(["restore", str(field), "--psf", text, *words]) == USAGE
    err = capsys.readouterr().err
    assert said in err
    assert f"--psf {text}: " in err
    assert len(err.splitlines()) == 1


def test_a_psf_in_pixels_of_its_own(pellucid, field, tmp_path):
    """What the file says of its pixels is not overruled by the image's."""
    stamp = moffat_psf(FWHM, 0.099, 3.5).stamps[0]
    fits.writeto(tmp_path / "fine.fits", stamp, fits.Header({"PIXSCALE": 0.099}))
    words = ("restore", field, "--method", "wiener", "--json", "--output", tmp_path / "a.fits")
    report = strict(pellucid(*words, "--psf", tmp_path / "fine.fits"))
    # Four by four of its pixels are one of the image's.
    wider = stamp_fwhm(uniform_filter(stamp.astype(float), 4)) * 0.099
    assert report["psf_fwhm"] == pytest.approx(wider, rel=0.02)
    assert 'brought from pixels of 0.099" to the image\'s 0.396"' in report["notes"][0]


def test_the_psf_that_the_header_states(pellucid, tmp_path, sky_header):
    flux = np.random.default_rng(1).normal(0, 1, (60, 60)).astype("f4")
    fits.writeto(tmp_path / "a.fits", flux, sky_header(SEEING=1.4))
    words = ("--method", "wiener", "--output", tmp_path / "o.fits", "--json")
    report = strict(pellucid("restore", tmp_path / "a.fits", *words))
    assert report["psf_fwhm"] == pytest.approx(1.4, rel=0.01)
    assert "SEEING = 1.4" in report["notes"][-1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("psf",), INPUT, "no star bright, alone and unsaturated enough, and 3 are needed"),
        (("restore", "--method", "wiener", "--psf", "stars"), INPUT, "take a wider cutout"),
        (("restore", "--method", "wiener"), INPUT, "FWHM = 1.1 in the header may be"),
        (("restore", "--method", "wiener"), INPUT, "or PSF.fits, or a SEEING card in its header"),
        (("restore", "--model", "pellucid"), INPUT, "too few stars to take it from them"),
        (("restore", "--method", "wiener", "--psf", "sky.fits"), INPUT, "is the image itself"),
        (("restore", "--method", "wiener", "--blur", "stars"), USAGE, "--psf stars"),
    ],
)
def test_what_cannot_be_known_is_refused(
    tmp_path, monkeypatch, capsys, sky_header, words, code, said
):
    monkeypatch.chdir(tmp_path)
    flux = np.random.default_rng(0).normal(0, 1, (80, 80)).astype("f4")
    fits.writeto("sky.fits", flux, sky_header(FWHM=2.1))
    verb, *options = words
    assert main([verb, "sky.fits", *options, "--output", "out.fits"]) == code
    err = capsys.readouterr().err
    assert said.replace("1.1", "2.1") in err
    assert len(err.splitlines()) == 1
    assert not Path("out.fits").exists()


@pytest.mark.parametrize("words", [("--method", "wiener"), ("--model", "pellucid"), ()])
def test_stars_are_recommended_where_there_are_some(field, tmp_path, capsys, words):
    words = ("--pixel-scale", "0.3", *words, "--output", str(tmp_path / "out.fits"))
    assert main(["restore", str(field), *words]) == INPUT
    assert "--psf FWHM_ARCSEC, PSF.fits or stars (they have 0.9" in capsys.readouterr().err


def test_the_psf_in_the_images_own_file(pellucid, tmp_path, sky_header):
    flux = np.random.default_rng(1).normal(0, 1, (60, 60)).astype("f4")
    stamp = gaussian_psf(1.6, 0.396).stamps[0]
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(flux, sky_header(), name="SCI")]
    fits.HDUList([*hdus, fits.ImageHDU(stamp, name="PSF")]).writeto(tmp_path / "a.fits")
    words = ("restore", tmp_path / "a.fits", "--method", "wiener", "--json", "--overwrite")
    report = strict(pellucid(*words, "--output", tmp_path / "o.fits"))
    assert report["psf_fwhm"] == pytest.approx(1.6, rel=0.01)
    assert any("the psf is the one in its file" in note for note in report["notes"])
    stated = strict(pellucid(*words, "--psf", "1.2", "--output", tmp_path / "o.fits"))
    assert stated["psf_fwhm"] == pytest.approx(1.2, rel=0.01)
    assert not any("in its file" in note for note in stated["notes"])

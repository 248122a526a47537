"""`pellucid info` as a person uses it: it says what `restore` would do, and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image
from typed import GOOD, INPUT, USAGE

from pellucid.cli import main
from pellucid.sky import SkyImage, gaussian_psf, sky_of

SCALE = 0.396


@pytest.fixture
def told(pellucid):
    """What is told of one file as JSON."""

    def run(*words: object) -> dict:
        (report,) = json.loads(pellucid("info", *words, "--json"), parse_constant=pytest.fail)
        return report

    return run


@pytest.fixture
def survey_file(tmp_path, sky_header, galaxy):
    """Two bands with errors, flags and a PSF, a border without data, and a table."""
    hdus: list = [fits.PrimaryHDU()]
    for band, plane in zip(("G", "R"), galaxy.flux, strict=False):
        flux = np.where(np.arange(44) < 6, np.nan, plane)
        hdus.append(fits.ImageHDU(flux.astype("f4"), sky_header(), name=f"{band}_SCI"))
        hdus.append(
            fits.ImageHDU(np.full(plane.shape, 0.1, "f4"), sky_header(), name=f"{band}_ERR")
        )
        stamp = gaussian_psf(1.2 if band == "G" else 1.0, SCALE).stamps[0]
        hdus.append(fits.ImageHDU(stamp, fits.Header({"PIXSCALE": SCALE}), name=f"{band}_PSF"))
    rows = fits.Column("x", "E", array=np.ones(2))
    hdus.append(fits.BinTableHDU.from_columns([rows], name="CATALOG"))
    fits.HDUList(hdus).writeto(tmp_path / "survey.fits")
    return tmp_path / "survey.fits"


def test_all_that_is_read_is_told(told, survey_file, galaxy):
    report = told(survey_file)
    assert report["file"] == str(survey_file)
    assert (report["bands"], report["unit"], report["shape"]) == (
        ["G", "R"],
        "nanomaggy",
        [2, 56, 44],
    )
    assert report["pixel_scale"] == pytest.approx(SCALE, rel=1e-4)
    assert report["no_data"] == pytest.approx(6 / 44, rel=1e-6)
    assert report["variance"]
    planes = {
        plane["name"]: (plane["role"], plane["use"], plane["why"]) for plane in report["planes"]
    }
    assert planes["G_SCI"] == ("image", "selected", "EXTNAME = G_SCI")
    assert planes["R_ERR"] == ("error", "read", "EXTNAME = R_ERR")
    assert planes["R_PSF"][:2] == ("psf", "copied")
    assert planes["CATALOG"][0] == "table"
    assert report["psf"]["from"] == "file"
    assert report["psf"]["fwhm"]["G"] == pytest.approx(1.2, rel=0.03)
    assert report["psf"]["fwhm"]["R"] == pytest.approx(1.0, rel=0.03)
    assert report["wcs"]["projection"] == "TAN"
    assert report["wcs"]["centre"] == pytest.approx([150.0, 2.0], abs=0.01)
    data = galaxy.flux[:2, :, 6:]
    for plane, sky in zip(data, report["sky"].values(), strict=True):
        own = sky_of(SkyImage(plane))
        assert (sky["level"], sky["noise"]) == pytest.approx((own.sky[0], own.sigma), rel=1e-5)


def test_it_can_be_read_by_a_person(pellucid, survey_file):
    printed = pellucid("info", survey_file)
    lines = printed.splitlines()
    assert lines[0] == str(survey_file)
    assert printed.count(", as measured; its plane states 0.") == 2
    assert '  image     G, R: 44 × 56 pixels of 0.396", nanomaggy' in lines
    assert "  no data   14 %" in lines
    assert any(line.startswith("  psf       FWHM G 1.2") for line in lines)
    assert "G_SCI" in printed
    assert "image, selected  (EXTNAME = G_SCI)" in printed
    assert max(map(len, lines)) < 300


def test_the_model_is_the_one_that_restore_takes(pellucid, told, bands_of, tmp_path):
    words = pellucid("restore", bands_of[1], "--output", tmp_path / "out.fits", "--json")
    taken = json.loads(words)
    report = told(bands_of[1])
    assert report["model"] == taken["model"] == "galaxygan-sdss"
    assert f"model {report['model']} was taken: {report['why']}" in taken["notes"]


def test_where_no_model_fits_restore_says_the_same(refused, told, save, tmp_path):
    path = save("g.fits", CDELT1=-0.2 / 3600, CDELT2=0.2 / 3600)
    report = told(path)
    said = refused(INPUT, "restore", path, "--output", tmp_path / "out.fits", naming=path)
    assert report["model"] is None
    assert report["why"] in said
    assert "nearest: galaxygan-sdss" in said


@pytest.mark.parametrize(
    ("words", "cards", "source", "fwhm"),
    [
        (["--psf", "1.3"], {}, "stated", 1.3),
        ([], {"SEEING": 1.3}, "header", 1.3),
        (["--psf", "0.9"], {"SEEING": 1.3}, "stated", 0.9),
        ([], {}, "unknown", None),
    ],
)
def test_where_the_psf_comes_from(told, save, words, cards, source, fwhm):
    psf = told(save("r.fits", **cards), *words)["psf"]
    assert psf["from"] == source
    if fwhm is None:
        assert psf["fwhm"] is None
        assert "--psf FWHM_ARCSEC" in psf["origin"]
    else:
        assert list(psf["fwhm"].values()) == [pytest.approx(fwhm, rel=0.02)]


def test_stars_that_could_tell_are_told_of(pellucid, told, save):
    flux = np.random.default_rng(3).normal(0, 1, (160, 160))
    stamp = 3e4 * gaussian_psf(1.4, SCALE).stamps[0]
    side = len(stamp)
    for y in range(10, 140, 30):
        for x in range(10, 140, 30):
            flux[y : y + side, x : x + side] += stamp
    path = save("stars.fits", flux.astype("f4"))
    report = told(path)
    assert report["psf"]["from"] == "stars"
    assert list(report["psf"]["fwhm"].values()) == [pytest.approx(1.4, rel=0.03)]
    # What could be known is not known: the model is that for an unknown psf.
    assert "no psf is known" in report["why"]
    assert "not stated; --psf stars would take about 1.4" in pellucid("info", path)
    assert told(path, "--psf", "stars")["psf"]["from"] == "stated"


def test_options_say_how_it_is_read(told, save, galaxy, sky_header):
    mask = fits.ImageHDU((GOOD > 4).astype("i2"), name="MASK")
    path = save("a.fits", GOOD, mask)
    assert told(path)["no_data"] == pytest.approx((GOOD > 4).mean(), rel=1e-5)
    assert told(path, "--bad-bits", "none")["no_data"] == 0
    report = told(path, "--bands", "z", "--pixel-scale", 0.2, "--hdu", 0)
    assert (report["bands"], report["pixel_scale"]) == (["z"], 0.2)


def test_of_bands_that_are_not_chosen_nothing_is_used(told, survey_file):
    report = told(survey_file, "--bands", "r")
    assert report["bands"] == ["R"]
    assert list(report["psf"]["fwhm"].values()) == [pytest.approx(1.0, rel=0.03)]
    uses = {plane["name"]: plane["use"] for plane in report["planes"]}
    assert uses["R_SCI"] == "selected"
    assert uses["R_ERR"] == "read"
    assert uses["G_SCI"] == uses["G_ERR"] == "copied"


def test_a_picture_is_told_of(told, tmp_path):
    Image.fromarray(np.full((50, 60, 3), 90, "u1")).save(tmp_path / "a.png")
    report = told(tmp_path / "a.png")
    assert report["planes"] == []
    assert report["wcs"] is None
    assert report["shape"] == [3, 50, 60]


def test_a_bad_file_among_good_ones(save, tmp_path, capsys):
    good, bad = save("good.fits"), tmp_path / "bad.fits"
    bad.write_text("no FITS")
    capsys.readouterr()
    assert main(["info", str(bad), str(good), "--json"]) == 1
    out, err = capsys.readouterr()
    assert [report["file"] for report in json.loads(out)] == [str(good)]
    assert err.count("\n") == 1
    assert "bad.fits: is not a FITS file" in err


def test_bad_files_alone(tmp_path, capsys):
    bad = tmp_path / "bad.fits"
    bad.write_text("no FITS")
    assert main(["info", str(bad), str(tmp_path / "gone.fits")]) == INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 2
    assert main(["info", str(bad), "--psf", "0"]) == INPUT


def test_a_slip_is_a_usage_error(refused, save):
    path = save("a.fits")
    assert "above 0" in refused(USAGE, "info", path, "--psf", "-1", naming=path)


def test_what_is_read_together_is_told_as_one(told, pellucid, bands_of, galaxy, tmp_path):
    for name, values in (("r.sigma", np.ones), ("r.mask", np.zeros)):
        data = values(galaxy.shape[1:], "f4" if name == "r.sigma" else "i2")
        data[3, 4] = 1
        fits.writeto(tmp_path / f"{name}.fits", data)
    error, mask = tmp_path / "r.sigma.fits", tmp_path / "r.mask.fits"
    report = told("--together", *bands_of, error, mask)
    assert report["bands"] == ["g", "r", "i"]
    assert report["files"] == [*map(str, bands_of), str(error), str(mask)]
    rows = {
        plane["file"]: (plane["role"], plane["use"], plane["hdu"]) for plane in report["planes"]
    }
    assert rows == {
        **dict.fromkeys(("g.fits", "r.fits", "i.fits"), ("image", "selected", 0)),
        "r.sigma.fits": ("error", "read", 0),
        "r.mask.fits": ("mask", "read", 0),
    }
    words = pellucid("restore", *bands_of, error, mask, "--output", tmp_path / "o.fits", "--json")
    assert json.loads(words)["bands"] == report["bands"]
    assert json.loads(words)["model"] == report["model"]
    some = told("--together", *bands_of, "--bands", "r,i")
    uses = {plane["file"]: plane["use"] for plane in some["planes"]}
    assert uses == {"g.fits": "copied", "r.fits": "selected", "i.fits": "selected"}
    printed = pellucid("info", "--together", bands_of[1], error, mask)
    assert "r.sigma.fits[0]" in printed
    assert printed.count("  image ") == 1


def test_files_that_do_not_fit_together_are_refused(refused, bands_of, save):
    other = save("z.fits", CRVAL1=151.0)
    refused(INPUT, "info", "--together", bands_of[0], other, naming=other)


def test_the_share_without_data_is_told_of_each_band(told, pellucid, save):
    planes = np.stack([GOOD, GOOD])
    planes[1, :10] = np.nan
    path = save("two.fits", planes, BAND1="g", BAND2="r")
    assert told(path)["no_data_bands"] == {"g": 0.0, "r": 0.25}
    assert "  no data   g 0 %, r 25 %" in pellucid("info", path).splitlines()


def test_a_folder_is_told_in_a_line_for_each_image(pellucid, save, tmp_path, capsys):
    save("a.fits", FILTER="r", BUNIT="nJy")
    save("b.fits", FILTER="g")
    save("b.mask.fits", np.zeros(GOOD.shape, "i2"))
    (tmp_path / "notes.txt").touch()
    first, second = pellucid("info", tmp_path).splitlines()
    assert first.startswith(f'{tmp_path / "a.fits"}: r: 44 × 40 pixels of 0.396", nJy; psf ')
    assert first.endswith("; no data none")
    assert second.startswith(f"{tmp_path / 'b.fits'}: g: ")
    assert len(json.loads(pellucid("info", tmp_path, "--json"))) == 2
    (tmp_path / "empty").mkdir()
    assert main(["info", str(tmp_path / "empty")]) == INPUT
    assert "empty: holds no FITS file; name files" in capsys.readouterr().err
    (tmp_path / "empty" / "deeper").mkdir()
    assert main(["info", str(tmp_path / "empty")]) == INPUT
    assert "folders in it are not searched" in capsys.readouterr().err
    (tmp_path / "empty" / "bundle.onnx").touch()
    assert main(["info", str(tmp_path / "empty")]) == INPUT
    assert f"`pellucid models {tmp_path / 'empty'}`" in capsys.readouterr().err
    (tmp_path / "many.tar").write_bytes(b"a.fits" + bytes(600))
    assert main(["info", str(tmp_path / "many.tar")]) == INPUT
    assert "not a FITS file but a tar archive; unpack it" in capsys.readouterr().err

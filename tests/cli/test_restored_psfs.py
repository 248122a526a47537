"""Of a file in which some bands were restored, each band has the PSF that it has now."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits

from pellucid import gaussian_psf
from pellucid.cli import main
from pellucid.sky.psf import stacked

SHAPE, SCALE = (40, 44), 0.396
WIDTHS = {"g": 1.3, "r": 1.2, "z": 1.1}
MODEL = ("--model", "pellucid")


@pytest.fixture(params=["stamps", "a card", "cards"])
def source(request, tmp_path, sky_header):
    """Three bands, whose PSFs stand as stamps in the file, in the header, in a header each."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    light = 60 * np.exp(-((y - 20) ** 2 + (x - 24) ** 2) / 9)
    flux = (light + np.random.default_rng(3).normal(0.0, 1.0, (3, *SHAPE))).astype("f4")
    names = {f"BAND{k}": band for k, band in enumerate(WIDTHS, 1)}
    if request.param == "a card":
        hdus = [fits.PrimaryHDU(flux, sky_header(**names, SEEING=(1.2, "arcsec")))]
    elif request.param == "cards":
        planes = zip(flux, WIDTHS.items(), strict=True)
        cards = [(data, {"FILTER": band, "SEEING": (fwhm, "arcsec")})
                 for data, (band, fwhm) in planes]  # fmt: skip
        hdus = [fits.PrimaryHDU()]
        hdus += [fits.ImageHDU(data, sky_header(**own), name="SCI") for data, own in cards]
    else:
        stamps = [gaussian_psf(fwhm, SCALE).stamps[0] for fwhm in WIDTHS.values()]
        psf = fits.ImageHDU(stacked(stamps), fits.Header({**names, "PIXSCALE": SCALE}), "PSF")
        hdus = [fits.PrimaryHDU(flux, sky_header(**names)), psf]
    fits.HDUList(hdus).writeto(tmp_path / "in.fits")
    one = request.param == "a card"
    return tmp_path / "in.fits", dict.fromkeys(WIDTHS, 1.2) if one else WIDTHS


@pytest.fixture
def told(pellucid):
    """What info says of the psf of each band."""

    def run(*words):
        return json.loads(pellucid("info", *words, "--json"))[0]["psf"]["fwhm"]

    return run


def test_kept_pixels_of_each_band_have_the_psf_of_their_own(source, restored, told):
    path, before = source
    assert told(path) == pytest.approx(before, rel=0.02)
    first = restored(path, "--bands", "r", *MODEL, "--target", "1.0", name="r.fits")
    assert told(first) == pytest.approx({**before, "r": 1.0}, rel=0.02)
    assert told(first, "--bands", "z,r") == pytest.approx({"z": before["z"], "r": 1.0}, rel=0.02)
    second = restored(first, "--bands", "g", *MODEL, "--target", "0.9", name="gr.fits")
    assert fits.getheader(second, "PSF")["PLCTYPE"] == "PSF"
    assert told(second) == pytest.approx({"g": 0.9, "r": 1.0, "z": before["z"]}, rel=0.02)


def test_halved_pixels_have_the_new_psf_and_the_others_what_they_had(source, restored, told):
    path, before = source
    out = restored(path, "--bands", "r", *MODEL)
    assert list(told(out)) == ["r"]
    assert told(out)["r"] < 0.6
    with fits.open(out) as hdus:
        cube = "OTHER_BANDS" in hdus
    others = told(out, "--hdu", "OTHER_BANDS") if cube else told(out, "--hdu", 1)
    left = ("g", "z") if cube else ("g",)
    assert others == pytest.approx({band: before[band] for band in left}, rel=0.02)


def test_of_what_a_method_undid_nothing_is_known(source, restored, told, pellucid):
    path, before = source
    out = restored(path, "--bands", "r", "--method", "wiener")
    assert told(out) is None or "stars" in pellucid("info", out)
    assert told(out, "--bands", "g") == pytest.approx({"g": before["g"]}, rel=0.02)


def test_what_is_stated_in_place_of_the_files_own_is_told(source, tmp_path, capsys):
    path, _ = source
    command = ["restore", str(path), *MODEL, "--output", str(tmp_path / "out.fits"), "--overwrite"]
    assert main([*command, "--psf", "1.6"]) == 0
    assert '--psf (1.60") was taken, and not the PSF in the file (1.2' in capsys.readouterr().err
    assert main([*command, "--psf", "1.2"]) == 0
    assert "was taken, and not" not in capsys.readouterr().err


def test_a_number_far_from_the_files_own_psf_needs_force(source, tmp_path, capsys):
    path, _ = source
    command = ["restore", str(path), *MODEL, "--output", str(tmp_path / "out.fits")]
    assert main([*command, "--psf", "4.2"]) == 3
    said = capsys.readouterr().err
    assert "times as broad as the PSF in the file" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out.fits").exists()
    assert main([*command, "--psf", "4.2", "--force"]) == 0

"""Some bands of a file are restored: it is known which, and the others are what they were."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from pellucid.cli import main
from pellucid.fits import read_image
from pellucid.sky import moffat_psf
from pellucid.sky.psf import stacked

SHAPE = (40, 44)
BANDS = ("g", "r", "z")
NOISE = {"g": 1.5, "r": 1.25, "z": 2.5}
HALVED = ("--model", "pellucid", "--psf", "1.2")
KEPT = ("--model", "pellucid", "--psf", "1.2", "--target", "1.0")


@pytest.fixture
def flux():
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    light = 60 * np.exp(-((y - 20) ** 2 + (x - 24) ** 2) / 9)
    noise = np.random.default_rng(3).normal(0.0, 1.0, (3, *SHAPE))
    return (light * np.array([1.0, 2.0, 3.0])[:, None, None] + noise).astype("f4")


@pytest.fixture
def cube(flux, tmp_path, sky_header):
    """A cube with its errors and one plane of flags for all."""
    names = {f"BAND{k}": band for k, band in enumerate(BANDS, 1)}
    error = np.stack([np.full(SHAPE, NOISE[band], "f4") for band in BANDS])
    mask = np.zeros(SHAPE, "i2")
    mask[3:5, 7] = 2
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(flux, sky_header(**names, BANDS="grz"), name="COADD"),
        fits.ImageHDU(error, sky_header(**names), name="ERR"),
        fits.ImageHDU(mask, sky_header(), name="FLAGS"),
    ]
    fits.HDUList(hdus).writeto(tmp_path / "cube.fits")
    return tmp_path / "cube.fits"


@pytest.fixture
def extensions(flux, tmp_path, sky_header):
    hdus = [fits.PrimaryHDU()]
    for plane, band in zip(flux, BANDS, strict=True):
        error = np.full(SHAPE, NOISE[band], "f4")
        hdus.append(fits.ImageHDU(plane, sky_header(FILTER=band), name=f"{band}_SCI"))
        hdus.append(fits.ImageHDU(error, sky_header(), name=f"{band}_RMS"))
    fits.HDUList(hdus).writeto(tmp_path / "extensions.fits")
    return tmp_path / "extensions.fits"


CHOICES = {"r": ["r"], "z,g": ["g", "z"], "g": ["g"]}  # as typed, and in the file's order


@pytest.mark.parametrize("typed", CHOICES)
def test_halved_planes_of_a_cube_have_their_names_and_the_others_their_pixels(
    cube, flux, restored, typed
):
    chosen = CHOICES[typed]
    left = [band for band in BANDS if band not in chosen]
    out = restored(cube, "--bands", typed, *HALVED)
    again = read_image(out)
    assert list(again.bands) == chosen
    assert again.shape == (len(chosen), 2 * SHAPE[0], 2 * SHAPE[1])
    with fits.open(out, checksum=True) as hdus:
        header = hdus["COADD"].header
        assert [header.get(f"BAND{k}") for k in (1, 2, 3)] == [*chosen, None, None][:3]
        assert header["BANDS"] == "".join(chosen)
        assert "PLCMODEL" in header
        sigma = hdus["UNCERT"].data
        others = hdus["OTHER_BANDS"]
        assert "PLCTYPE" not in others.header
        corners = [[-0.5, -0.5], [SHAPE[1] - 0.5, SHAPE[0] - 0.5]]
        places = WCS(fits.getheader(cube, 1), naxis=2).wcs_pix2world(corners, 0)
        np.testing.assert_allclose(WCS(others.header, naxis=2).wcs_pix2world(corners, 0), places)
        finer = 2 * np.array(corners) + 0.5
        np.testing.assert_allclose(WCS(header, naxis=2).wcs_pix2world(finer, 0), places)
    np.testing.assert_allclose(np.sqrt(again.variance), sigma, rtol=1e-5)
    assert again.mask.sum() == len(chosen) * 8
    rest = read_image(out, hdu="OTHER_BANDS")
    assert list(rest.bands) == left
    np.testing.assert_array_equal(rest.flux, flux[[BANDS.index(band) for band in left]])
    assert rest.mask.sum() == len(left) * 2  # by the flags in the old pixels
    for plane, band in zip(again.flux, again.bands, strict=True):
        light = flux[BANDS.index(band)].sum(dtype=float)
        assert plane.sum(dtype=float) == pytest.approx(light, rel=2e-3)


@pytest.mark.parametrize("typed", CHOICES)
@pytest.mark.parametrize("kind", ["cube", "extensions"])
def test_kept_pixels_have_the_noise_that_each_plane_has_now(request, restored, flux, kind, typed):
    """That of the restoration where one was made, and what it was elsewhere."""
    source = request.getfixturevalue(kind)
    out = restored(source, "--bands", typed, *KEPT)
    again = read_image(out)
    assert again.bands == BANDS
    with fits.open(out) as hdus:
        if kind == "extensions":  # each band has planes of its own
            for name in ("UNCERT", "DOUBT"):
                of = [hdu.header["PLCOF"] for hdu in hdus if hdu.name == name]
                assert of == [f"{band.upper()}_SCI,1" for band in CHOICES[typed]]
        else:
            assert np.isnan(hdus["DOUBT"].data).all(axis=(1, 2)).tolist() == [
                band not in CHOICES[typed] for band in BANDS
            ]
            assert [hdus["UNCERT"].header[f"BAND{k}"] for k in (1, 2, 3)] == list(BANDS)
            said = hdus["COADD"].header["PLCBANDS"].split(",")
            assert sorted(said) == sorted(CHOICES[typed])
    for k, band in enumerate(BANDS):
        if band in CHOICES[typed]:
            unknown = np.isnan(again.variance[k])
            np.testing.assert_array_equal(unknown, again.holes[k])
            assert 0 < np.median(again.variance[k][~unknown]) < 0.5
            assert np.abs(again.flux[k] - flux[k]).max() > 0.5
        else:
            np.testing.assert_allclose(again.variance[k], NOISE[band] ** 2, rtol=1e-5)
            np.testing.assert_array_equal(again.flux[k], flux[k])


def test_a_noise_that_nothing_tells_is_measured(flux, restored, tmp_path, sky_header):
    names = {f"BAND{k}": band for k, band in enumerate(BANDS, 1)}
    fits.PrimaryHDU(flux, sky_header(**names)).writeto(tmp_path / "in.fits")
    again = read_image(restored(tmp_path / "in.fits", "--bands", "r", *KEPT))
    assert again.bands == BANDS
    found = np.sqrt(again.variance[[0, 2]])
    np.testing.assert_allclose(found, 1.0, rtol=0.1)
    assert np.ptp(found, axis=(1, 2)).tolist() == [0, 0]


def test_halved_extensions_stand_among_the_others(extensions, flux, restored):
    out = restored(extensions, "--bands", "r", *HALVED)
    with fits.open(extensions) as before, fits.open(out) as after:
        old = [hdu.name for hdu in before]
        names = [name.replace("R_RMS", "INPUT_R_RMS") for name in old]
        assert [hdu.name for hdu in after][: len(names)] == names
        for name in ("G_SCI", "G_RMS", "Z_SCI", "Z_RMS"):
            np.testing.assert_array_equal(after[name].data, before[name].data)
        sigma = after["UNCERT"].data
    again = read_image(out)
    assert again.bands == ("r",)
    np.testing.assert_allclose(np.sqrt(again.variance[0]), sigma, rtol=1e-5)
    rest = read_image(out, hdu="G_SCI")
    np.testing.assert_allclose(np.sqrt(rest.variance), NOISE["g"], rtol=1e-5)


def test_all_bands_in_another_order_keep_their_noise(cube, extensions, restored):
    """The layers stand in the order of the file."""
    for source in (cube, extensions):
        for way in (HALVED, KEPT):
            plain = read_image(restored(source, *way))
            turned = read_image(restored(source, "--bands", "z,r,g", *way))
            assert turned.bands == plain.bands == BANDS
            np.testing.assert_allclose(turned.variance, plain.variance, rtol=1e-3)


def test_one_band_after_the_other(cube, restored):
    """A file of which one band was restored, then another: the card names both, then none."""
    out = restored(cube, "--bands", "r", *KEPT, name="r.fits")
    out = restored(out, "--bands", "g", *KEPT, name="gr.fits")
    assert sorted(fits.getheader(out, "COADD")["PLCBANDS"].split(",")) == ["g", "r"]
    out = restored(out, *KEPT, name="all.fits")
    assert "PLCBANDS" not in fits.getheader(out, "COADD")
    assert read_image(out).bands == BANDS


def test_a_model_of_one_band_brings_each_to_finer_pixels(cube, flux, restored):
    words = ("--model", "seeinggan-hsc-hst", "--pixel-scale", "0.3", "--force")
    out = restored(cube, "--bands", "r,g", *words)
    again = read_image(out)
    assert again.bands == ("g", "r")
    assert again.shape[1] > SHAPE[0]
    for plane, before in zip(again.flux, flux, strict=False):
        assert plane.sum(dtype=float) == pytest.approx(before.sum(dtype=float), rel=5e-3)
    rest = read_image(out, hdu="OTHER_BANDS")
    np.testing.assert_array_equal(rest.flux[0], flux[2])


def test_each_band_s_chi2_stands_in_the_order_of_the_file(cube, restored):
    found = {}
    for typed in ("g,z", "z,g"):
        header = fits.getheader(restored(cube, "--bands", typed, *KEPT), "COADD")
        found[typed] = [header["PLCCHI1"], header["PLCCHI2"]]
        assert [header.comments[f"PLCCHI{k}"][-2:] for k in (1, 2)] == [" g", " z"]
    assert found["g,z"] == found["z,g"]


def test_each_band_s_blur_stands_in_the_order_of_the_file(cube, restored, tmp_path):
    widths = {"g": 1.3, "r": 1.2, "z": 1.0}
    stamps = stacked([moffat_psf(width, 0.4).stamps[0] for width in widths.values()])
    psf = fits.PrimaryHDU(stamps.astype("f4"))
    psf.header.update({"PIXSCALE": 0.4, **{f"BAND{k}": band for k, band in enumerate(widths, 1)}})
    psf.writeto(tmp_path / "psf.fits")
    found = {}
    for typed in ("g,z", "z,g"):
        out = restored(cube, "--bands", typed, "--psf", str(tmp_path / "psf.fits"))
        header = fits.getheader(out, "COADD")
        found[typed] = [header["PLCBLU1"], header["PLCBLU2"]]
        history = "".join(header["HISTORY"])
        for k, band in enumerate("gz", 1):
            assert header.comments[f"PLCBLU{k}"].endswith(f", {band}")
            assert f"{band} {header[f'PLCBLU{k}']:.3g}" in history
    assert found["g,z"] == found["z,g"]
    wide, narrow = found["g,z"]
    assert 0.7 < narrow < 1.0 < wide < 1.3
    assert header["PLCBLUR"] == pytest.approx(0.5 * (wide + narrow), abs=1e-3)


def test_of_a_band_that_was_blurred_to_the_target_no_blur_is_undone(
    cube, restored, tmp_path, pellucid
):
    stamps = stacked([moffat_psf(width, 0.4).stamps[0] for width in (1.6, 1.6, 0.9)])
    psf = fits.PrimaryHDU(stamps.astype("f4"))
    psf.header.update({"PIXSCALE": 0.4, "BAND1": "g", "BAND2": "r", "BAND3": "z"})
    psf.writeto(tmp_path / "psf.fits")
    words = ["--bands", "g,z", "--psf", str(tmp_path / "psf.fits"), "--target", "1.1"]
    out = restored(cube, *words)
    header = fits.getheader(out, "COADD")
    assert header["PLCBLU1"] > 0.5
    assert header["PLCBLU2"] == 0.0
    pellucid("view", out, "--output", tmp_path / "page.html")
    assert re.search(r'"Blur undone","[\d.]+″ FWHM \(g [\d.]+″, z none\)"',
                     (tmp_path / "page.html").read_text())  # fmt: skip


def test_bands_that_were_left_are_called_so(cube, restored, pellucid):
    out = restored(cube, "--bands", "r", *HALVED)
    planes = json.loads(pellucid("info", out, "--json"))[0]["planes"]
    (left,) = [plane for plane in planes if plane["name"] == "OTHER_BANDS"]
    assert (left["use"], left["why"]) == ("copied", "bands that were not restored")


def test_what_has_no_data_is_counted_in_the_chosen_bands(cube, tmp_path):
    with fits.open(cube) as hdus:
        hdus["COADD"].data[2, :20] = np.nan
        hdus.writeto(tmp_path / "holes.fits")
    for typed, count, size in (("r", 2, 1760), ("z,r", 2 + 880 + 0, 3520)):
        (note,) = [
            note
            for note in read_image(tmp_path / "holes.fits", bands=typed.split(",")).notes
            if "are not used" in note
        ]
        assert note.startswith(f"{count} of {size} pixels")


def test_a_band_that_stands_elsewhere_in_the_file_is_not_renamed(
    cube, extensions, restored, capsys
):
    for source in (cube, extensions):
        out = restored(source, "--bands", "r", *HALVED)
        capsys.readouterr()
        assert main(["info", str(out), "--bands", "g"]) == 3
        err = capsys.readouterr().err
        assert "its band g stands in" in err
        assert err.count("\n") == 1


def test_unnamed_planes_are_not_chosen_by_a_name(flux, tmp_path, sky_header, capsys):
    fits.PrimaryHDU(flux, sky_header()).writeto(tmp_path / "in.fits")
    assert main(["info", str(tmp_path / "in.fits"), "--bands", "r"]) == 3
    err = capsys.readouterr().err
    assert "nothing says which of its 3 planes is r; give 3 with --bands, or choose among" in err

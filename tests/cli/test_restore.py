"""`pellucid restore` as a person uses it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image
from typed import galaxy_zoo, picture, strict

from pellucid.display import lupton_of, to_rgb
from pellucid.fits import read_image
from pellucid.networks.bundle import open_bundle
from pellucid.sky import gaussian_psf
from pellucid.version import __version__


def check_fits_of(bands_of: list[Path], path: Path) -> None:
    """Shape, sky, unit and cards are those of the files that went in."""
    with fits.open(path, checksum=True) as hdus:
        assert [hdu.header["EXTNAME"] for hdu in hdus[1:]] == ["g", "r", "i"]
        for hdu, source in zip(hdus[1:], bands_of, strict=True):
            before = fits.getheader(source)
            assert hdu.data.dtype == ">f4"
            assert hdu.verify_checksum() == 1
            for keyword in ("BUNIT", "MAGZERO", "OBSERVER", "FILTER", "CRVAL1", "CDELT2"):
                assert hdu.header[keyword] == before[keyword]
            corners = [[0, 0], [43, 55]]
            np.testing.assert_array_equal(
                WCS(hdu.header).wcs_pix2world(corners, 0), WCS(before).wcs_pix2world(corners, 0)
            )
            assert hdu.header["PLCTYPE"] == "RESTORATION"


@pytest.mark.parametrize("method", ["wiener", "richardson-lucy", "blind"])
def test_restore_with_a_method(pellucid, bands_of, tmp_path, method):
    target = tmp_path / "out.fits"
    pellucid("restore", *bands_of, "--method", method, "--psf", 1.2, "--output", target)
    check_fits_of(bands_of, target)
    before, after = read_image(*bands_of), read_image(target)
    assert np.abs(after.flux - before.flux).max() > 0.05
    assert after.flux.sum() == pytest.approx(before.flux.sum(), rel=0.02)


def test_restore_with_a_bundle(pellucid, bands_of, tiny_bundle, tmp_path):
    target = tmp_path / "out.fits"
    pellucid("restore", *bands_of, "--model", tiny_bundle, "--output", target)
    check_fits_of(bands_of, target)
    assert fits.getheader(target, 1)["PLCMODEL"] == "tiny"
    other = tmp_path / "run.fits"
    pellucid("restore", *bands_of, "--model", tiny_bundle.parent, "--output", other)
    np.testing.assert_array_equal(read_image(other).flux, read_image(target).flux)


def test_the_command_stands_in_the_history(pellucid, bands_of, tmp_path):
    target = tmp_path / "out.fits"
    words = ["restore", bands_of[0], "--method", "wiener", "--psf", "1.2", "--output", target]
    pellucid(*words)
    history = "".join(str(line) for line in fits.getheader(target)["HISTORY"])
    assert shlex.join(["pellucid", *map(str, words)]) in history


def test_restore_tells_what_it_did_as_json(pellucid, bands_of, tiny_bundle, tmp_path):
    command = ["restore", *bands_of, "--model", tiny_bundle, "--output", tmp_path / "out.fits"]
    report = strict(pellucid(*command, "--png", tmp_path / "out.png", "--json"))
    assert report["output"] == str(tmp_path / "out.fits")
    assert report["model"] == "tiny"
    assert report["sha256"] == open_bundle(tiny_bundle).sha256
    assert report["bands"] == ["g", "r", "i"]
    assert report["shape"] == [3, 56, 44]
    assert report["pellucid"] == __version__
    drawn, made = picture(tmp_path / "out.png"), read_image(tmp_path / "out.fits")
    np.testing.assert_array_equal(drawn, to_rgb(made, lupton_of(made, read_image(*bands_of))))


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_restore_with_another_engine(pellucid, bands_of, tiny_bundle, tmp_path, engine):
    pytest.importorskip(engine)
    command = ["restore", *bands_of, "--model", tiny_bundle]
    pellucid(*command, "--output", tmp_path / "onnx.fits")
    pellucid(*command, "--output", tmp_path / "other.fits", "--engine", engine)
    one, two = (read_image(tmp_path / name).flux for name in ("onnx.fits", "other.fits"))
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-3)


def test_restore_an_extension_of_a_cube_by_name(pellucid, galaxy, tmp_path, sky_header):
    cube = fits.ImageHDU(galaxy.flux, sky_header(), name="COADD")
    error = fits.ImageHDU(np.ones((2, 2), "f4"), name="OTHER")
    fits.HDUList([fits.PrimaryHDU(), error, cube]).writeto(tmp_path / "a.fits")
    command = ["restore", tmp_path / "a.fits", "--method", "wiener", "--psf", 1.2]
    pellucid(*command, "--hdu", "COADD", "--bands", "g,r,i", "--output", tmp_path / "b.fits")
    image = read_image(tmp_path / "b.fits", hdu="COADD")
    assert image.bands == ("g", "r", "i")
    assert image.shape == galaxy.shape


def test_one_band_alone(pellucid, bands_of, tiny_bundle, tmp_path):
    target = tmp_path / "out.fits"
    report = pellucid("restore", bands_of[1], "--model", tiny_bundle, "--output", target, "--json")
    assert "one band stood for all 3 of the model's" in strict(report)["notes"]
    assert read_image(target).shape == (1, 56, 44)


def test_overwrite_replaces(pellucid, bands_of, tmp_path):
    target = tmp_path / "out.fits"
    target.write_text("old")
    command = ["restore", *bands_of, "--method", "wiener", "--psf", 1.2, "--output", target]
    pellucid(*command, "--overwrite")
    check_fits_of(bands_of, target)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("by", ["bundle", "wiener"])
def test_a_composite_comes_back_as_a_picture_of_its_size(
    pellucid, deep_field, tiny_bundle, tmp_path, suffix, by
):
    source, target = tmp_path / f"a{suffix}", tmp_path / "b.png"
    Image.fromarray(to_rgb(deep_field)[300:437, 200:291]).save(source)
    how = ["--model", tiny_bundle] if by == "bundle" else ["--method", "wiener", "--psf", 1.2]
    pellucid("restore", source, *how, "--output", target)
    before, after = picture(source), picture(target)
    assert after.shape == before.shape == (137, 91, 3)
    assert np.abs(after.astype("f4") - before).mean() > 0.2
    pellucid("restore", source, *how, "--output", tmp_path / "b.fits")
    flux = read_image(tmp_path / "b.fits")
    assert flux.unit == "nanomaggy"
    np.testing.assert_array_equal(to_rgb(replace(flux, header=None)), after)


def test_real_sdss_pictures(pellucid, tiny_bundle, tmp_path):
    for source in galaxy_zoo()[:2]:
        target = tmp_path / f"{source.stem}.png"
        pellucid("restore", source, "--model", tiny_bundle, "--output", target)
        assert picture(target).shape == picture(source).shape


def test_a_psf_file_gives_what_its_width_gives(pellucid, bands_of, tmp_path):

    stamp = fits.PrimaryHDU(gaussian_psf(1.2, 0.396).stamps[0], fits.Header({"PIXSCALE": 0.396}))
    stamp.writeto(tmp_path / "psf.fits")
    command = ["restore", *bands_of, "--method", "wiener"]
    for psf, name in ((1.2, "a.fits"), (tmp_path / "psf.fits", "b.fits")):
        pellucid(*command, "--psf", psf, "--output", tmp_path / name)
    one, two = (read_image(tmp_path / name).flux for name in ("a.fits", "b.fits"))
    np.testing.assert_allclose(one, two, atol=1e-4)

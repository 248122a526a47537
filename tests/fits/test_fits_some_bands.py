"""Some bands of a file: they are restored, and the others are written again as they are."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import pellucid
from pellucid.cli import main
from pellucid.errors import InputError
from pellucid.optics import regrid
from pellucid.sky import gaussian_psf

BANDS = ("HSC_G", "HSC_R", "HSC_I", "HSC_Z")
WIDTHS = (1.0, 1.1, 1.2, 1.3)


@pytest.fixture
def flux(galaxy):
    rng = np.random.default_rng(5)
    noise = rng.normal(0.0, 0.02, (4, 48, 44))
    return (galaxy.flux[[0, 1, 2, 2], :48, :44] + noise).astype("f4")


@pytest.fixture
def stamps():
    size = gaussian_psf(WIDTHS[-1], 0.396).stamps.shape[1]
    full = [gaussian_psf(width, 0.396, 8.0).stamps[0] for width in WIDTHS]
    cut = [(len(stamp) - size) // 2 for stamp in full]
    return np.stack([s[c : c + size, c : c + size] for s, c in zip(full, cut, strict=True)])


@pytest.fixture
def cube(tmp_path, flux, stamps, sky_header):
    """All in one cube with its variance and its PSF, which names no bands."""
    names = {f"BAND{k + 1}": band for k, band in enumerate(BANDS)}
    variance = fits.ImageHDU(np.stack([np.full((48, 44), k + 1, "f4") for k in range(4)]))
    variance.header["EXTNAME"] = "VAR"
    psf = fits.ImageHDU(stamps.astype("f4"), fits.Header({"PIXSCALE": 0.396}), name="PSF")
    fits.HDUList([fits.PrimaryHDU(flux, sky_header(**names)), variance, psf]).writeto(
        tmp_path / "cube.fits"
    )
    return tmp_path / "cube.fits"


@pytest.fixture
def extensions(tmp_path, flux, sky_header):
    hdus = [fits.PrimaryHDU()]
    for band, plane in zip(BANDS, flux, strict=True):
        hdus.append(fits.ImageHDU(plane, sky_header(), name=band))
    fits.HDUList(hdus).writeto(tmp_path / "extensions.fits")
    return tmp_path / "extensions.fits"


@pytest.mark.parametrize("kind", ["cube", "extensions"])
@pytest.mark.parametrize(("typed", "places"), [("i", [2]), ("HSC_I,g", [2, 0]), ("z,r", [3, 1])])
def test_the_bands_that_are_typed_are_read(request, flux, kind, typed, places):
    image = pellucid.read_image(request.getfixturevalue(kind), bands=typed.split(","))
    assert image.bands == tuple(BANDS[k] for k in places)
    np.testing.assert_array_equal(image.flux, flux[places])
    if kind == "cube":
        np.testing.assert_array_equal(image.variance[:, 0, 0], [k + 1 for k in places])
        assert image.psf is not None
        for k, stamp in zip(places, image.psf.stamps, strict=True):
            alone = pellucid.PSF(stamp, 0.396)
            assert alone.fwhm == pytest.approx(WIDTHS[k], rel=0.02)
    assert "--bands chose" in image.notes[-1]


@pytest.mark.parametrize("kind", ["cube", "extensions"])
def test_the_others_are_written_again_as_they_are(request, flux, tmp_path, kind, capsys):
    path, out = request.getfixturevalue(kind), tmp_path / "out.fits"
    words = ["restore", path, "--bands", "i,g", "--method", "wiener", "--psf", "1.2"]
    assert main([*map(str, words), "--output", str(out)]) == 0
    assert "not used: HSC_R, HSC_Z" in capsys.readouterr().err
    after = pellucid.read_image(out)
    assert after.bands == BANDS
    np.testing.assert_array_equal(after.flux[[1, 3]], flux[[1, 3]])
    assert (np.abs(after.flux - flux).max(axis=(1, 2)) > 0.05).tolist() == [True, False] * 2
    with fits.open(path) as before, fits.open(out) as written:
        # The noise of what was measured is none of what was restored.
        names = [hdu.name.replace("INPUT_", "") for hdu in written]
        assert names == [hdu.name for hdu in before]
        restored = [hdu.name for hdu in written if "PLCTYPE" in hdu.header]
        if kind == "cube":
            assert restored == ["PRIMARY"]
            np.testing.assert_array_equal(written["INPUT_VAR"].data, before["VAR"].data)
        else:
            assert restored == ["HSC_G", "HSC_I"]


def test_an_image_in_other_pixels_stands_in_the_same_extensions(extensions, tmp_path):
    """What belongs to the old pixels goes or is made anew, all else has its own coordinates."""
    with fits.open(extensions, mode="append") as hdus:
        rows = fits.Column("x", "E", array=np.ones(3))
        hdus.append(fits.BinTableHDU.from_columns([rows], name="CATALOG"))
        hdus.append(fits.ImageHDU(np.ones((5, 7), "f4"), name="HST_MODEL"))
        hdus.append(fits.ImageHDU(np.ones((48, 44), "f4"), name="VAR"))
    with fits.open(extensions) as hdus:
        before = [hdu.name for hdu in hdus]
        corners = WCS(hdus["HSC_I"].header).wcs_pix2world([[-0.5, -0.5], [43.5, 47.5]], 0)
    for bands, kept in ((None, []), (["i"], ["HSC_G", "HSC_R", "HSC_Z"])):
        image = pellucid.read_image(extensions, bands=bands)
        finer = regrid(image, image.pixel_scale / 2)
        pellucid.write_image(finer, tmp_path / "out.fits", overwrite=True)
        with fits.open(tmp_path / "out.fits", checksum=True) as hdus:
            names = [hdu.name for hdu in hdus]
            variance = "VARIANCE" if kept else "VAR"
            assert names == [*before[:-1], variance]
            assert hdus["HST_MODEL"].data.shape == (5, 7)
            assert hdus[variance].shape[-2:] == (96, 88)
            assert hdus["HSC_I"].shape == (96, 88)
            np.testing.assert_allclose(
                WCS(hdus["HSC_I"].header).wcs_pix2world([[-0.5, -0.5], [87.5, 95.5]], 0),
                corners,
                atol=1e-7,
            )
            for name in kept:
                np.testing.assert_array_equal(hdus[name].data, fits.getdata(extensions, name))
        again = pellucid.read_image(tmp_path / "out.fits", hdu="HSC_I" if kept else None)
        assert again.bands == image.bands
        np.testing.assert_allclose(again.variance, finer.variance)


def test_a_variance_that_changes_is_that_of_the_chosen(cube, tmp_path):
    image = pellucid.read_image(cube, bands=["i"])
    changed = image.with_flux(image.flux, variance=7.0 * image.variance)
    pellucid.write_image(changed, tmp_path / "out.fits")
    again = pellucid.read_image(tmp_path / "out.fits").variance
    np.testing.assert_allclose(again[:, 0, 0], [1, 2, 21, 4])


def test_as_many_names_as_bands_name_them(cube, flux):
    image = pellucid.read_image(cube, bands=["a", "b", "c", "d"])
    assert image.bands == ("a", "b", "c", "d")
    assert pellucid.read_image(cube, bands=["g", "r", "i", "z"]).bands == ("g", "r", "i", "z")
    # The file's own names in another order do not rename them.
    turned = pellucid.read_image(cube, bands=["z", "i", "r", "g"])
    assert turned.bands == BANDS[::-1]
    np.testing.assert_array_equal(turned.flux, flux[::-1])


def test_bands_that_are_not_there(cube):
    with pytest.raises(InputError, match="or choose among HSC_G, HSC_R, HSC_I, HSC_Z"):
        pellucid.read_image(cube, bands=["y"])
    with pytest.raises(InputError, match="5 band names"):
        pellucid.read_image(cube, bands=["g", "r", "i", "z", "y"])


def test_a_model_takes_its_bands_among_others(cube, tiny_bundle, tmp_path, capsys):
    words = ["restore", cube, "--model", tiny_bundle, "--output", tmp_path / "out.fits"]
    assert main([*map(str, words)]) == 3
    assert "--bands HSC_G,HSC_R,HSC_I chooses them" in capsys.readouterr().err
    assert main([*map(str, words), "--bands", "HSC_G,HSC_R,HSC_I"]) == 0


def test_a_band_that_is_called_otherwise_than_its_file_calls_it_is_said(tmp_path, flux, sky_header):
    fits.PrimaryHDU(flux[1], sky_header(FILTER="r.MP9601")).writeto(tmp_path / "r.fits")
    other = pellucid.read_image(tmp_path / "r.fits", bands=["g"])
    assert other.bands == ("g",)
    assert any("calls r.MP9601 was taken as g" in note for note in other.notes)
    same = pellucid.read_image(tmp_path / "r.fits", bands=["r"])
    assert not any("was taken as" in note for note in same.notes)

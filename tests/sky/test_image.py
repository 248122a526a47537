"""SkyImage: shapes that agree, windows that keep their sky, CCDData there and back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.fits import Header
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal
from skimage.data import hubble_deep_field

from pellucid.errors import InputError
from pellucid.fits import write_image
from pellucid.sky.image import SkyImage, pixel_scale_of


def sky(scale: float = 0.4, turn: float = 0.0) -> WCS:
    """A gnomonic WCS of ``scale`` arcsec per pixel, its axes turned by ``turn`` degrees."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.0, 60.0]
    wcs.wcs.crpix = [20.0, 12.0]
    cos, sin = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    wcs.wcs.cd = np.array([[-cos, sin], [sin, cos]]) * scale / 3600.0
    return wcs


def field() -> np.ndarray:
    """A corner of the Hubble Deep Field, (band, y, x)."""
    return hubble_deep_field()[300:340, 400:460].transpose(2, 0, 1).astype(np.float32)


def full(**changes) -> SkyImage:
    flux = field()
    image = SkyImage(
        flux,
        bands=("g", "r", "i"),
        unit="adu",
        variance=flux + 1,
        mask=flux > 40,
        wcs=sky(),
        header=Header({"MAGZERO": 22.5}),
    )
    return dataclasses.replace(image, **changes)


def test_a_plane_becomes_one_band():
    image = SkyImage(np.ones((4, 5)), variance=np.ones((4, 5)), mask=np.zeros((4, 5)))
    assert image.shape == (1, 4, 5)
    assert image.bands == ("band1",)
    assert image.variance is not None
    assert image.mask is not None
    assert image.variance.shape == image.mask.shape == image.shape
    assert image.mask.dtype == bool


@pytest.mark.parametrize("dtype", [">f4", ">f8", "<i2", "u1"])
def test_pixels_become_native_contiguous_float32(dtype):
    flux = SkyImage(np.arange(40).reshape(2, 4, 5).astype(dtype)[:, ::-1]).flux
    assert flux.dtype == np.float32
    assert flux.dtype.isnative
    assert flux.flags.c_contiguous
    assert_array_equal(flux, np.arange(40).reshape(2, 4, 5)[:, ::-1])


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"flux": np.ones(5)}, "has 1 dimensions"),
        ({"flux": np.ones((1, 1, 4, 5))}, "has 4 dimensions"),
        ({"flux": np.ones((2, 0, 5))}, "zero-length axis"),
        ({"flux": np.ones((2, 4, 5)), "variance": np.ones((2, 5, 4))}, "variance has shape"),
        ({"flux": np.ones((2, 4, 5)), "mask": np.ones((4, 5))}, "mask has shape"),
        ({"flux": np.ones((2, 4, 5)), "bands": ("g",)}, r"1 band names \(g\)"),
    ],
)
def test_what_does_not_agree_is_refused(fields, match):
    with pytest.raises(InputError, match=match):
        SkyImage(**fields)


@pytest.mark.parametrize("turn", [0.0, 30.0, 90.0])
def test_the_pixel_scale_is_that_of_the_wcs(turn):
    assert pixel_scale_of(sky(0.168, turn)) == pytest.approx(0.168, rel=1e-9)
    assert SkyImage(field(), wcs=sky(0.168, turn)).pixel_scale == pytest.approx(0.168, rel=1e-9)
    assert SkyImage(field(), wcs=sky(0.168, turn), pixel_scale=0.2).pixel_scale == 0.2


def test_a_wcs_that_is_not_on_the_sky_gives_no_scale():
    assert SkyImage(field(), wcs=WCS(naxis=2)).pixel_scale is None


def test_with_flux_changes_the_pixels_alone():
    image = full()
    other = image.with_flux(-image.flux, unit="mJy")
    assert_array_equal(other.flux, -image.flux)
    assert other.unit == "mJy"
    for name in ("bands", "variance", "mask", "wcs", "header", "pixel_scale"):
        assert getattr(other, name) is getattr(image, name)
    with pytest.raises(InputError, match="new flux has shape"):
        image.with_flux(image.flux[:2])


def test_a_cutout_shows_the_same_sky():
    image = full()
    window = image.cutout(3, 7, 20, 11)
    inside = np.s_[:, 3:23, 7:18]
    assert_array_equal(window.flux, image.flux[inside])
    assert_array_equal(window.variance, image.variance[inside])
    assert_array_equal(window.mask, image.mask[inside])
    assert window.pixel_scale == pytest.approx(image.pixel_scale)
    corners = np.array([[0, 0], [10, 19]])
    assert_allclose(
        window.wcs.wcs_pix2world(corners, 0),
        image.wcs.wcs_pix2world(corners + np.array([7, 3]), 0),
        rtol=1e-12,
    )


def test_a_cutout_of_a_cutout_is_the_cutout():
    image = full()
    twice = image.cutout(3, 7, 30, 40).cutout(2, 5, 10, 12)
    once = image.cutout(5, 12, 10, 12)
    assert_array_equal(twice.flux, once.flux)
    assert_allclose(twice.wcs.wcs.crpix, once.wcs.wcs.crpix)


@pytest.mark.parametrize("window", [(-1, 0, 4, 4), (0, 0, 41, 4), (0, 57, 4, 4), (0, 0, 0, 4)])
def test_a_window_outside_the_image_is_refused(window):
    with pytest.raises(InputError, match="leaves the image"):
        full().cutout(*window)


# SDSS writes "nanomaggy", some tools "nanomaggies", IRAF "counts": BUNIT is free text.
@pytest.mark.parametrize("unit", ["adu", "DN", "nanomaggies", "counts", "ELECTRONS/S", None])
def test_ccddata_there_and_back(unit):
    image = full(unit=unit)
    planes = image.to_ccddata()
    assert [plane.data.shape for plane in planes] == [image.shape[1:]] * 3
    again = SkyImage.from_ccddata(planes, image.bands)
    for name in ("flux", "variance", "mask"):
        assert_array_equal(getattr(again, name), getattr(image, name))
    assert again.unit == unit
    assert again.bands == image.bands
    assert again.wcs is image.wcs
    assert again.header["MAGZERO"] == 22.5
    assert again.pixel_scale == image.pixel_scale


def test_ccddata_uncertainty_becomes_variance_and_lacking_parts_none():
    plane = CCDData(np.ones((4, 5)), unit="adu", uncertainty=StdDevUncertainty(np.full((4, 5), 3)))
    image = SkyImage.from_ccddata([plane])
    assert_array_equal(image.variance, np.full((1, 4, 5), 9.0))
    assert image.mask is None
    assert image.header is None
    bare = CCDData(np.ones((4, 5)), unit="adu")
    assert SkyImage.from_ccddata([plane, bare]).variance is None


def test_notes_stay_with_the_image_and_reach_the_history_of_what_is_written(tmp_path):
    image = SkyImage(np.ones((4, 5)), notes=("a.fits: the unit was guessed",))
    assert image.cutout(0, 0, 2, 2).with_flux(np.zeros((2, 2))).notes == image.notes
    header = fits.getheader(write_image(image, tmp_path / "b.fits"))
    assert list(header["HISTORY"]) == ["note: a.fits: the unit was guessed"]

"""FITS in: pixels exact, planes in their roles, bands by their names."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fits_files import noise, save, sky_header
from numpy.testing import assert_array_equal

from pellucid.errors import UsageError
from pellucid.fits import read_image, write_image


@pytest.mark.parametrize("dtype", ["u1", ">i2", ">i4", ">i8", ">f4", ">f8"])
def test_every_pixel_type_is_read(tmp_path, dtype):
    data = np.arange(20).reshape(4, 5).astype(dtype)
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(data)))
    assert image.flux.dtype == np.float32
    assert image.flux.dtype.isnative
    assert_array_equal(image.flux[0], np.arange(20).reshape(4, 5))


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "int8"])
def test_pseudo_unsigned_integers(tmp_path, dtype):
    data = np.array([[0, 1], [2, np.iinfo(dtype).max]], dtype=dtype)
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(data)))
    assert_array_equal(image.flux[0], data.astype("f4"))


@pytest.mark.parametrize("bzero", [0.0, 100.0, 32768.0])
def test_scaled_integers_and_blank(tmp_path, bzero):
    hdu = fits.PrimaryHDU(np.array([[1, 2], [-99, 4]], dtype=">i2"))
    path = save(tmp_path / "a.fits", hdu)
    with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        hdus[0].header["BSCALE"], hdus[0].header["BZERO"] = 0.5, bzero
        hdus[0].header["BLANK"] = -99
        hdus[0].header["DATE-OBS"] = "2020-01-01"
    image = read_image(path)
    assert_array_equal(image.flux[0], np.array([[0.5, 1], [np.nan, 2]], "f4") + np.float32(bzero))
    again = read_image(write_image(image, tmp_path / "b.fits"))
    assert_array_equal(again.flux, image.flux)
    header = fits.getheader(tmp_path / "b.fits")
    assert header["BITPIX"] == -32
    assert not {"BSCALE", "BZERO", "BLANK", "O_BZERO"} & set(header)
    assert header["DATE-OBS"] == "2020-01-01"


def test_blank_of_unsigned_integers(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(np.array([[0, 7], [9, 65535]], "uint16")))
    with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        hdus[0].header["BLANK"] = 32767
    assert_array_equal(read_image(path).flux[0], [[0, 7], [9, np.nan]])


def test_nan_stays_nan(tmp_path):
    data = noise(4, 5)
    data[1, 2] = np.nan
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(data)))
    assert_array_equal(image.flux[0], data)
    assert_array_equal(read_image(write_image(image, tmp_path / "b.fits")).flux[0], data)


def test_a_single_image_with_its_cards(tmp_path):
    header = sky_header(BUNIT="nanomaggy", FILTER="r", MAGZERO=22.5)
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(noise(8, 9), header)))
    assert image.shape == (1, 8, 9)
    assert image.bands == ("r",)
    assert image.unit == "nanomaggy"
    assert image.header is not None
    assert image.header["MAGZERO"] == 22.5
    assert image.pixel_scale == pytest.approx(0.4, rel=1e-6)
    assert image.wcs is not None
    assert_array_equal(
        image.wcs.wcs_pix2world([[0, 0], [8, 7]], 0), WCS(header).wcs_pix2world([[0, 0], [8, 7]], 0)
    )


@pytest.mark.parametrize(
    ("name", "cards", "extname", "band"),
    [
        ("x-g.fits", {"FILTER": "r "}, "Z", "r"),
        ("x-g.fits", {"BAND": "i"}, "Z", "i"),
        ("x-g.fits", {"FILTNAM": "F814W"}, "Z", "F814W"),
        ("x-g.fits", {}, "Z", "Z"),
        ("x-g.fits", {}, "SCI", "g"),
        ("x_r.fits.gz", {}, None, "r"),
        ("x.i.fits.fz", {}, None, "i"),
        ("g.fits", {}, None, "g"),
        ("ngc-F606W.fits", {}, None, "F606W"),
        ("my_galaxy.fits", {}, None, "band1"),
        ("x.fits", {"FILTER": 3}, None, "band1"),
    ],
)
def test_band_names(tmp_path, name, cards, extname, band):
    hdu = fits.ImageHDU(noise(4, 5), fits.Header(cards), name=extname)
    assert read_image(save(tmp_path / name, hdu)).bands == (band,)


def test_given_names_win(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(2, 4, 5)))
    assert read_image(path, bands=["g", "r"]).bands == ("g", "r")


def test_the_primary_header_names_the_filter_of_an_only_image(tmp_path):
    primary = fits.PrimaryHDU(header=fits.Header({"FILTER": "F475W"}))
    path = save(tmp_path / "a.fits", primary, fits.ImageHDU(noise(4, 5), name="SCI"))
    assert read_image(path).bands == ("F475W",)


def test_a_cube(tmp_path):
    data = noise(3, 4, 5)
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(data)))
    assert image.bands == ("band1", "band2", "band3")
    assert_array_equal(image.flux, data)


def test_a_cube_has_the_celestial_wcs_of_its_planes(tmp_path):
    header = sky_header(CTYPE3="WAVE", CRVAL3=5e-7, CDELT3=1e-7, CRPIX3=1.0, CUNIT3="m")
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(noise(3, 4, 5), header)))
    assert image.wcs is not None
    assert image.wcs.naxis == 2
    assert image.pixel_scale == pytest.approx(0.4, rel=1e-6)


def test_extensions_of_one_shape_are_bands(tmp_path):
    planes = {name: noise(4, 5, seed=k) for k, name in enumerate("GRI")}
    hdus = [fits.ImageHDU(plane, sky_header(), name=name) for name, plane in planes.items()]
    other = fits.ImageHDU(noise(6, 6), name="OTHER")
    image = read_image(save(tmp_path / "a.fits", *hdus, other))
    assert image.bands == ("G", "R", "I")
    assert_array_equal(image.flux, list(planes.values()))


def test_several_files(tmp_path):
    planes = [noise(4, 5, seed=k) for k in range(3)]
    paths = [
        save(tmp_path / f"x-{band}.fits", fits.PrimaryHDU(plane, sky_header()))
        for band, plane in zip("gri", planes, strict=True)
    ]
    image = read_image(*paths)
    assert image.bands == ("g", "r", "i")
    assert_array_equal(image.flux, planes)


@pytest.mark.parametrize(("hdu", "number"), [(2, 2), ("2", 2), ("b", 2), ("B,7", 3), (1, 1)])
def test_choosing_an_hdu(tmp_path, hdu, number):
    planes = [noise(4, 5, seed=k) for k in range(4)]
    path = save(
        tmp_path / "a.fits",
        fits.PrimaryHDU(planes[0]),
        fits.ImageHDU(planes[1], name="A"),
        fits.ImageHDU(planes[2], name="B"),
        fits.ImageHDU(planes[3], name="B", ver=7),
    )
    assert_array_equal(read_image(path, hdu=hdu).flux[0], planes[number])


def test_err_and_dq_become_variance_and_mask(tmp_path):
    error, flags = np.abs(noise(4, 5)), np.zeros((4, 5), "uint16")
    flags[1, 2] = 4096
    path = save(
        tmp_path / "a.fits",
        fits.ImageHDU(noise(4, 5), name="SCI"),
        fits.ImageHDU(error, name="ERR"),
        fits.ImageHDU(flags, name="DQ"),
    )
    image = read_image(path)
    assert image.shape == (1, 4, 5)
    np.testing.assert_allclose(image.variance[0], error**2, rtol=1e-6)
    assert_array_equal(image.mask[0], flags != 0)


def test_companions_go_with_their_extver(tmp_path):
    hdus = []
    for version, band in ((1, "g"), (2, "r")):
        header = fits.Header({"FILTER": band})
        hdus += [
            fits.ImageHDU(noise(4, 5, seed=version), header, name="SCI", ver=version),
            fits.ImageHDU(np.full((4, 5), float(version), "f4"), name="ERR", ver=version),
        ]
    image = read_image(save(tmp_path / "a.fits", *hdus))
    assert image.bands == ("g", "r")
    assert_array_equal(image.variance[:, 0, 0], [1, 4])
    alone = read_image(tmp_path / "a.fits", hdu="SCI,2")
    assert_array_equal(alone.variance[:, 0, 0], [4])
    written = write_image(alone, tmp_path / "b.fits")
    with fits.open(written) as out:
        assert [(u.name, u.ver) for u in out[1:]] == [(u.name, u.ver) for u in hdus]
    again = read_image(written, hdu="SCI,2")
    assert_array_equal(again.variance, alone.variance)


def test_hsc_variance_and_mask_without_the_detected_bit(tmp_path):
    planes = fits.Header({"MP_BAD": 0, "HIERARCH MP_DETECTED": 5})
    flags = np.array([[0, 1], [32, 33]], "i4")
    path = save(
        tmp_path / "a.fits",
        fits.ImageHDU(noise(2, 2), name="IMAGE"),
        fits.ImageHDU(flags, planes, name="MASK"),
        fits.ImageHDU(np.full((2, 2), 9.0), name="VARIANCE"),
    )
    image = read_image(path)
    assert_array_equal(image.mask[0], [[False, True], [False, True]])
    assert_array_equal(image.variance, np.full((1, 2, 2), 9.0))


@pytest.mark.parametrize("kind", ["std", "var", "ivar"])
def test_ccddata_files_are_understood(tmp_path, kind):
    from astropy.nddata import (
        CCDData,
        InverseVariance,
        StdDevUncertainty,
        VarianceUncertainty,
    )

    made = {
        "std": StdDevUncertainty(np.full((4, 5), 2.0)),
        "var": VarianceUncertainty(np.full((4, 5), 4.0)),
        "ivar": InverseVariance(np.full((4, 5), 0.25)),
    }[kind]
    ccd = CCDData(noise(4, 5), unit="adu", uncertainty=made, mask=np.eye(4, 5, dtype=bool))
    ccd.write(tmp_path / "a.fits")
    image = read_image(tmp_path / "a.fits")
    assert image.unit == "adu"
    assert_array_equal(image.variance, np.full((1, 4, 5), 4.0))
    assert_array_equal(image.mask[0], np.eye(4, 5, dtype=bool))


def test_pixel_scale_given_wins_over_wcs_and_card(tmp_path):
    with_wcs = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5), sky_header(PIXSCALE=9.0)))
    card = save(tmp_path / "b.fits", fits.PrimaryHDU(noise(4, 5), fits.Header({"SECPIX": 0.5})))
    assert read_image(with_wcs).pixel_scale == pytest.approx(0.4, rel=1e-6)
    assert read_image(with_wcs, pixel_scale=0.2).pixel_scale == 0.2
    assert read_image(card).pixel_scale == 0.5
    assert read_image(card, pixel_scale=0.2).pixel_scale == 0.2
    with pytest.raises(UsageError, match="must be positive"):
        read_image(card, pixel_scale=0.0)
    again = read_image(write_image(read_image(card, pixel_scale=0.2), tmp_path / "c.fits"))
    assert again.pixel_scale == 0.2


def test_a_shift_below_a_tenth_of_a_pixel_is_one_sky(tmp_path):
    paths = [
        save(tmp_path / f"{band}.fits", fits.PrimaryHDU(noise(4, 5), sky_header(shift)))
        for band, shift in (("g", 0.0), ("r", 0.05))
    ]
    assert read_image(*paths).bands == ("g", "r")


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_2"])
def test_tile_compressed(tmp_path, kind):
    data = np.arange(400, dtype="i4").reshape(20, 20)
    hdu = fits.CompImageHDU(data, sky_header(FILTER="r"), compression_type=kind)
    image = read_image(save(tmp_path / "a.fits.fz", hdu))
    assert image.bands == ("r",)
    assert_array_equal(image.flux[0], data)
    assert_array_equal(read_image(write_image(image, tmp_path / "b.fits")).flux[0], data)
    with fits.open(tmp_path / "b.fits", disable_image_compression=True) as hdus:
        assert hdus[1].header["XTENSION"].strip() == "IMAGE"
        assert not [card for card in hdus[1].header if card.startswith("Z")]


def test_reading_without_a_wcs_does_not_import_astropy_wcs(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(4, 5)))
    code = (
        "import sys; from pellucid.fits import read_image; assert 'astropy' not in sys.modules; "
        f"read_image({str(path)!r}); assert 'astropy.wcs' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

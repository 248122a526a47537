"""Every form of a WCS: a cutout, another pixel size and an output leave the sky where it was."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from pellucid import read_image, write_image
from pellucid.optics import regrid
from pellucid.sky.distortion import has_tables

SCALE = 0.168 / 3600
HEIGHT, WIDTH = 24, 30
TURN = np.array([[-np.cos(0.3), np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
LENGTHS = {"CDELT1": -SCALE, "CDELT2": SCALE}
UNIT_LENGTHS = {"CDELT1": 1.0, "CDELT2": 1.0}


def matrix(name: str, values: np.ndarray) -> dict[str, float]:
    return {f"{name}{i + 1}_{j + 1}": values[i, j] for i in range(2) for j in range(2)}


CD = matrix("CD", SCALE * TURN)
PC = {**matrix("PC", TURN * [[-1], [1]]), **LENGTHS}
SIP = {
    "CTYPE1": "RA---TAN-SIP",
    "CTYPE2": "DEC--TAN-SIP",
    "A_ORDER": 3,
    "B_ORDER": 2,
    "A_2_0": 1e-3,
    "A_1_1": 2e-3,
    "A_0_3": 1e-5,
    "B_0_2": 1e-3,
    "B_1_1": -1e-3,
}
INVERSE = {"AP_ORDER": 2, "AP_2_0": -1e-3, "BP_ORDER": 2, "BP_0_2": -1e-3}
PV = {
    f"PV{axis}_{k}": value
    for axis in (1, 2)
    for k, value in {0: 1e-5, 1: 1.001, 2: 1e-5, 4: 1.0, 5: 2.0, 6: -1.0, 7: 9.0, 10: 9.0}.items()
}
TPV = {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV"}
FORMS: dict[str, dict[str, object]] = {
    "CD": CD,
    "PC with CDELT": PC,
    "CDELT alone": LENGTHS,
    "CROTA2": {**LENGTHS, "CROTA2": 17.0},
    "CROTA1 and CROTA2": {**LENGTHS, "CROTA1": 17.0, "CROTA2": 17.0},
    "PC with CROTA2": {**PC, "CROTA2": 17.0},
    "PC001001": {k.replace("PC", "PC00").replace("_", "00"): v for k, v in PC.items()},
    "CD and PC": {**CD, **matrix("PC", SCALE * TURN), **UNIT_LENGTHS},
    "CD and PC that differ": {**CD, **matrix("PC", TURN), **LENGTHS},
    "CD with CDELT": {**CD, **LENGTHS},
    "CD with CDELT = 1": {**CD, **UNIT_LENGTHS},
    "CD with CROTA2": {**CD, **LENGTHS, "CROTA2": 17.0},
    "SIP": {**CD, **SIP},
    "SIP with PC": {**PC, **SIP},
    "SIP with an inverse": {**CD, **SIP, **INVERSE},
    "TPV": {**CD, **TPV, **PV},
    "SCAMP's PV as TAN": {**CD, **PV},
    "SIP with SCAMP's PV": {**CD, **SIP, **PV},
    "CUNIT degree": {**CD, "CUNIT1": "degree", "CUNIT2": "degree"},
    "CUNIT arcsec": {
        **matrix("CD", 3600 * SCALE * TURN),
        "CUNIT1": "arcsec",
        "CUNIT2": "arcsec",
        "CRVAL1": 150 * 3600.0,
        "CRVAL2": 7200.0,
    },
    "ZPN": {**CD, "CTYPE1": "RA---ZPN", "CTYPE2": "DEC--ZPN", "PV2_1": 1.0, "PV2_3": 42.0},
    "galactic": {**CD, "CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CRVAL2": 0.0},
    "declination first": {
        **CD,
        "CTYPE1": "DEC--TAN",
        "CTYPE2": "RA---TAN",
        "CRVAL1": 2.0,
        "CRVAL2": 150.0,
    },
    "LONPOLE": {**CD, "LONPOLE": 170.0},
    "FK5": {**CD, "RADECSYS": "FK5", "EQUINOX": 2000.0},
    "radio axes": {
        **PC,
        "CTYPE3": "FREQ",
        "CRVAL3": 1.4e9,
        "CDELT3": 1e6,
        "CRPIX3": 1.0,
        "PC3_3": 1.0,
        "CTYPE4": "STOKES",
        "CRVAL4": 1.0,
        "CDELT4": 1.0,
        "CRPIX4": 1.0,
    },
}


def table(pattern: np.ndarray) -> fits.HDUList:
    """A file of which the grid is distorted by a table, as those of HST's cameras are."""
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, **CD})
    header.update({"CRVAL2": 2.0, "CRPIX1": 12.3, "CRPIX2": 9.0})
    hdu = fits.ImageHDU(galaxy(), header, name="SCI")
    for axis in (1, 2):
        hdu.header[f"CPDIS{axis}"] = "Lookup"
        for key, value in (
            ("EXTVER", float(axis)),
            ("NAXES", 2.0),
            ("AXIS.1", 1.0),
            ("AXIS.2", 2.0),
        ):
            hdu.header[f"DP{axis}"] = f"{key}: {value:.1f}"
    tables = []
    for axis in (1, 2):
        tables.append(fits.ImageHDU((pattern * axis).astype("f4"), name="WCSDVARR", ver=axis))
        tables[-1].header.update(
            {
                "CRPIX1": 0.0,
                "CRPIX2": 0.0,
                "CRVAL1": 0.0,
                "CRVAL2": 0.0,
                "CDELT1": 4.0,
                "CDELT2": 4.0,
            }
        )
    return fits.HDUList([fits.PrimaryHDU(), hdu, *tables])


def galaxy(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(3, 1, shape or (HEIGHT, WIDTH)).astype("f4")


def corners(wcs: WCS, y: float, x: float, height: float, width: float) -> np.ndarray:
    """The places of a window's outer corners and middle as unit vectors, shape (5, 3)."""
    at = np.array([(0, 0), (0, 1), (1, 0), (1, 1), (0.4, 0.5)]) * (height, width) + (y, x) - 0.5
    sky = wcs.celestial if wcs.naxis > 2 else wcs
    place = sky.pixel_to_world(at[:, 1], at[:, 0])
    return np.asarray(place.icrs.cartesian.xyz.value).T


def written(image, path) -> WCS:
    """The WCS of what is written, as astropy reads it; distortion tables are not followed."""
    with fits.open(write_image(image, path)) as hdus:
        return WCS(next(hdu for hdu in hdus if hdu.header["NAXIS"]).header)


@pytest.fixture
def read(tmp_path):
    def make(form: str):
        header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"})
        header.update({"CRVAL1": 150.0, "CRVAL2": 2.0, "CRPIX1": 12.3, "CRPIX2": 9.0})
        header.update(FORMS[form])
        shape = (1, 1, HEIGHT, WIDTH) if "CTYPE4" in header else (HEIGHT, WIDTH)
        fits.PrimaryHDU(galaxy(*shape), header).writeto(tmp_path / "a.fits")
        return read_image(tmp_path / "a.fits"), WCS(fits.getheader(tmp_path / "a.fits"))

    return make


pytestmark = [
    pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning"),
    pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning"),
]

#: A hundredth of a pixel, and of that a hundredth, in radians.
HUNDREDTH = 0.01 * np.radians(SCALE)
TINY = 0.01 * HUNDREDTH


@pytest.mark.parametrize("form", FORMS)
def test_an_output_stays_where_it_was(read, tmp_path, form):
    image, wcs = read(form)
    there = written(image, tmp_path / "b.fits")
    window = (0, 0, HEIGHT, WIDTH)
    np.testing.assert_allclose(corners(there, *window), corners(wcs, *window), atol=1e-14)


@pytest.mark.parametrize("form", FORMS)
def test_a_cutout_stays_where_it_was(read, tmp_path, form):
    image, wcs = read(form)
    there = written(image.cutout(3, 5, 11, 14), tmp_path / "b.fits")
    expected = corners(wcs, 3, 5, 11, 14)
    np.testing.assert_allclose(corners(there, 0, 0, 11, 14), expected, atol=TINY)


@pytest.mark.parametrize("ratio", [0.25, 0.5, 2.0])
@pytest.mark.parametrize("form", FORMS)
def test_another_pixel_size_stays_where_it_was(read, tmp_path, form, ratio):
    image, wcs = read(form)
    finer = regrid(image, image.pixel_scale * ratio)
    assert finer.wcs is not None
    _, height, width = finer.shape
    expected = corners(wcs, 0, 0, height * ratio, width * ratio)
    np.testing.assert_allclose(corners(finer.wcs, 0, 0, height, width), expected, atol=TINY)
    there = written(finer, tmp_path / "b.fits")
    np.testing.assert_allclose(corners(there, 0, 0, height, width), expected, atol=TINY)
    assert read_image(tmp_path / "b.fits").pixel_scale == pytest.approx(finer.pixel_scale, rel=1e-3)


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_distortions_that_are_tables_become_polynomials(tmp_path, ratio):
    y, x = np.mgrid[:8, :10] / 8
    table(0.4 * x**2 - 0.3 * x * y + 0.2).writeto(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits") as opened:
        wcs = WCS(opened["SCI"].header, opened)
        image = read_image(tmp_path / "a.fits", hdu="SCI")
        assert has_tables(image.wcs)
        finer = regrid(image, image.pixel_scale * ratio)
        _, height, width = finer.shape
        for there, window, expected in (
            (written(finer, tmp_path / "b.fits"), (0, 0, height, width), (0, 0, HEIGHT, WIDTH)),
            (
                written(image.cutout(3, 5, 11, 14), tmp_path / "c.fits"),
                (0, 0, 11, 14),
                (3, 5, 11, 14),
            ),
        ):
            np.testing.assert_allclose(
                corners(there, *window), corners(wcs, *expected), atol=HUNDREDTH
            )


def test_the_cards_of_the_pixels_size_follow_them(read, tmp_path):
    read("CD")
    with fits.open(tmp_path / "a.fits", mode="update") as hdus:
        hdus[0].header.update({"SECPIX": 0.168, "XPIXSZ": 15.0, "LTV1": -4.0})
    write_image(regrid(read_image(tmp_path / "a.fits"), 0.042), tmp_path / "b.fits")
    header = fits.getheader(tmp_path / "b.fits")
    assert header["SECPIX"] == pytest.approx(0.042)
    assert header["XPIXSZ"] == pytest.approx(3.75)
    assert "LTV1" not in header

"""Pixels that are no linear flux: they are made flux when read, or refused."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.units import Unit
from fits_files import noise, save, sky_header
from numpy.testing import assert_allclose

from pellucid import read_image, write_image
from pellucid.cli import main
from pellucid.errors import InputError
from pellucid.fits import write_image as fits_write

SOFTENING, OFFSET = 221.886, 7.172
POGSON = 2.5 / np.log(10)


def flux() -> np.ndarray:
    """A bright star on a sky that is negative in places, float64."""
    plane = 20.0 * noise(48, 52).astype(float) - 60.0
    y, x = np.mgrid[:48, :52]
    return plane + 5e4 * np.exp(-0.5 * ((y - 24.0) ** 2 + (x - 26.0) ** 2) / 2.5**2)


def asinh_magnitudes(values: np.ndarray) -> np.ndarray:
    return POGSON * np.arcsinh((values - OFFSET) / (2 * SOFTENING))


def linear(pixels: np.ndarray) -> np.ndarray:
    return OFFSET + 2 * SOFTENING * np.sinh(pixels / POGSON)


@pytest.fixture
def stack(tmp_path):
    """A stack as Pan-STARRS writes it, in a tile-compressed extension."""
    header = sky_header(BSOFTEN=SOFTENING, BOFFSET=OFFSET, FILTER="r.00000")
    pixels = asinh_magnitudes(flux()).astype("f4")
    tiles = fits.CompImageHDU(pixels, header, compression_type="GZIP_2", quantize_level=0.0)
    return save(tmp_path / "stack.fits", tiles)


def test_asinh_magnitudes_are_read_as_flux_and_written_as_they_were(stack, tmp_path):
    image = read_image(stack)
    assert_allclose(image.flux[0], flux(), rtol=1e-4, atol=0.05)
    assert "BSOFTEN" in " ".join(image.notes)
    target = write_image(image, tmp_path / "again.fits")
    assert fits.getheader(target, 1)["BSOFTEN"] == SOFTENING
    written = np.asarray(fits.getdata(target, 1), dtype=float)
    assert_allclose(linear(written), flux(), rtol=1e-4, atol=0.05)
    assert_allclose(read_image(target).flux, image.flux, rtol=1e-4, atol=0.05)


def test_a_stack_is_restored_as_its_linear_flux_is(stack, tmp_path, capsys):
    plain = save(tmp_path / "plain.fits", fits.PrimaryHDU(flux().astype("f4"), sky_header()))
    words = ["--method", "wiener", "--psf", "2.4", "--output"]
    assert main(["restore", str(plain), *words, str(tmp_path / "a.fits")]) == 0
    assert "BSOFTEN" not in capsys.readouterr().err
    assert main(["restore", str(stack), *words, str(tmp_path / "b.fits")]) == 0
    assert "BSOFTEN" in capsys.readouterr().err
    wanted = np.asarray(fits.getdata(tmp_path / "a.fits"))
    found = linear(np.asarray(fits.getdata(tmp_path / "b.fits", 1), dtype=float))
    assert_allclose(found, wanted, rtol=2e-3, atol=1e-3 * wanted.max())


@pytest.mark.parametrize(
    ("unit", "base", "becomes"),
    [
        ("mag", 10**-0.4, "1"),
        ("AB mag/arcsec2", 10**-0.4, "maggy/arcsec2"),
        ("mag arcsec-2", 10**-0.4, "1/arcsec2"),
        ("log10", 10.0, "1"),
        ("dex(ct/s)", 10.0, "ct/s"),
        ("log10(Jy)", 10.0, "Jy"),
    ],
)
def test_magnitudes_and_logarithms_are_read_and_written_as_flux(unit, base, becomes, tmp_path):
    pixels = noise(20, 24) / 3
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(pixels, sky_header(BUNIT=unit)))
    image = read_image(path)
    assert_allclose(image.flux[0], base ** pixels.astype(float), rtol=1e-5)
    assert image.unit == becomes
    assert unit in image.notes[0]
    again = read_image(write_image(image, tmp_path / "b.fits"))
    assert_allclose(again.flux, image.flux)
    assert again.unit == becomes
    assert (unit in fits.getheader(tmp_path / "b.fits").comments["BUNIT"]) == (becomes[0] == "1")
    assert CCDData.read(tmp_path / "b.fits").unit == Unit(becomes)


@pytest.mark.parametrize("unit", [None, "mag", "luptitude", "DN"])
def test_what_stands_beside_asinh_magnitudes_says_that_it_is_linear(unit, tmp_path):
    cards = {"BSOFTEN": SOFTENING, "BOFFSET": OFFSET} | ({"BUNIT": unit} if unit else {})
    pixels = asinh_magnitudes(flux()).astype("f4")
    image = read_image(save(tmp_path / "a.fits", fits.PrimaryHDU(pixels, sky_header(**cards))))
    assert image.unit == ("DN" if unit == "DN" else None)
    layers = {"UNCERT": np.ones(pixels.shape), "DOUBT": np.zeros(pixels.shape)}
    path = fits_write(image, tmp_path / "b.fits", layers=layers, restored=True)
    deviation, doubt = (fits.getheader(path, name) for name in layers)
    assert deviation.get("BUNIT") == image.unit
    assert "linear flux" in str(deviation["COMMENT"])
    assert "COMMENT" not in doubt
    assert fits.getheader(path).get("BUNIT") == unit


def test_no_light_has_an_infinite_magnitude(tmp_path):
    pixels = noise(20, 24)
    pixels[3, 4] = np.inf
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(pixels, sky_header(BUNIT="mag")))
    assert read_image(path).flux[0, 3, 4] == 0.0


@pytest.mark.parametrize("unit", ["nanomaggy", "maggy", "adu", "MJy/sr", "10^(-0.4 mag)", "image"])
def test_flux_is_left_alone(unit, tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(20, 24), sky_header(BUNIT=unit)))
    image = read_image(path)
    assert_allclose(image.flux[0], noise(20, 24))
    assert image.notes == ()


@pytest.mark.parametrize("cards", [{"BSOFTEN": 100.0}, {"BUNIT": "asinh mag"}])
def test_asinh_magnitudes_of_unknown_softening_are_refused(cards, tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(20, 24), sky_header(**cards)))
    with pytest.raises(InputError, match=r"a.fits: .*softening.*BSOFTEN and BOFFSET"):
        read_image(path)

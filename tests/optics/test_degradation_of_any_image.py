"""Degradation in any unit, of any survey's nanomaggies, and beside flagged pixels."""

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose, assert_array_equal

from pellucid.optics import Degradation, convolve
from pellucid.sky import gaussian_psf, robust_background
from pellucid.sky.image import SkyImage, in_sdss_nanomaggies

SCALE = 0.396
FRAME = {"RUN": 2583, "CAMCOL": 2, "TELESCOP": "2.5m"}


def noisy(sigma: float = 1.0, **fields) -> SkyImage:
    rng = np.random.default_rng(3)
    flux = rng.normal(0.0, 1.0, (1, 128, 144))
    flux[0, 60:70, 60:70] += 300.0
    return SkyImage((sigma * flux).astype(np.float32), pixel_scale=SCALE, **fields)


def degraded(image: SkyImage, noise: float = 2.0) -> np.ndarray:
    return Degradation(1.8, noise)(image, np.random.default_rng(0)).blurred.flux


@pytest.mark.parametrize("factor", [1e-30, 3e-20, 0.37, 5e12, 1e30])
def test_a_multiple_of_the_image_gives_the_same_multiple(factor):
    once = degraded(noisy(unit="adu"))
    again = degraded(noisy(factor, unit="adu")).astype(np.float64) / factor
    assert_allclose(again, once, atol=1e-4 * np.abs(once).max())


def test_a_blur_changes_no_digit_of_flux_of_another_size():
    flux, stamps = noisy().flux, gaussian_psf(1.8, SCALE).stamps
    bright = np.ldexp(flux, 110)  # whose sum is no float32
    assert_array_equal(convolve(bright, stamps), np.ldexp(convolve(flux, stamps), 110))


@pytest.mark.parametrize("cards", [{}, {"TELESCOP": "CTIO 4.0-m telescope"}, {"ORIGIN": "unWISE"}])
@pytest.mark.parametrize("sigma", [0.005, 0.03, 10.0])
def test_nanomaggies_of_any_depth_get_the_noise_that_was_asked_for(cards, sigma):
    image = noisy(sigma, unit="nanomaggies", header=fits.Header(cards))
    assert robust_background(degraded(image)).sigma == pytest.approx(2 * sigma, rel=0.05)


@pytest.mark.parametrize("cards", [FRAME, {"ORIGIN": "SDSS"}, {"SURVEY": "Sloan Digital Sky"}])
def test_only_a_header_of_sdss_makes_nanomaggies_sdss(cards):
    assert in_sdss_nanomaggies(noisy(unit="nanomaggy", header=fits.Header(cards)))
    assert not in_sdss_nanomaggies(noisy(unit="adu", header=fits.Header(cards)))
    assert not in_sdss_nanomaggies(noisy(unit="nanomaggy", header=fits.Header({"ORIGIN": "KPNO"})))
    assert in_sdss_nanomaggies(noisy(unit="nanomaggy"))  # a composite, or a pair of a store


def test_flagged_pixels_stay_as_they_are_and_reach_no_neighbour():
    clean = noisy()
    flux, mask = clean.flux.copy(), np.zeros(clean.shape, dtype=bool)
    flux[0, 30, 40], flux[0, 90:96, 100:110] = 5e4, -9999.0
    mask[0, 30, 40] = mask[0, 90:96, 100:110] = True
    given = SkyImage(flux, pixel_scale=SCALE, mask=mask)
    result = Degradation(1.8, 0.0)(given, np.random.default_rng(0)).blurred
    assert_array_equal(result.flux[mask], flux[mask])
    assert_array_equal(result.mask, mask)
    # What is left is the noise of the pixels that were taken out, blurred.
    change = (result.flux - degraded(clean, 0.0))[~mask]
    assert np.abs(change).max() < 0.5


def test_the_noise_is_measured_beside_flagged_pixels():
    mask = np.zeros((1, 128, 144), dtype=bool)
    mask[:, :, 60:] = True
    result = degraded(noisy(mask=mask))[..., :60]
    assert robust_background(result).sigma == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("factor", [1e-25, 1.0, 1e25])
def test_the_variance_is_that_of_the_result(factor):
    """Known pixel by pixel: the scatter of many degradations of nothing but noise."""
    rng = np.random.default_rng(5)
    deviation = np.ones((1, 40, 60), np.float32)
    deviation[:, :, 30:] = 3.0
    bad = np.zeros(deviation.shape, bool)
    bad[0, 5:9, 5:9] = True
    told = np.where(bad, 1e32, deviation.astype(float) ** 2) * factor**2
    results = []
    for _ in range(400):
        flux = factor * deviation * rng.standard_normal(deviation.shape)
        image = SkyImage(flux.astype("f4"), pixel_scale=SCALE, variance=told, mask=bad)
        blurred = Degradation(1.2, 1.5)(image, rng).blurred
        results.append(blurred.flux / np.float32(factor))
    scatter = np.var(results, axis=0)
    variance = blurred.variance / factor**2
    assert_allclose(variance[bad], 1e32, rtol=1e-6)
    near = np.zeros(bad.shape[1:], bool)
    near[:14, :14] = True  # what was put into the hole has no noise of its own
    ratio = (scatter / variance)[0][~near]
    assert ratio.mean() == pytest.approx(1.0, abs=0.03)
    assert np.abs(ratio - 1.0).max() < 0.45


def test_the_planes_of_a_file_say_what_the_noise_became(tmp_path, capsys):
    from pellucid.cli import main

    sci = fits.ImageHDU(noisy().flux[0], fits.Header({"PIXSCALE": SCALE}), name="SCI")
    weight = fits.ImageHDU(np.ones(sci.shape, "f4"), name="INVVAR")
    fits.HDUList([fits.PrimaryHDU(), sci, weight]).writeto(tmp_path / "a.fits")
    words = ["--fwhm", "1.8", "--noise", "2", "--output", str(tmp_path / "b.fits")]
    assert main(["degrade", str(tmp_path / "a.fits"), *words]) == 0
    assert "is that of the result now" in capsys.readouterr().err
    with fits.open(tmp_path / "b.fits") as hdus:
        noise = 1.0 / np.sqrt(hdus["INVVAR"].data)
        assert noise == pytest.approx(2.0, rel=0.03)
        assert robust_background(hdus["SCI"].data[None]).sigma == pytest.approx(2.0, rel=0.03)

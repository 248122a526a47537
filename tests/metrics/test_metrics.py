"""Metrics against analytic profiles, scikit-image and a direct reading of the papers."""

import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.data import hubble_deep_field
from skimage.measure import moments_central
from skimage.metrics import peak_signal_noise_ratio

from pellucid.errors import InputError
from pellucid.metrics import (
    aperture_flux,
    band_flux_ratios,
    centroid,
    compare,
    ellipticity,
    find_source,
    flux_ratio,
    half_light_radius,
    psnr,
    source_errors,
    ssim,
    stretched_psnr,
)
from pellucid.optics.convolution import convolve
from pellucid.sky.image import SkyImage
from pellucid.sky.psf import gaussian_psf
from pellucid.stretch import GalaxyGANStretch, NoiseStretch

KEYS = {
    "psnr",
    "psnr_linear",
    "ssim",
    "ssim_linear",
    "cw_ssim",
    "flux_ratio",
    "half_light_radius_ratio",
    "centroid_error",
    "ellipticity_error",
}
KEYS_OF_THREE_BANDS = KEYS | {"colour_error_band1_band2", "colour_error_band2_band3"}


def gaussian(
    shape=(65, 65), center=(32.0, 32.0), sigma=(3.0, 3.0), angle=0.0, flux=100.0
) -> np.ndarray:
    """An elliptical Gaussian of known flux; ``sigma`` along (major, minor), angle from x to y."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    y, x = y - center[0], x - center[1]
    along = x * np.cos(angle) + y * np.sin(angle)
    across = -x * np.sin(angle) + y * np.cos(angle)
    profile = np.exp(-0.5 * ((along / sigma[0]) ** 2 + (across / sigma[1]) ** 2))
    return flux * profile / (2.0 * np.pi * sigma[0] * sigma[1])


def cube(plane: np.ndarray, bands: int = 3) -> np.ndarray:
    return np.stack([plane * (1.0 + 0.5 * k) for k in range(bands)]).astype(np.float32)


def galaxies() -> np.ndarray:
    """A corner of the Hubble Deep Field, (band, y, x), 0 to 1."""
    return (hubble_deep_field()[300:428, 400:560].transpose(2, 0, 1) / 255.0).astype(np.float32)


def test_psnr_is_scikit_images():
    truth = galaxies()
    restored = truth + np.random.default_rng(0).normal(0, 0.02, truth.shape).astype(np.float32)
    for data_range in (1.0, float(truth.max())):
        expected = peak_signal_noise_ratio(truth, restored, data_range=data_range)
        assert psnr(truth, restored, data_range) == pytest.approx(expected, rel=1e-6)


def test_psnr_of_equal_images_is_infinite_and_nan_is_left_out():
    truth = galaxies()
    restored = truth + np.float32(0.1)
    holed = restored.copy()
    holed[:, 3:9, 5:40] = np.nan
    assert psnr(truth, truth, 1.0) == math.inf
    assert psnr(truth, holed, 1.0) == pytest.approx(20.0, abs=1e-4)
    with pytest.raises(InputError):
        psnr(truth, np.full_like(truth, np.nan), 1.0)


def test_stretched_psnr_is_the_psnr_of_the_papers_images():
    rng = np.random.default_rng(1)
    truth = 2.0 * galaxies()
    restored = truth + rng.normal(0, 0.05, truth.shape).astype(np.float32)

    def paper(flux: np.ndarray) -> np.ndarray:
        clipped = (np.clip(flux.astype(np.float64), -0.1, 4.0) + 0.1) / 4.1
        return np.arcsinh(10.0 * clipped) / 3.0

    expected = peak_signal_noise_ratio(paper(truth), paper(restored), data_range=1.0)
    assert stretched_psnr(truth, restored) == pytest.approx(expected, rel=1e-5)
    stored = [np.round(255 * paper(flux)).astype(np.uint8) for flux in (truth, restored)]
    expected = peak_signal_noise_ratio(*stored, data_range=255)
    assert stretched_psnr(truth, restored, eight_bit=True) == pytest.approx(expected, abs=1e-2)
    # What eight bits cannot show is no difference.
    level = np.full((3, 8, 8), GalaxyGANStretch().inverse(np.full(1, 100 / 255)))
    assert stretched_psnr(level, level * np.float32(1.001), eight_bit=True) == math.inf
    assert stretched_psnr(level, level * np.float32(1.001)) < 80


def direct_ssim(x: np.ndarray, y: np.ndarray, data_range: float) -> float:
    """Wang et al. 2004 written out window by window."""
    offset = np.arange(-5, 6)
    window = np.exp(-0.5 * (offset / 1.5) ** 2)
    window = np.outer(window, window) / window.sum() ** 2
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = []
    for row in range(5, x.shape[0] - 5):
        for column in range(5, x.shape[1] - 5):
            here = np.s_[row - 5 : row + 6, column - 5 : column + 6]
            a, b = x[here], y[here]
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a = (window * (a - mean_a) ** 2).sum()
            var_b = (window * (b - mean_b) ** 2).sum()
            both = (window * (a - mean_a) * (b - mean_b)).sum()
            values.append(
                (2 * mean_a * mean_b + c1)
                * (2 * both + c2)
                / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
            )
    return float(np.mean(values))


def test_ssim_is_wang_et_al():
    truth = galaxies()[:2, :30, :34]
    restored = ndimage.gaussian_filter(truth, (0, 1, 1))
    restored += np.random.default_rng(2).normal(0, 0.02, truth.shape).astype(np.float32)
    for data_range in (1.0, 0.3):
        expected = np.mean(
            [
                direct_ssim(truth[k].astype(float), restored[k].astype(float), data_range)
                for k in range(2)
            ]
        )
        assert ssim(truth, restored, data_range) == pytest.approx(expected, abs=1e-6)


def test_ssim_bounds_and_refusals():
    truth = galaxies()
    holed = truth.copy()
    holed[:, 40:50, 60:75] = np.nan
    assert ssim(truth, truth, 1.0) == pytest.approx(1.0)
    assert ssim(truth, holed, 1.0) == pytest.approx(1.0)
    assert ssim(truth, truth[:, ::-1].copy(), 1.0) < 0.9
    with pytest.raises(InputError, match="11"):
        ssim(truth[:, :10], truth[:, :10], 1.0)


def test_aperture_holds_a_gaussians_share_of_flux():
    source = gaussian(center=(31.3, 33.7))
    for radius in (3.0, 5.5, 9.0):
        share = 1.0 - np.exp(-0.5 * (radius / 3.0) ** 2)
        assert aperture_flux(source, (31.3, 33.7), radius) == pytest.approx(100 * share, rel=0.01)


@pytest.mark.parametrize("sigma", [1.5, 3.0, 6.0])
@pytest.mark.parametrize("center", [(32.0, 32.0), (32.4, 31.7)])
def test_half_light_radius_of_a_gaussian(sigma, center):
    source = gaussian(center=center, sigma=(sigma, sigma))
    expected = sigma * np.sqrt(2.0 * np.log(2.0))
    assert half_light_radius(source, center, 30.0) == pytest.approx(expected, rel=0.02)


def test_half_light_radius_of_an_exponential_disc():
    y, x = np.mgrid[:401, :401] - 200.0
    scale = 12.0
    disc = np.exp(-np.hypot(y, x) / scale)
    # Sérsic n = 1: the effective radius is 1.678 scale lengths.
    assert half_light_radius(disc, (200.0, 200.0), 180.0) == pytest.approx(1.678 * scale, rel=5e-3)


def test_plain_moments_are_those_of_scipy_and_scikit_image():
    source = gaussian(center=(30.6, 33.2), sigma=(4.0, 2.5), angle=0.6)
    place = centroid(source, (32.0, 32.0), 100.0)
    assert place == pytest.approx(ndimage.center_of_mass(source), abs=1e-9)
    central = moments_central(source, center=place, order=2)
    expected = complex(central[0, 2] - central[2, 0], 2 * central[1, 1])
    expected /= central[0, 2] + central[2, 0]
    assert ellipticity(source, place, 100.0) == pytest.approx(expected, abs=1e-9)
    # |e| = (1 − q²)/(1 + q²), twice the angle as its phase.
    q = 2.5 / 4.0
    assert abs(expected) == pytest.approx((1 - q**2) / (1 + q**2), rel=1e-3)
    assert np.angle(expected) == pytest.approx(1.2, abs=1e-3)


def test_windowed_ellipticity_is_that_of_the_product_of_two_gaussians():
    source = gaussian(sigma=(4.0, 2.5))
    width = 3.0
    along, across = (1.0 / (1.0 / s**2 + 1.0 / width**2) for s in (4.0, 2.5))
    measured = ellipticity(source, (32.0, 32.0), 30.0, width)
    assert measured == pytest.approx((along - across) / (along + across), rel=1e-3)


def test_windowed_centroid_finds_the_source_and_withstands_noise():
    rng = np.random.default_rng(3)
    errors = {None: [], 3.0: []}
    for _ in range(20):
        place = 32.0 + rng.uniform(-1, 1, 2)
        clean = gaussian(center=place)
        assert centroid(clean, (32.0, 32.0), 20.0, 3.0) == pytest.approx(tuple(place), abs=1e-3)
        noisy = clean + rng.normal(0, 0.1, clean.shape)
        for weight, found in errors.items():
            found.append(np.hypot(*np.subtract(centroid(noisy, (32, 32), 20.0, weight), place)))
    assert np.median(errors[3.0]) < 0.1
    assert np.median(errors[3.0]) < 0.3 * np.median(errors[None])


def test_the_source_is_the_bright_one_near_the_middle():
    plane = gaussian((81, 101), (44.0, 47.0)) + gaussian((81, 101), (8.0, 95.0), flux=150.0)
    noise = np.random.default_rng(4).normal(0, 0.02, (3, 81, 101)).astype(np.float32)
    source = find_source(cube(plane) + noise)
    assert source is not None
    assert source.center == pytest.approx((44.0, 47.0), abs=1.5)
    assert 3.0 * 2 < source.radius < 3.0 * 5
    assert source.neighbours[8, 95]
    assert not source.neighbours[44, 47]
    assert find_source(np.zeros((3, 40, 40), dtype=np.float32)) is None


def test_a_known_change_is_measured_as_such():
    shape, noise = (121, 121), np.random.default_rng(5).normal(0, 0.005, (2, 3, 121, 121))
    truth = gaussian(shape, (58.0, 63.0), (4.0, 3.0), 0.3)
    bigger = gaussian(shape, (58.6, 62.2), (6.0, 4.5), 0.3, flux=80.0)
    truth_cube = (cube(truth) + noise[0] + 5.0).astype(np.float32)
    changed = (cube(bigger) + noise[1] - 3.0).astype(np.float32)
    errors = source_errors(truth_cube, changed)
    source = find_source(truth_cube)
    assert source is not None
    inside = [aperture_flux(plane, source.center, source.radius) for plane in (truth, bigger)]
    assert errors["flux_ratio"] == pytest.approx(inside[1] / inside[0], rel=0.02)
    assert 1.3 < errors["half_light_radius_ratio"] < 1.55
    assert errors["centroid_error"] == pytest.approx(1.0, abs=0.1)
    rounder = source_errors(truth_cube, (cube(gaussian(shape, (58, 63), (3.5, 3.5))) + noise[1]))
    q = 3.0 / 4.0
    assert 0.3 < rounder["ellipticity_error"] / ((1 - q**2) / (1 + q**2)) < 1.0


def test_equal_images_have_no_errors_on_real_sky():
    truth = galaxies()
    restored = truth.copy()
    restored[:, 20:24, 30:37] = np.nan
    errors = source_errors(truth, restored)
    assert errors == pytest.approx(
        {
            "flux_ratio": 1.0,
            "half_light_radius_ratio": 1.0,
            "centroid_error": 0.0,
            "ellipticity_error": 0.0,
        },
        abs=1e-6,
    )


def test_a_neighbours_change_is_not_the_sources():
    noise = np.random.default_rng(8).normal(0, 0.03, (2, 3, 101, 101))
    # The round aperture of a galaxy seen edge-on reaches over what lies above its disc.
    galaxy = gaussian((101, 101), (50.0, 50.0), (10.0, 2.0), flux=300.0)
    neighbour = gaussian((101, 101), (68.0, 50.0), (1.2, 1.2), flux=60.0)
    truth = (cube(galaxy + neighbour) + noise[0]).astype(np.float32)
    without = (cube(galaxy) + noise[1]).astype(np.float32)
    source = find_source(truth)
    assert source is not None
    assert source.neighbours[68, 50]
    assert source.radius > 20.0
    assert flux_ratio(truth, without) == pytest.approx(1.0, abs=0.03)


def test_flux_ratios_show_a_lost_colour():
    truth = cube(gaussian())
    restored = truth * np.array([1.0, 0.5, 1.2], dtype=np.float32)[:, None, None]
    assert band_flux_ratios(truth, restored) == pytest.approx([1.0, 0.5, 1.2], rel=1e-3)
    expected = (1.0 + 1.5 * 0.5 + 2.0 * 1.2) / 4.5
    assert flux_ratio(truth, restored) == pytest.approx(expected, rel=1e-3)
    assert flux_ratio(truth, restored) == pytest.approx(
        source_errors(truth, restored)["flux_ratio"], rel=1e-6
    )


def test_colour_errors_are_the_change_of_magnitudes_between_bands():
    truth = SkyImage(cube(gaussian()), bands=("g", "r", "i"), unit="nanomaggy")
    factors = np.array([1.0, 0.5, 1.2], dtype=np.float32)[:, None, None]
    errors = compare(truth, truth.with_flux(truth.flux * factors))
    assert errors["colour_error_g_r"] == pytest.approx(2.5 * np.log10(1 / 0.5), abs=2e-3)
    assert errors["colour_error_r_i"] == pytest.approx(2.5 * np.log10(1.2 / 0.5), abs=2e-3)
    grey = compare(truth, truth.with_flux(truth.flux * np.float32(0.7)))
    assert max(grey["colour_error_g_r"], grey["colour_error_r_i"]) < 1e-3


def test_blur_lowers_every_number_of_compare():
    truth = SkyImage(galaxies(), unit="nanomaggy")
    values = []
    for fwhm in (1.0, 3.0):
        blurred = convolve(truth.flux, gaussian_psf(fwhm, 1.0).for_bands(3))
        values.append(compare(truth, truth.with_flux(blurred)))
    sharp, soft = values
    assert set(sharp) == KEYS_OF_THREE_BANDS
    assert all(np.isfinite(list(sharp.values())))
    for key in ("psnr", "psnr_linear", "ssim", "ssim_linear", "cw_ssim"):
        assert sharp[key] > soft[key]
    assert 0.98 < sharp["half_light_radius_ratio"] < soft["half_light_radius_ratio"]


def test_compare_takes_the_stretch_that_fits_the_unit():
    rng = np.random.default_rng(6)
    flux = galaxies() + rng.normal(0, 0.01, (3, 128, 160)).astype(np.float32)
    restored = flux + rng.normal(0, 0.01, flux.shape).astype(np.float32)
    nanomaggies, counts = (SkyImage(flux, unit=unit) for unit in ("nanomaggy", "adu"))
    paper = compare(nanomaggies, nanomaggies.with_flux(restored))
    assert paper["psnr"] == pytest.approx(stretched_psnr(flux, restored, GalaxyGANStretch()))
    ours = compare(counts, counts.with_flux(restored))
    assert ours["psnr"] == pytest.approx(stretched_psnr(flux, restored, NoiseStretch()))
    # Another zero point and another sky are the same image.
    scaled = SkyImage(1000.0 * flux + 70.0, unit="adu")
    other = compare(scaled, scaled.with_flux(1000.0 * restored + 70.0))
    assert other["psnr"] == pytest.approx(ours["psnr"], abs=0.01)


def test_compare_leaves_masked_pixels_out():
    flux = galaxies()
    mask = np.zeros(flux.shape, dtype=bool)
    mask[:, 30:34, 40:50] = True
    broken = np.where(mask, np.float32(1e6), flux)
    result = compare(SkyImage(flux), SkyImage(broken, mask=mask))
    assert result["psnr"] == math.inf
    assert result["ssim"] == pytest.approx(1.0)
    assert result["cw_ssim"] == pytest.approx(1.0)
    assert result["flux_ratio"] == pytest.approx(1.0)


def test_compare_of_a_noiseless_truth_and_of_an_empty_sky():
    truth = SkyImage(cube(gaussian()))
    assert np.isfinite(compare(truth, truth.with_flux(0.9 * truth.flux))["psnr"])
    noise = np.random.default_rng(7).normal(0, 1, (2, 3, 32, 32))
    empty = compare(SkyImage(noise[0]), SkyImage(noise[1]))
    assert np.isfinite(empty["psnr"])
    assert set(empty) == KEYS_OF_THREE_BANDS


def test_shapes_that_disagree_are_refused():
    flux = galaxies()
    with pytest.raises(InputError, match="shape"):
        compare(SkyImage(flux), SkyImage(flux[:, 1:]))
    with pytest.raises(InputError, match="shape"):
        psnr(flux, flux[:2], 1.0)

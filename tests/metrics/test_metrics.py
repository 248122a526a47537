"""Metrics against analytic profiles, scikit-image and a direct reading of the papers."""

import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.data import hubble_deep_field
from skimage.metrics import peak_signal_noise_ratio

from pellucid.errors import InputError
from pellucid.metrics import METRICS, Comparison, measure, psnr, ssim, stretched_psnr
from pellucid.optics.convolution import convolve
from pellucid.sky.background import robust_background
from pellucid.sky.image import SkyImage
from pellucid.sky.psf import gaussian_psf
from pellucid.stretch import NoiseStretch

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


def test_blur_lowers_every_number_of_a_measurement():
    truth = SkyImage(galaxies(), unit="nanomaggy")
    values = []
    for fwhm in (1.0, 3.0):
        blurred = convolve(truth.flux, gaussian_psf(fwhm, 1.0).for_bands(3))
        values.append(measure(truth.with_flux(blurred), truth))
    sharp, soft = values
    assert set(sharp) == KEYS_OF_THREE_BANDS
    assert all(np.isfinite(list(sharp.values())))
    for key in ("psnr", "psnr_linear", "ssim", "ssim_linear", "cw_ssim"):
        assert sharp[key] > soft[key]
    assert 0.98 < sharp["half_light_radius_ratio"] < soft["half_light_radius_ratio"]


def test_measure_takes_the_stretch_that_fits_the_unit():
    rng = np.random.default_rng(6)
    flux = galaxies() + rng.normal(0, 0.01, (3, 128, 160)).astype(np.float32)
    restored = flux + rng.normal(0, 0.01, flux.shape).astype(np.float32)
    nanomaggies, counts = (SkyImage(flux, unit=unit) for unit in ("nanomaggy", "adu"))
    paper = measure(nanomaggies.with_flux(restored), nanomaggies)
    assert paper["psnr"] == pytest.approx(stretched_psnr(flux, restored))
    ours = measure(counts.with_flux(restored), counts)
    sky = robust_background(flux)
    seen = [NoiseStretch().forward(image, sky) for image in (flux, restored)]
    assert ours["psnr"] == pytest.approx(psnr(*seen, 1.0))
    # Another zero point and another sky are the same image.
    scaled = SkyImage(1000.0 * flux + 70.0, unit="adu")
    other = measure(scaled.with_flux(1000.0 * restored + 70.0), scaled)
    assert other["psnr"] == pytest.approx(ours["psnr"], abs=0.01)


def test_measure_leaves_masked_pixels_out():
    flux = galaxies()
    mask = np.zeros(flux.shape, dtype=bool)
    mask[:, 30:34, 40:50] = True
    broken = np.where(mask, np.float32(1e6), flux)
    result = measure(SkyImage(broken, mask=mask), SkyImage(flux))
    assert result["psnr"] == math.inf
    assert result["ssim"] == pytest.approx(1.0)
    assert result["cw_ssim"] == pytest.approx(1.0)
    assert result["flux_ratio"] == pytest.approx(1.0)


def test_measure_of_a_noiseless_truth_and_of_an_empty_sky():
    y, x = np.mgrid[:65, :65] - 32.0
    truth = SkyImage(np.stack([np.exp(-(y**2 + x**2) / 18.0)] * 3))
    assert np.isfinite(measure(truth.with_flux(0.9 * truth.flux), truth)["psnr"])
    noise = np.random.default_rng(7).normal(0, 1, (2, 3, 32, 32))
    empty = measure(SkyImage(noise[1]), SkyImage(noise[0]))
    assert np.isfinite(empty["psnr"])
    assert set(empty) == KEYS_OF_THREE_BANDS


def test_a_new_metric_is_a_function_and_a_line(monkeypatch):
    def measure_peak(pair: Comparison) -> dict[str, float]:
        return {"peak_ratio": float(np.nanmax(pair.restored.flux) / np.nanmax(pair.truth.flux))}

    monkeypatch.setitem(METRICS, "peak", measure_peak)
    truth = SkyImage(galaxies())
    half = truth.with_flux(0.5 * truth.flux)
    assert measure(half, truth, metrics=["peak"]) == {"peak_ratio": pytest.approx(0.5)}
    assert list(measure(half, truth, metrics=["ssim", "peak"])) == [
        "ssim",
        "ssim_linear",
        "peak_ratio",
    ]


def test_shapes_that_disagree_are_refused():
    flux = galaxies()
    with pytest.raises(InputError, match="shape"):
        measure(SkyImage(flux[:, 1:]), SkyImage(flux))
    with pytest.raises(InputError, match="shape"):
        psnr(flux, flux[:2], 1.0)

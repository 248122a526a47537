"""A veil is light over empty sky: what is spread there counts, a source of the truth does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pellucid.metrics import measure
from pellucid.sky import SkyImage


@pytest.fixture(scope="module")
def truth() -> SkyImage:
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:160, :160]
    galaxy = 40.0 * np.exp(-((y - 70) ** 2 + (x - 85) ** 2) / (2 * 5.0**2))
    return SkyImage((galaxy + 100.0 + rng.standard_normal((160, 160)))[None].astype("f4"))


def veil(truth: SkyImage, plane: np.ndarray) -> float:
    return measure(truth.with_flux(plane[None].astype("f4")), truth, metrics=["veil"])["veil"]


def test_an_even_veil_is_told_in_the_truths_noise(truth):
    clear = gaussian_filter(truth.flux[0], 6.0)
    for level in (0.5, 2.0):
        assert veil(truth, clear + level) == pytest.approx(level, abs=0.1)


def test_noise_of_pixels_is_no_veil_and_a_wave_is_one(truth):
    plane = truth.flux[0]
    # White noise of 1 under a Gaussian of s pixels has 1 / (2 √π s).
    assert veil(truth, plane) == pytest.approx(1.0 / (2.0 * np.sqrt(np.pi) * 4.0), rel=0.2)
    assert measure(truth, truth, metrics=["veil"])["veil_truth"] == veil(truth, plane)
    wave = np.sin(np.arange(160) / 10.0)
    assert veil(truth, plane + wave) == pytest.approx(np.exp(-0.5 * 0.4**2) / np.sqrt(2.0), rel=0.1)


def test_light_where_the_truth_has_a_source_is_none(truth):
    y, x = np.mgrid[:160, :160]
    brighter = truth.flux[0] + 500.0 * (np.hypot(y - 70, x - 85) < 10)
    assert veil(truth, brighter) == pytest.approx(veil(truth, truth.flux[0]), rel=1e-6)
    beside = truth.flux[0] + 5.0 * (np.hypot(y - 20, x - 130) < 10)
    assert veil(truth, beside) > 3.0 * veil(truth, truth.flux[0])


def test_without_sky_or_noise_there_is_no_number(truth):
    full = truth.cutout(58, 73, 24, 24)
    for image in (full, full.with_flux(np.ones((1, 24, 24), "f4"))):
        assert np.isnan(measure(image, image, metrics=["veil"])["veil"])


def test_pixels_without_data_play_no_part(truth):
    holed = truth.flux[0].copy()
    holed[10:20, 10:20] = np.nan
    assert veil(truth, holed) == pytest.approx(veil(truth, truth.flux[0]), rel=0.05)

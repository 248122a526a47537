"""The bank of Wiener filters: exact where there is no noise, smooth where there is much."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pellucid.deconvolution.bank import wiener_bank
from pellucid.optics import convolve
from pellucid.sky import gaussian_psf

RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def sharp(deep_field) -> np.ndarray:
    patch = deep_field.cutout(372, 102, 56, 44).flux
    return convolve(patch, gaussian_psf(2.5, 1.0).for_bands(3))[0]


def test_without_noise_the_blur_is_undone(sharp):
    stamp = gaussian_psf(3.0, 1.0).stamps[0]
    blurred = convolve(sharp[None], stamp[None])[0]
    restored = wiener_bank(blurred, stamp, 1e-5 * sharp.max(), (1e-3,))[0]
    before, after = (np.square(image - sharp)[8:-8, 8:-8].mean() for image in (blurred, restored))
    assert after < 0.02 * before


def test_each_strength_is_smoother_than_the_one_before(sharp):
    stamp = gaussian_psf(3.0, 1.0).stamps[0]
    sigma = 0.02 * sharp.max()
    blurred = convolve(sharp[None], stamp[None])[0] + sigma * RNG.standard_normal(sharp.shape)
    results = wiener_bank(blurred.astype(np.float32), stamp, sigma)
    rough = [np.abs(np.diff(result)).mean() for result in results]
    assert rough[0] > rough[1] > rough[2]
    errors = [np.square(result - sharp).mean() for result in results]
    assert errors[1] < np.square(blurred - sharp).mean()


def test_any_unit_gives_the_same_image(sharp):
    stamp = gaussian_psf(3.0, 1.0).stamps[0]
    once = wiener_bank(sharp, stamp, 0.01)
    for factor in (1e-6, 1e6):
        again = wiener_bank(np.float32(factor) * sharp, stamp, 0.01 * factor)
        assert_allclose(again / factor, once, atol=1e-4 * np.abs(once).max())


def test_a_window_is_deconvolved_as_its_image_is():
    """The prior's mean over the frequencies depends on how many there are."""
    stamp = gaussian_psf(3.0, 1.0).stamps[0]
    plane = convolve(30.0 * RNG.standard_normal((1, 500, 421)), stamp[None])[0].astype(np.float32)
    signal = float(np.var(plane)) - 1.0
    expected = wiener_bank(plane, stamp, 1.0)[:, 200:300, 160:260]
    for around in (100, 60):
        rows, columns = slice(200 - around, 300 + around), slice(160 - around, 260 + around)
        some = wiener_bank(plane[rows, columns], stamp, 1.0, signal=signal, whole=plane.shape)
        inner = some[:, around : around + 100, around : around + 100]
        assert_allclose(inner, expected, atol=2e-4 * np.abs(expected).max())

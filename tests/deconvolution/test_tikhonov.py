"""Constrained least squares explains the image as well as the noise allows, and no better."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pellucid.deconvolution import METHODS
from pellucid.metrics import psnr
from pellucid.optics import convolve
from pellucid.sky import gaussian_psf, robust_background

STAMPS = gaussian_psf(4.0, 1.0).for_bands(3)


def observed(sharp: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(5).normal(0.0, sigma, sharp.shape).astype(np.float32)
    return convolve(sharp, STAMPS) + noise


@pytest.fixture(scope="module")
def sharp(deep_field) -> np.ndarray:
    return deep_field.cutout(340, 60, 120, 128).flux


@pytest.mark.parametrize("sigma", [0.02, 0.1])
def test_the_residual_is_the_noise(sharp, sigma):
    flux = observed(sharp, sigma)
    restored = METHODS["tikhonov"](flux, STAMPS, None)
    for plane, explained in zip(flux, convolve(restored, STAMPS), strict=True):
        measured = robust_background(plane[None]).sigma
        assert (plane - explained).std() == pytest.approx(measured, rel=0.1)
    assert psnr(sharp, restored, 1.0) > psnr(sharp, flux, 1.0)


def test_more_smoothness_is_smoother_and_none_loses_flux(sharp):
    flux = observed(sharp, 0.05)
    results = [METHODS["tikhonov"](flux, STAMPS, strength) for strength in (1e-3, 1e-1, 10.0)]
    rough = [np.abs(np.diff(result)).mean() for result in results]
    assert rough[0] > rough[1] > rough[2]
    for result in results:
        assert_allclose(result.mean(axis=(1, 2)), flux.mean(axis=(1, 2)), atol=2e-3)


def test_holes_stay_holes(sharp):
    flux = observed(sharp, 0.05)
    flux[1, 20:23, 30:33] = np.nan
    restored = METHODS["tikhonov"](flux, STAMPS, None)
    assert np.array_equal(np.isnan(restored), np.isnan(flux))

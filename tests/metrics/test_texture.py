"""Texture: smoothing takes power, noise adds it, and the truth itself has its own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pellucid.metrics import measure
from pellucid.sky import SkyImage


def textures(galaxy: SkyImage, flux: np.ndarray) -> tuple[float, float]:
    found = measure(galaxy.with_flux(flux), galaxy, metrics=["texture"])
    return found["power_ratio_middle"], found["power_ratio_fine"]


def test_the_truth_has_its_own_texture(galaxy):
    assert textures(galaxy, galaxy.flux) == (1.0, 1.0)


def test_smoothing_takes_the_fine_structure_first(galaxy):
    middle, fine = textures(galaxy, gaussian_filter(galaxy.flux, (0, 0.7, 0.7)))
    assert fine < 0.7 * middle < 0.7


def test_noise_adds_the_power_that_it_has(galaxy):
    """White noise of a pixel's variance v adds v to the power at every frequency."""
    rng = np.random.default_rng(1)
    once, twice = (
        np.array(textures(galaxy, galaxy.flux + sigma * rng.standard_normal(galaxy.shape)))
        for sigma in (0.05, 0.1)
    )
    assert (once > 1.0).all()
    assert twice[1] - 1.0 == pytest.approx(4.0 * (once[1] - 1.0), rel=0.5)


def test_pixels_without_data_play_no_part(galaxy):
    holed = galaxy.flux.copy()
    holed[:, 10:13, 10:13] = np.nan
    assert textures(galaxy, holed) == pytest.approx((1.0, 1.0), abs=0.05)

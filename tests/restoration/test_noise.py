"""What an error plane states beside the noise that the pixels show."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pellucid.restoration.noise import noise_notes, stated_noise
from pellucid.sky import SkyImage


def image(flux: np.ndarray, sigma: float, unit: float = 1.0) -> SkyImage:
    return SkyImage(unit * flux, bands=("g",), variance=np.full(flux.shape, (unit * sigma) ** 2))


@pytest.fixture
def white() -> np.ndarray:
    return np.random.default_rng(5).normal(0.0, 1.0, (120, 130))


def test_a_plane_that_is_right_needs_no_note(white):
    assert noise_notes(image(white, 1.1)) == []
    assert stated_noise(image(white, 1.1)) == pytest.approx([1.1])
    assert stated_noise(SkyImage(white)) == [None]


@pytest.mark.parametrize("unit", [1e-20, 1.0, 1e20])
def test_resampled_pixels_scatter_less_than_a_plane_that_is_right_of_sums(white, unit):
    smooth = ndimage.gaussian_filter(white, 2.0)
    blocks = smooth[:, :120].reshape(6, 20, 6, 20).sum(axis=(1, 3))
    assert blocks.std() / 20 == pytest.approx(1.0, rel=0.3), "20 × 20 pixels have all the noise"
    (note,) = noise_notes(image(smooth, 1.0, unit))
    assert note.startswith(f"g: the pixels scatter by {smooth.std():.2g} times")
    assert "neighbours share theirs" in note


def test_a_plane_that_is_wrong_is_told_so(white):
    (note,) = noise_notes(image(white, 3.0))
    assert "scatter by 0.34 times" in note
    assert "too large, or in another unit" in note
    (note,) = noise_notes(image(white, 0.1))
    assert "scatter by 10 times" in note
    assert "left out" in note


def test_what_has_no_data_takes_no_part(white):
    flux, variance = white.copy(), np.ones(white.shape)
    flux[:, :70] += np.random.default_rng(6).normal(0, 9, (120, 70))
    variance[:, :70] = 1e6
    mask = np.zeros(white.shape, bool)
    mask[:, :70] = True
    assert noise_notes(SkyImage(flux, variance=variance, mask=mask)) == []

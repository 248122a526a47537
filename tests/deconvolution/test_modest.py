"""A few bright stars do not rule what the Wiener filter takes for signal."""

import numpy as np
import pytest

from pellucid.deconvolution import wiener
from pellucid.deconvolution.signal import modest
from pellucid.optics.convolution import convolve
from pellucid.sky.background import robust_background
from pellucid.sky.psf import gaussian_psf

STAMPS = gaussian_psf(3.0, 1.0).stamps


def field(star: float = 0.0) -> np.ndarray:
    """Faint galaxies on white noise, and a star of so much flux, shape (y, x)."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:320, :360]
    sharp = np.zeros(y.shape, np.float32)
    for row, column, size in rng.uniform((20, 20, 2), (300, 340, 5), (40, 3)):
        sharp += 25.0 * np.exp(-np.hypot(y - row, x - column) / size)
    sharp[70, 80] += star
    return convolve(sharp[None], STAMPS)[0] + rng.standard_normal(sharp.shape, dtype=np.float32)


def sky_noise(plane: np.ndarray) -> float:
    return robust_background(plane[None, 200:, 200:]).sigma


def test_the_noise_far_from_a_star_does_not_grow_with_it():
    noises = [sky_noise(wiener(field(star)[None], STAMPS)[0]) for star in (1e4, 1e5, 1e6)]
    assert max(noises) < 1.0, "of the image's; 540 were the brightest taken for the rule"
    assert max(noises) < 1.2 * min(noises)


@pytest.mark.parametrize("factor", [1e-20, 1e20])
def test_in_any_unit(factor):
    flux = field(1e5)[None]
    again = wiener(flux * np.float32(factor), STAMPS) / np.float32(factor)
    np.testing.assert_allclose(again, wiener(flux, STAMPS), atol=1e-2)


def test_an_image_in_which_nothing_stands_out_is_taken_as_it_is():
    y, x = np.mgrid[-56:56, -56:56]
    galaxy = (40.0 * np.exp(-np.hypot(y, x) / 12.0)).astype(np.float32)
    assert modest(galaxy) is galaxy


def test_what_is_dimmed_keeps_its_form():
    """Where the PSF lets nothing through, dimming makes no power."""
    flux = field(1e6)
    dimmed = modest(flux)
    assert dimmed.max() < 0.01 * flux.max()
    assert np.array_equal(dimmed[250:, 250:], flux[250:, 250:])
    power = np.abs(np.fft.fft2(dimmed)) ** 2 / dimmed.size
    assert power[150:170, 170:190].mean() == pytest.approx(1.0, rel=0.15)

"""Every method gives the same image in any unit, and stays sane with a PSF that is too broad."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pellucid.deconvolution import METHODS
from pellucid.deconvolution.spectrum import Spectrum
from pellucid.optics import convolve
from pellucid.sky import gaussian_psf

SEEING = 4.0


@pytest.fixture(scope="module")
def seen(deep_field) -> np.ndarray:
    """A spiral and its neighbours behind a seeing of 4 pixels, with noise 1, (band, y, x)."""
    sharp = 400.0 * deep_field.cutout(300, 400, 96, 120).flux[:2]
    blurred = convolve(sharp, gaussian_psf(SEEING, 1.0).for_bands(2))
    return blurred + np.random.default_rng(2).standard_normal(sharp.shape, dtype=np.float32)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [1e-30, 3e-20, 0.37, 5e12, 1e30])
def test_a_multiple_of_the_image_gives_the_same_multiple(method, factor, seen):
    stamps = gaussian_psf(SEEING, 1.0).for_bands(2)
    once = METHODS[method](seen, stamps)
    again = METHODS[method](np.float32(factor) * seen, stamps).astype(np.float64) / factor
    assert_allclose(again, once, atol=1e-4 * np.abs(once).max())


@pytest.mark.parametrize("method", ["wiener", "tikhonov", "richardson-lucy", "blind"])
def test_a_soft_bias_changes_nothing_but_the_sky(method, seen):
    stamps = gaussian_psf(SEEING, 1.0).for_bands(2)
    once = METHODS[method](seen, stamps)
    again = METHODS[method](seen + np.float32(1000.0), stamps) - 1000.0
    assert_allclose(again, once, atol=1e-3 * np.abs(once).max())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("times", [2.0, 4.0, 8.0])
def test_a_psf_that_is_too_broad_gives_a_bounded_image_of_the_same_flux(method, times, seen):
    result = METHODS[method](seen, gaussian_psf(times * SEEING, 1.0).for_bands(2))
    assert np.abs(result).max() < 12.0 * seen.max()
    if method.endswith("paper"):  # these cut what lies below the sky
        return
    change = result.sum(axis=(1, 2)) / seen.sum(axis=(1, 2)) - 1.0
    assert np.abs(change).max() < 1e-3


def test_a_spectrum_is_that_of_the_mirrored_image_and_its_psf():
    rng = np.random.default_rng(5)
    plane, stamp = rng.random((70, 81), dtype=np.float32), rng.random((7, 5))
    for boundary in ("reflect", "wrap"):
        whole = plane
        if boundary == "reflect":
            whole = np.pad(plane, ((0, 70), (0, 81)), mode="symmetric")
        kernel = np.zeros(whole.shape)
        kernel[:7, :5] = stamp
        kernel = np.roll(kernel, (-3, -2), axis=(0, 1))
        spectrum = Spectrum(plane, stamp, boundary)
        strips = list(spectrum.strips())
        assert len(strips) > 0
        for found, wanted in (
            ([spectrum.image(strip) for strip in strips], whole),
            ([strip.transfer for strip in strips], kernel),
        ):
            assert_allclose(np.concatenate(found, axis=1), np.fft.rfft2(wanted), atol=2e-2)
        assert_allclose(spectrum.filtered(lambda strip: np.ones(1)), plane, atol=1e-5)

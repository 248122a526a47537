"""PSFs, convolution and its adjoint, noise and instruments."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.modeling.functional_models import Moffat2D
from astropy.stats import mad_std
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage
from skimage.data import hubble_deep_field

from pellucid.errors import InputError
from pellucid.optics import Convolution, convolve, matching_kernel
from pellucid.sky import (
    PSF,
    galaxygan_noise,
    gaussian_psf,
    moffat_psf,
    robust_background,
)
from pellucid.sky.psf import FWHM_PER_SIGMA, stamp_fwhm

BOUNDARIES = ["reflect", "nearest", "wrap", "zero"]
IN_SCIPY = {"reflect": "reflect", "nearest": "nearest", "wrap": "wrap", "zero": "constant"}
FWHMS = [1.8, 2.5, 4.0, 9.0]


def galaxies() -> np.ndarray:
    """A spiral and its neighbours in the Hubble Deep Field, (band, y, x)."""
    return hubble_deep_field()[300:364, 400:481].transpose(2, 0, 1).astype(np.float32) / 255


def lopsided(bands: int = 3, height: int = 7, width: int = 5) -> np.ndarray:
    """PSF stamps without any symmetry, so that a flipped kernel is found out."""
    stamps = np.random.default_rng(11).random((bands, height, width)).astype(np.float32)
    return stamps / stamps.sum(axis=(1, 2), keepdims=True)


# --- PSFs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [gaussian_psf, moffat_psf])
@pytest.mark.parametrize("fwhm", FWHMS)
@pytest.mark.parametrize("scale", [0.05, 0.396])
def test_a_psf_sums_to_one_and_has_the_width_asked_for(make, fwhm, scale):
    psf = make(fwhm * scale, scale)
    stamp = psf.stamps[0]
    assert stamp.sum() == pytest.approx(1.0, abs=1e-6)
    assert_array_equal(stamp, stamp.T)
    assert_array_equal(stamp, stamp[::-1, ::-1])
    assert np.unravel_index(stamp.argmax(), stamp.shape) == (len(stamp) // 2,) * 2
    # A spline between the samples of a narrow profile is not quite that profile.
    assert psf.fwhm == pytest.approx(fwhm * scale, rel=0.025 if fwhm < 3 else 0.007)


@pytest.mark.parametrize("fwhm", FWHMS)
def test_the_second_moment_of_a_gaussian(fwhm):
    stamp = gaussian_psf(fwhm, 1.0, truncate=7.0).stamps[0].astype(np.float64)
    offset = np.arange(len(stamp)) - len(stamp) // 2
    assert stamp.sum(axis=0) @ offset**2 == pytest.approx((fwhm / FWHM_PER_SIGMA) ** 2, rel=1e-3)


@pytest.mark.parametrize("beta", [1.5, 3.0, 4.765])
def test_a_moffat_is_astropys(beta):
    stamp = moffat_psf(4.0, 1.0, beta).stamps[0]
    gamma = 4.0 / (2 * np.sqrt(2 ** (1 / beta) - 1))
    y, x = np.indices(stamp.shape) - len(stamp) // 2
    theirs = Moffat2D(gamma=gamma, alpha=beta)(x, y)
    assert_allclose(stamp, theirs / theirs.sum(), rtol=1e-5)


@pytest.mark.parametrize(("fwhm", "truncate", "side"), [(1.8, 2.0, 9), (1.8, 5.0, 21)])
def test_truncation_sets_the_stamps_side(fwhm, truncate, side):
    assert gaussian_psf(fwhm, 0.396, truncate).stamps.shape == (1, side, side)


def test_the_width_of_an_elongated_stamp_is_its_geometric_mean():
    y, x = np.mgrid[-20:21, -20:21]
    stamp = np.exp(-0.5 * ((x / 5.0) ** 2 + (y / 2.0) ** 2))
    assert stamp_fwhm(stamp) == pytest.approx(FWHM_PER_SIGMA * np.sqrt(10.0), rel=0.005)


def test_a_psf_is_normalised_band_by_band_and_serves_any_number_of_bands():
    uneven = gaussian_psf(2.0, 1.0).stamps * np.array([[[0.1]], [[7.0]]])
    assert_allclose(PSF(uneven, 1.0).stamps.sum(axis=(1, 2)), 1.0, rtol=1e-6)
    one, three = gaussian_psf(2.0, 1.0), PSF(np.repeat(gaussian_psf(2.0, 1.0).stamps, 3, 0), 1.0)
    assert_array_equal(one.for_bands(3), three.for_bands(3))
    with pytest.raises(InputError, match="PSF has 3 bands, the image has 2"):
        three.for_bands(2)


def with_pixel(value: float, at: tuple[int, int]) -> np.ndarray:
    stamp = gaussian_psf(3.0, 1.0).stamps[0].copy()
    stamp[at] = value
    return stamp


@pytest.mark.parametrize(
    ("stamp", "match"),
    [
        (with_pixel(np.nan, (0, 0)), "not finite"),
        (with_pixel(1.0, (1, 2)), "off the centre"),
        (with_pixel(-0.05, (7, 7)), "negative"),
        (np.ones((4, 5)), "odd sides"),
        (np.zeros((5, 5)), "no flux"),
        (np.ones(5), "two axes"),
    ],
)
def test_unusable_stamps_are_refused(stamp, match):
    with pytest.raises(InputError, match=match):
        PSF(stamp, 1.0)


@pytest.mark.parametrize("fwhm", [0.0, -1.0, np.nan, np.inf])
def test_impossible_widths_are_refused(fwhm):
    for make in (gaussian_psf, moffat_psf):
        with pytest.raises(InputError, match="must be positive"):
            make(fwhm, 0.4)


def test_impossible_slopes_and_scales_are_refused():
    with pytest.raises(InputError, match="beta must exceed 1"):
        moffat_psf(1.0, 0.4, beta=1.0)
    for scale in (0.0, -0.4, np.nan):
        with pytest.raises(InputError, match="pixel scale"):
            PSF(lopsided(1, 1, 1), scale)


def test_a_matching_kernel_takes_one_psf_to_the_other():
    source, target = gaussian_psf(2.5, 1.0), gaussian_psf(4.0, 1.0)
    kernel = matching_kernel(source, target)
    assert kernel.fwhm == pytest.approx(np.sqrt(4.0**2 - 2.5**2), rel=0.03)
    wide = np.pad(source.stamps, ((0, 0), (15, 15), (15, 15)))
    matched = convolve(wide, kernel.stamps, "zero")
    assert stamp_fwhm(matched[0]) == pytest.approx(4.0, rel=0.01)


def test_impossible_matches_are_refused():
    with pytest.raises(InputError, match="no kernel blurs"):
        matching_kernel(gaussian_psf(3.0, 1.0), gaussian_psf(2.0, 1.0))
    with pytest.raises(InputError, match="resample one"):
        matching_kernel(gaussian_psf(2.0, 1.0), gaussian_psf(3.0, 0.5))


# --- convolution -----------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("stamp", [(7, 5), (1, 1), (3, 31)])
def test_convolution_is_scipys(boundary, stamp):
    flux, stamps = galaxies(), lopsided(3, *stamp)
    theirs = [
        ndimage.convolve(plane.astype(np.float64), kernel, mode=IN_SCIPY[boundary])
        for plane, kernel in zip(flux, stamps, strict=True)
    ]
    assert_allclose(convolve(flux, stamps, boundary), theirs, atol=2e-6)


@settings(deadline=None, max_examples=40)
@given(
    boundary=st.sampled_from(BOUNDARIES),
    shape=st.tuples(st.integers(1, 33), st.integers(1, 33)),
    radius=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    seed=st.integers(0, 99),
)
def test_the_adjoint_is_the_adjoint(boundary, shape, radius, seed):
    rng = np.random.default_rng(seed)
    blur = Convolution(lopsided(2, 2 * radius[0] + 1, 2 * radius[1] + 1), shape, boundary)
    x, y = rng.standard_normal((2, 2, *shape), dtype=np.float32)
    forward = np.vdot(blur(x).astype(np.float64), y)
    backward = np.vdot(x, blur.adjoint(y).astype(np.float64))
    tolerance = 1e-5 * float(np.linalg.norm(x) * np.linalg.norm(y))
    assert forward == pytest.approx(backward, abs=tolerance)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_flux_away_from_the_edge_is_conserved_and_lands_where_it_was(boundary):
    flux = np.zeros((1, 41, 47), np.float32)
    flux[0, 12:30, 14:33] = galaxies()[0, :18, :19]
    blurred = convolve(flux, gaussian_psf(3.0, 1.0).stamps, boundary)
    assert blurred.sum() == pytest.approx(flux.sum(), rel=1e-5)
    assert_allclose(ndimage.center_of_mass(blurred[0]), ndimage.center_of_mass(flux[0]), atol=1e-3)


@pytest.mark.parametrize("boundary", ["reflect", "nearest", "wrap"])
def test_a_flat_sky_stays_flat(boundary):
    flat = np.full((1, 20, 23), 7.0, np.float32)
    assert_allclose(convolve(flat, lopsided(1), boundary), flat, rtol=1e-6)


def test_bands_have_their_own_psf_and_do_not_mix():
    flux, stamps = galaxies(), lopsided()
    together = convolve(flux, stamps)
    for band in range(3):
        assert_array_equal(together[band], convolve(flux[[band]], stamps[[band]])[0])


# --- noise -----------------------------------------------------------------------------------


def noisy(sigma: float, level: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(level, sigma, (3, 200, 200)).astype(np.float32)


@pytest.mark.parametrize(("sigma", "level"), [(1.0, 0.0), (0.02, -3.0), (50.0, 1e3)])
def test_the_sky_of_pure_noise(sigma, level):
    sky = robust_background(noisy(sigma, level))
    assert_allclose(sky.sky, level, atol=0.03 * sigma)
    assert sky.sigma == pytest.approx(sigma, rel=0.02)


def test_sources_and_missing_pixels_do_not_move_the_sky():
    flux = noisy(1.0, 10.0)
    rng = np.random.default_rng(5)
    sources = np.zeros((1, 200, 200), np.float32)
    sources[0, rng.integers(0, 200, 30), rng.integers(0, 200, 30)] = 5000.0
    flux += convolve(sources, gaussian_psf(3.0, 1.0).stamps, "wrap")
    flux[:, 50:60, :] = np.nan
    flux[0, 0, 0] = np.inf
    sky = robust_background(flux)
    assert_allclose(sky.sky, 10.0, atol=0.1)
    assert sky.sigma == pytest.approx(1.0, rel=0.1)
    assert sky.sigma < mad_std(flux[0], ignore_nan=True) < np.nanstd(flux[1])


@settings(deadline=None, max_examples=20)
@given(gain=st.floats(1e-3, 1e3), zero=st.floats(-100, 100))
def test_sky_and_noise_follow_the_unit(gain, zero):
    flux = galaxies() + np.float32(0.001) * noisy(1.0, 0.0)[:, :64, :81]
    ours = robust_background(gain * flux.astype(np.float64) + zero)
    once = robust_background(flux)
    assert ours.sigma == pytest.approx(gain * once.sigma, rel=1e-4)
    assert_allclose(ours.sky, gain * once.sky + zero, rtol=1e-4, atol=1e-4 * gain)


def test_images_without_noise_and_without_data():
    flat = robust_background(np.full((2, 9, 9), 4.0, np.float32))
    assert_array_equal(flat.sky, [4.0, 4.0])
    assert flat.sigma == 0.0
    empty = robust_background(np.full((1, 9, 9), np.nan, np.float32))
    assert_array_equal(empty.sky, [0.0])
    assert empty.sigma == 0.0


def test_a_dark_composite_still_has_noise():
    flux = np.maximum(noisy(1.0, -1.0), 0.0)
    sky = robust_background(flux)
    assert_array_equal(sky.sky, 0.0)
    assert sky.sigma > 0.0


def test_galaxygans_noise_is_the_spread_of_faint_pixels_of_all_bands():
    flux = noisy(0.01, 0.0)
    flux[1] += 0.02
    flux[:, :50] = 3.0
    flux[:, 50:60] = -0.1
    flux[2, 70, 70] = np.nan
    faint = flux[:, 60:].astype(np.float64)
    assert galaxygan_noise(flux) == pytest.approx(np.nanstd(faint), rel=1e-6)
    assert galaxygan_noise(np.full((1, 4, 4), 5.0, np.float32)) == 0.0

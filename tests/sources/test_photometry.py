"""Photometry against Gaussians, an exponential disc and scikit-image."""

import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import moments_central

from pellucid.sources import (
    aperture_flux,
    centroid,
    ellipticity,
    half_light_radius,
    kron_radius,
)


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


def test_moments_are_those_of_scikit_image():
    place = (30.6, 33.2)
    source = gaussian(center=place, sigma=(4.0, 2.5), angle=0.6)
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


def test_centroid_finds_the_source_and_withstands_noise():
    rng = np.random.default_rng(3)
    errors, plain = [], []
    for _ in range(20):
        place = 32.0 + rng.uniform(-1, 1, 2)
        clean = gaussian(center=place)
        assert centroid(clean, (32.0, 32.0), 20.0, 3.0) == pytest.approx(tuple(place), abs=1e-3)
        noisy = clean + rng.normal(0, 0.1, clean.shape)
        errors.append(np.hypot(*np.subtract(centroid(noisy, (32, 32), 20.0, 3.0), place)))
        plain.append(np.hypot(*np.subtract(ndimage.center_of_mass(noisy), place)))
    assert np.median(errors) < 0.1
    assert np.median(errors) < 0.3 * np.median(plain)


def test_light_outside_the_circle_does_not_pull_the_centroid():
    source = gaussian(center=(30.0, 31.0))
    beside = source + gaussian(center=(30.0, 52.0), flux=300.0)
    alone, found = (centroid(plane, (30.0, 31.0), 12.0, 5.0) for plane in (source, beside))
    assert found == pytest.approx(alone, abs=0.02)


def test_kron_radius_is_the_first_moment_in_units_of_the_ellipse():
    rng = np.random.default_rng(9)
    plane = gaussian(center=(31.0, 33.0), sigma=(6.0, 3.0), angle=0.4)
    region = rng.random(plane.shape) > 0.3
    y, x = np.mgrid[:65, :65] - np.array([31.0, 33.0])[:, None, None]
    along, across = x * np.cos(0.4) + y * np.sin(0.4), y * np.cos(0.4) - x * np.sin(0.4)
    for ellipse, reach in (((1.0, 1.0, 0.0), np.inf), ((6.0, 3.0, 0.4), 4.0)):
        a, b, _ = ellipse
        radius = np.hypot(along / a, across / b)
        inside = region & (radius <= reach)
        expected = (radius * plane)[inside].sum() / plane[inside].sum()
        found = kron_radius(plane, (31.0, 33.0), region, ellipse, reach)
        assert found == pytest.approx(expected, rel=1e-6)


def test_what_holds_no_light_has_neither_size_nor_place():
    dark = -gaussian()
    assert math.isnan(half_light_radius(dark, (32.0, 32.0), 10.0))
    assert np.isnan(centroid(dark, (32.0, 32.0), 10.0, 3.0)).all()
    assert np.isnan(ellipticity(dark, (32.0, 32.0), 10.0))
    assert kron_radius(dark, (32.0, 32.0), np.ones(dark.shape, dtype=bool)) == 0.0


def test_any_layout_in_memory_is_measured_alike():
    plane = gaussian(center=(31.3, 33.7)).astype(np.float32)
    expected = aperture_flux(plane, (31.3, 33.7), 8.0)
    for other in (plane.astype(">f4"), np.asfortranarray(plane), np.stack([plane] * 2, -1)[..., 0]):
        assert aperture_flux(other, (31.3, 33.7), 8.0) == expected

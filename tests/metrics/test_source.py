"""What became of the source in the middle: changes that are known, measured as such."""

import numpy as np
import pytest
from skimage.data import hubble_deep_field

from pellucid.metrics import find_source, measure, source_errors
from pellucid.sky.image import SkyImage
from pellucid.sources import aperture_flux


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


def cube(plane: np.ndarray, bands: int = 3) -> np.ndarray:
    return np.stack([plane * (1.0 + 0.5 * k) for k in range(bands)]).astype(np.float32)


def galaxies() -> np.ndarray:
    """A corner of the Hubble Deep Field, (band, y, x), 0 to 1."""
    return (hubble_deep_field()[300:428, 400:560].transpose(2, 0, 1) / 255.0).astype(np.float32)


def test_the_source_is_the_bright_one_near_the_middle():
    plane = gaussian((81, 101), (44.0, 47.0)) + gaussian((81, 101), (8.0, 95.0), flux=150.0)
    noise = np.random.default_rng(4).normal(0, 0.02, (3, 81, 101)).astype(np.float32)
    source = find_source(cube(plane) + noise)
    assert source is not None
    assert source.center == pytest.approx((44.0, 47.0), abs=1.5)
    assert 3.0 * 2 < source.radius < 3.0 * 5
    assert source.neighbours[8, 95]
    assert not source.neighbours[44, 47]
    assert find_source(np.zeros((3, 40, 40), dtype=np.float32)) is None


def test_a_known_change_is_measured_as_such():
    shape, noise = (121, 121), np.random.default_rng(5).normal(0, 0.005, (2, 3, 121, 121))
    truth = gaussian(shape, (58.0, 63.0), (4.0, 3.0), 0.3)
    bigger = gaussian(shape, (58.6, 62.2), (6.0, 4.5), 0.3, flux=80.0)
    truth_cube = (cube(truth) + noise[0] + 5.0).astype(np.float32)
    changed = (cube(bigger) + noise[1] - 3.0).astype(np.float32)
    errors = source_errors(truth_cube, changed)
    source = find_source(truth_cube)
    assert source is not None
    inside = [aperture_flux(plane, source.center, source.radius) for plane in (truth, bigger)]
    assert errors["flux_ratio"] == pytest.approx(inside[1] / inside[0], rel=0.02)
    assert 1.3 < errors["half_light_radius_ratio"] < 1.55
    assert errors["centroid_error"] == pytest.approx(1.0, abs=0.1)
    rounder = source_errors(truth_cube, (cube(gaussian(shape, (58, 63), (3.5, 3.5))) + noise[1]))
    q = 3.0 / 4.0
    assert 0.3 < rounder["ellipticity_error"] / ((1 - q**2) / (1 + q**2)) < 1.0


def test_equal_images_have_no_errors_on_real_sky():
    truth = galaxies()
    restored = truth.copy()
    restored[:, 20:24, 30:37] = np.nan
    errors = source_errors(truth, restored)
    assert errors == pytest.approx(
        {
            "flux_ratio": 1.0,
            "half_light_radius_ratio": 1.0,
            "centroid_error": 0.0,
            "ellipticity_error": 0.0,
        },
        abs=1e-6,
    )


def test_a_neighbours_change_is_not_the_sources():
    noise = np.random.default_rng(8).normal(0, 0.03, (2, 3, 101, 101))
    # The round aperture of a galaxy seen edge-on reaches over what lies above its disc.
    galaxy = gaussian((101, 101), (50.0, 50.0), (10.0, 2.0), flux=300.0)
    neighbour = gaussian((101, 101), (68.0, 50.0), (1.2, 1.2), flux=60.0)
    truth = (cube(galaxy + neighbour) + noise[0]).astype(np.float32)
    without = (cube(galaxy) + noise[1]).astype(np.float32)
    source = find_source(truth)
    assert source is not None
    assert source.neighbours[68, 50]
    assert source.radius > 20.0
    assert source_errors(truth, without)["flux_ratio"] == pytest.approx(1.0, abs=0.03)


def test_a_clump_belongs_to_the_galaxy_and_a_faint_star_beside_it_does_not():
    noise = np.random.default_rng(12).normal(0, 0.03, (3, 101, 101))
    galaxy = gaussian((101, 101), (50.0, 50.0), (12.0, 5.0), flux=900.0)
    clump = gaussian((101, 101), (50.0, 60.0), (1.5, 1.5), flux=60.0)
    star = gaussian((101, 101), (78.0, 50.0), (1.2, 1.2), flux=4.0)
    source = find_source((cube(galaxy + clump + star) + noise).astype(np.float32))
    assert source is not None
    assert source.neighbours[78, 50]
    assert not source.neighbours[50, 60]


def test_colour_errors_are_the_change_of_magnitudes_between_bands():
    truth = SkyImage(cube(gaussian()), bands=("g", "r", "i"), unit="nanomaggy")
    factors = np.array([1.0, 0.5, 1.2], dtype=np.float32)[:, None, None]
    errors = measure(truth.with_flux(truth.flux * factors), truth)
    assert errors["colour_error_g_r"] == pytest.approx(2.5 * np.log10(1 / 0.5), abs=2e-3)
    expected = (1.0 + 1.5 * 0.5 + 2.0 * 1.2) / 4.5
    assert errors["flux_ratio"] == pytest.approx(expected, rel=1e-3)
    assert errors["colour_error_r_i"] == pytest.approx(2.5 * np.log10(1.2 / 0.5), abs=2e-3)
    grey = measure(truth.with_flux(truth.flux * np.float32(0.7)), truth)
    assert max(grey["colour_error_g_r"], grey["colour_error_r_i"]) < 1e-3

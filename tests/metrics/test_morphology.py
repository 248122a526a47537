"""Structure of Sérsic galaxies whose size and shape are known, and of what is no galaxy."""

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.optimize import brentq
from scipy.special import gammainc, gammaincinv

from pellucid.errors import InputError
from pellucid.metrics.morphology import (
    FLAGS,
    NO_SOURCE,
    central_segment,
    morphology,
    morphology_errors,
)

SIDE, RADIUS = 71, 5.0
CHANGES = ("ellipticity", "concentration", "gini", "m20")


def sersic(index: float, ellipticity: float = 0.3, angle: float = 0.5, side: int = SIDE):
    """A Sérsic galaxy of semi-major half-light radius 5 behind a PSF of 1.2 pixels FWHM; flux 1
    a pixel at that radius."""
    over = 8  # even: no sample falls on the cusp itself
    offset = (np.arange(side * over) + 0.5) / over - side / 2
    y, x = np.meshgrid(offset, offset, indexing="ij")
    along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    radius = np.hypot(along, across / (1.0 - ellipticity)) / RADIUS
    fine = np.exp(-gammaincinv(2 * index, 0.5) * (radius ** (1.0 / index) - 1.0))
    fine = gaussian_filter(fine, 0.5 * over)
    return fine.reshape(side, over, side, over).mean(axis=(1, 3))


def noise(seed: int, sigma: float, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, sigma, (side, side))


@pytest.mark.parametrize("ellipticity", [0.1, 0.55])
def test_an_exponential_disc_has_its_size_and_shape(ellipticity):
    found = morphology(sersic(1.0, ellipticity) + noise(0, 1e-3))
    assert found["half_light_radius"] == pytest.approx(RADIUS, rel=0.03)
    assert found["ellipticity"] == pytest.approx(ellipticity, abs=0.02)
    # Of a round exponential disc within 1.5 Petrosian radii (Bershady et al. 2000: 2.7).
    assert found["concentration"] == pytest.approx(2.7, abs=0.25)
    assert FLAGS[int(found["flag"])] == "good"


def test_a_cusp_is_more_concentrated_and_its_size_is_that_of_the_light_in_reach():
    index, reach = 4.0, 15.0
    disc, cusp = (morphology(sersic(n) + noise(1, 0.005), reach=reach) for n in (1.0, index))
    assert cusp["gini"] > disc["gini"] + 0.08
    assert cusp["concentration"] > disc["concentration"] + 0.8
    assert cusp["m20"] < disc["m20"] - 0.2
    scale = gammaincinv(2 * index, 0.5)

    def light(radius: float) -> float:
        return float(gammainc(2 * index, scale * (radius / RADIUS) ** (1 / index)))

    half = brentq(lambda radius: light(radius) - 0.5 * light(reach), 0.1, reach)
    assert cusp["half_light_radius"] == pytest.approx(half, rel=0.05)
    assert cusp["reach"] == reach


def test_numbers_are_statmorphs():
    import statmorph

    plane = sersic(1.5, side=61) + noise(2, 0.02, 61)
    segment = central_segment(plane)
    assert segment is not None
    found = morphology(plane, segment)
    level = np.median(plane[segment == 0])
    theirs = statmorph.SourceMorphology(plane - level, segment, 1, gain=1.0, n_sigma_outlier=0)
    assert found["half_light_radius"] == pytest.approx(theirs.rhalf_ellip, rel=0.02)
    for name in ("concentration", "gini", "m20"):
        assert found[name] == pytest.approx(getattr(theirs, name), rel=0.01)
    assert found["ellipticity"] == pytest.approx(theirs.ellipticity_asymmetry, abs=0.005)


def test_neither_turning_nor_another_unit_changes_anything():
    plane = sersic(2.0) + 0.5 * np.roll(sersic(1.0, 0.0), (5, -4), (0, 1)) + noise(3, 0.02)
    found = morphology(plane)
    other = morphology(1e-9 * plane + 1e-8)
    turned = morphology(np.rot90(plane))
    for name, value in found.items():
        assert other[name] == pytest.approx(value, rel=1e-2), name
        assert turned[name] == pytest.approx(value, rel=0.03), name


def test_a_perfect_restoration_of_a_noisy_truth_has_no_errors():
    clean = sersic(2.5)
    truth = clean + noise(4, 0.06)
    errors = morphology_errors(truth, clean)
    assert errors["rhalf_ratio"] == pytest.approx(1.0, abs=0.06)
    assert errors["morphology_flag"] < 2
    for name, margin in zip(CHANGES, (0.03, 0.15, 0.03, 0.15), strict=True):
        assert abs(errors[f"{name}_difference"]) < margin, name
    # Followed as far as each can be seen, the same galaxy would seem larger without the noise.
    segment = central_segment(truth)
    sizes = [morphology(plane, segment)["half_light_radius"] for plane in (truth, clean)]
    assert sizes[1] / sizes[0] > 1.1


def test_a_blurred_galaxy_is_larger_rounder_and_less_concentrated():
    truth = sersic(2.0, 0.5) + noise(5, 0.02)
    errors = morphology_errors(truth, gaussian_filter(truth, 2.5))
    assert errors["rhalf_ratio"] > 1.1
    assert errors["ellipticity_difference"] < -0.03
    assert errors["concentration_difference"] < -0.3
    assert errors["gini_difference"] < -0.03
    same = morphology_errors(truth, truth)
    assert same["rhalf_ratio"] == 1.0
    assert all(same[f"{name}_difference"] == 0.0 for name in CHANGES)


def test_a_neighbour_and_a_hole_are_left_out():
    plane = sersic(1.0) + noise(6, 0.02)
    alone = morphology(plane)
    y, x = np.mgrid[:SIDE, :SIDE]
    beside = plane + 30.0 * np.exp(-0.5 * ((y - 35) ** 2 + (x - 58) ** 2) / 1.5**2)
    segment = central_segment(beside)
    assert segment is not None
    assert (segment[35, 35], segment[35, 58], segment[5, 5]) == (1, 2, 0)
    beside[20:24, 50:56] = np.nan
    found = morphology(beside)
    for name in ("half_light_radius", "ellipticity", "concentration", "gini", "m20"):
        assert found[name] == pytest.approx(alone[name], rel=0.06), name


def odd() -> dict[str, np.ndarray]:
    shape = (40, 32)
    y, x = np.mgrid[:40, :32].astype(float)
    radius = np.hypot(y - 19.5, x - 15.5)
    spot = 50.0 * np.exp(-0.5 * radius**2 / 4)
    rng = np.random.default_rng(7)
    hot = np.zeros(shape)
    hot[20, 16] = 100.0
    return {
        "nothing": np.zeros(shape),
        "constant": np.full(shape, 3.0),
        "no data": np.full(shape, np.nan),
        "noise": rng.normal(size=shape),
        "one pixel": hot,
        "negative": -spot,
        "slope": x,
        "checks": (x + y) % 2,
        "tiny": np.arange(25.0).reshape(5, 5),
        "line": np.arange(12.0).reshape(1, 12),
        "full": np.hypot(y, x)[::-1] + spot,
        "ring": np.exp(-((radius - 9.0) ** 2)) + rng.normal(0, 0.01, shape),
        "hollow": spot - 40.0 * np.exp(-0.5 * radius**2) + rng.normal(0, 0.01, shape),
        "huge": 1e30 * spot,
        "infinite": np.where(spot > 45, np.inf, spot),
    }


@pytest.mark.parametrize("name", odd())
def test_no_image_is_too_odd(name):
    found = morphology(odd()[name])
    assert found["flag"] in FLAGS
    if found["flag"] >= 4:
        assert all(math.isnan(value) for key, value in found.items() if key != "flag")


@pytest.mark.parametrize("name", ["nothing", "noise", "negative"])
def test_no_restoration_is_too_odd(name):
    restored = odd()[name][:32, :32]
    errors = morphology_errors(sersic(1.0, side=32), restored)
    assert errors["morphology_flag"] >= 2
    assert all(math.isnan(errors[key]) for key in errors if key != "morphology_flag")


def test_nothing_at_the_centre_is_said():
    plane = np.roll(sersic(1.0, side=61), 20, 1) + noise(8, 0.05, 61)
    assert central_segment(plane) is None
    errors = morphology_errors(plane, plane)
    assert errors["morphology_flag"] == NO_SOURCE
    assert all(math.isnan(errors[key]) for key in errors if key != "morphology_flag")


def test_shapes_that_differ_are_refused():
    plane = np.zeros((20, 20))
    with pytest.raises(InputError, match="one plane"):
        morphology(plane[None])
    with pytest.raises(InputError, match="one grid"):
        morphology_errors(plane, plane[:10])

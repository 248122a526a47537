"""What a restoration has too much of is scaled to what was seen; what noise explains stays."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.optics import convolve
from pellucid.restoration.doubt import doubt_of
from pellucid.restoration.explained import explained
from pellucid.sky import gaussian_psf

BLUR = gaussian_psf(4.5, 1.0).for_bands(1)
PLACES = [(y, x) for y in (20, 50, 80) for x in (20, 50, 80)]


@pytest.fixture(scope="module")
def truth():
    y, x = np.indices((100, 100), dtype=np.float32)
    rng = np.random.default_rng(1)
    peaks = np.exp(rng.uniform(np.log(100.0), np.log(20000.0), len(PLACES)))
    stars = [
        peak * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 1.8)
        for peak, (row, column) in zip(peaks, PLACES, strict=True)
    ]
    return np.sum(stars, axis=0, dtype=np.float32)[None]


@pytest.fixture(scope="module")
def seen(truth):
    noise = np.random.default_rng(2).normal(0.0, 1.0, truth.shape)
    return (convolve(truth, BLUR) + noise).astype(np.float32)


def fluxes(image):
    return np.array([image[0, y - 9 : y + 10, x - 9 : x + 10].sum() for y, x in PLACES])


@pytest.mark.parametrize("factor", [0.7, 0.9, 1.25])
def test_stars_of_the_wrong_brightness_get_that_of_the_image(truth, seen, factor):
    found = explained(np.float32(factor) * truth, seen, BLUR, np.ones_like(seen))
    # Some standard deviations of the noise, and a hundredth, may be chance.
    np.testing.assert_allclose(fluxes(found), fluxes(truth), rtol=0.01, atol=60.0)


def test_a_restoration_that_explains_the_image_is_left_alone(truth, seen):
    same = explained(truth, seen, BLUR, np.ones_like(seen))
    np.testing.assert_allclose(same, truth, atol=0.05)


def test_pixels_without_data_contradict_nothing(truth, seen):
    weight = np.ones_like(seen)
    weight[:, 15:26, 15:26] = 0.0
    spoiled = np.where(weight > 0, seen, np.float32(9e5))
    np.testing.assert_allclose(explained(truth, spoiled, BLUR, weight), truth, atol=0.05)


def test_a_core_that_no_star_explains_stays_as_it_was(truth, seen):
    """As pipelines patch saturated stars: rows of values that no psf makes of any sky."""
    patched, lost = seen.copy(), truth.copy()
    core = np.s_[0, 46:55, 46:55]
    patched[core] = 4000.0 * np.random.default_rng(3).random((9, 9))
    lost[0, 40:61, 40:61] = 5.0
    found = explained(lost, patched, BLUR, np.ones_like(seen))
    light = patched[core].sum()
    assert found[0, 40:61, 40:61].sum() == pytest.approx(light, rel=0.05)
    np.testing.assert_allclose(found[core], patched[core], rtol=0.1, atol=200.0)
    np.testing.assert_allclose(found[0, :12], lost[0, :12], atol=0.05)
    doubt = doubt_of(found, np.ones_like(found), patched, BLUR, np.ones_like(found)).doubt
    assert doubt[core].mean() > 0.95


@pytest.mark.parametrize("sign", [(1, 0), (0, 1), (1, 1)])
def test_around_what_the_image_contradicts_nothing_alternates(sign):
    """Where a psf is not quite what was told, a network draws a lattice on a star's wings."""
    y, x = np.indices((96, 96)) - 48.0
    radius = np.hypot(x, y)
    wings = (1000.0 * np.exp(-radius / 6.0))[None].astype(np.float32)
    star = wings + np.float32(1e5) * np.exp(-(radius**2) / 1.8).astype(np.float32)
    given = convolve(star, BLUR) + np.random.default_rng(1).normal(size=star.shape)
    alternating = (-1.0) ** (sign[0] * x + sign[1] * y)
    drawn = (1.2 * star * (1.0 + 0.1 * alternating)).astype(np.float32)
    found = explained(drawn, given.astype(np.float32), BLUR, np.ones_like(drawn))
    ring = (radius > 7) & (radius < 12)
    assert (drawn[0] / wings[0])[ring].std() > 0.1
    assert (found[0] / wings[0])[ring].std() < 0.03
    assert found[0, ring].sum() == pytest.approx(wings[0, ring].sum(), rel=0.1)

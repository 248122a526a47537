"""Doubt: what the image contradicts is marked, what it bears out is not."""

from __future__ import annotations

import numpy as np
import pytest
from patches import galaxies

from pellucid.optics import convolve
from pellucid.restoration.doubt import doubt_of, in_words
from pellucid.sky import gaussian_psf

BLUR = gaussian_psf(4.0, 1.0).stamps
GHOST = gaussian_psf(2.25, 1.0).stamps[0]


@pytest.fixture(scope="module")
def scene():
    """A galaxy, what is seen of it with a noise of 1, and how well its mean could be known."""
    (_, image), *_ = galaxies(1, 96)
    flux = image.flux[:1] - np.median(image.flux[:1])
    truth = (60.0 * flux / flux.max()).astype(np.float32)
    truth = convolve(truth, gaussian_psf(2.25, 1.0).for_bands(1), "reflect")
    noise = np.random.default_rng(3).standard_normal(truth.shape).astype(np.float32)
    return truth, convolve(truth, BLUR, "reflect") + noise


def doubted(scene, restored, weight=None, uncertainty=1.5):
    truth, given = scene
    weight = np.ones_like(truth) if weight is None else weight
    return doubt_of(restored, np.full_like(truth, uncertainty), given, BLUR, weight)


def test_the_truth_explains_the_image(scene):
    found = doubted(scene, scene[0])
    assert (found.doubt > 0.5).mean() < 0.01
    assert found.reduced[0] == pytest.approx(1.0, abs=0.2)
    assert np.median(found.chi2) == pytest.approx(1.0, abs=0.1)
    assert 0.8 < found.significance.std() < 1.2


@pytest.mark.parametrize("peak", [20.0, 60.0, 300.0])
def test_planted_ghosts_are_marked_bright_and_faint(scene, peak):
    """Bright ones the image contradicts; faint ones would not stand out of its noise."""
    truth, _ = scene
    rng = np.random.default_rng(5)
    marked = []
    for _ in range(20):
        row, column = rng.integers(10, 86, 2)
        restored = truth.copy()
        half = len(GHOST) // 2
        window = restored[0, row - half : row + half + 1, column - half : column + half + 1]
        window += np.float32(peak / GHOST.max()) * GHOST
        marked.append(doubted(scene, restored).doubt[0, row, column] > 0.5)
    assert np.mean(marked) >= 0.95


def test_pixels_without_data_are_doubted_and_contradict_nothing(scene):
    truth, given = scene
    weight = np.ones_like(truth)
    weight[:, 40:50] = 0.0
    wrong = given.copy()
    wrong[:, 40:50] = 1e4
    found = doubted((truth, wrong), truth, weight)
    assert (found.doubt[:, 40:50] == 1.0).all()
    assert (found.doubt[:, :30] > 0.5).mean() < 0.01
    assert found.reduced[0] == pytest.approx(1.0, abs=0.25)


def test_a_misfit_beyond_all_numbers_is_doubted_without_a_warning():
    seen = np.zeros((1, 40, 40), dtype=np.float32)
    seen[0, 20, 20] = 1e25
    stamps = gaussian_psf(4.5, 1.0).for_bands(1)
    ones = np.ones_like(seen)
    with np.errstate(all="raise", under="ignore"):
        found = doubt_of(np.zeros_like(seen), ones, seen, stamps, ones)
    assert np.isfinite(found.chi2).all()
    assert found.doubt[0, 20, 20] == 1.0


def test_what_is_no_number_explains_nothing():
    assert "does not explain" in in_words(0.0, [float("nan")], ["r"])

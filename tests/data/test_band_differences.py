"""The bands of a view: each may have its own blur and depth, and there may be fewer of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from truths import truth_store

from pellucid.data.band_differences import BandRecipe
from pellucid.data.scenes import ScenePairs, SceneRecipe
from pellucid.optics import convolve

ALIKE = {"own_blur": 0.0, "own_depth": 0.0}
ORDERED = {"turned": 0.0, "mixed": 0.0, "pairs": 0.0, "single": 0.0}
NOISELESS = {"enlarged": 0.0, "photons": 0.0, "uneven": 0.0, "damaged": 0.0, "dazzling": 0.0}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return truth_store(tmp_path_factory.mktemp("truth") / "truth.h5")


def views(store, count=12, **changes):
    recipe = SceneRecipe(size=64, **NOISELESS, bands=BandRecipe(**changes))
    pairs = ScenePairs(store, recipe)
    return [pairs.draw(k % len(store), np.random.default_rng(k)) for k in range(count)]


def test_each_band_is_seen_through_its_own_kernel(store):
    for pair in views(store, own_blur=1.0, **ORDERED):
        assert len(pair.blur.stamps) == 3
        left = pair.blurred.flux - convolve(pair.sharp.flux, pair.blur.stamps, "reflect")
        assert_allclose(left.std(axis=(1, 2)), 1.0, atol=0.25)
    widths = [[view.blur.stamps[k].max() for k in range(3)] for view in views(store, own_blur=1.0)]
    assert np.std(np.log(widths), axis=1).mean() > 0.1


def test_bands_in_another_order_are_the_same_view(store):
    """Blur, noise and truth go with the band."""
    ordered = views(store, own_blur=1.0, **ORDERED)
    for before, after in zip(
        ordered, views(store, own_blur=1.0, **{**ORDERED, "turned": 1.0}), strict=True
    ):
        assert_array_equal(after.blurred.flux, before.blurred.flux[::-1])
        assert_array_equal(after.sharp.flux, before.sharp.flux[::-1])
        assert_array_equal(after.blur.stamps, before.blur.stamps[::-1])


def test_one_band_stands_in_all_places_with_its_noise(store):
    for pair in views(store, **{**ORDERED, "single": 1.0}):
        assert_array_equal(pair.blurred.flux[0], pair.blurred.flux[2])
        assert_array_equal(pair.sharp.flux[0], pair.sharp.flux[1])
    for pair in views(store, **{**ORDERED, "pairs": 1.0}):
        assert_array_equal(pair.blurred.flux[1], pair.blurred.flux[2])
        assert (pair.blurred.flux[0] != pair.blurred.flux[1]).any()


def test_as_often_as_the_recipe_says(store):
    recipe, rng = BandRecipe(), np.random.default_rng(1)
    orders = [tuple(recipe.order(3, rng)) for _ in range(4000)]
    counts = {order: orders.count(order) / 4000 for order in set(orders)}
    assert counts[2, 1, 0] == pytest.approx(recipe.turned + recipe.mixed / 6, abs=0.03)
    kinds = np.array([len(set(order)) for order in orders])
    assert (kinds == 1).mean() == pytest.approx(recipe.single, abs=0.03)
    assert (kinds == 2).mean() == pytest.approx(recipe.pairs, abs=0.03)
    assert {recipe.order(1, rng)[0] for _ in range(20)} == {0}


def test_bands_have_depths_of_their_own(store):
    alike = views(store, **ALIKE, **ORDERED)
    apart = views(store, **{**ALIKE, "own_depth": 1.0}, **ORDERED)

    def colours(pairs):
        light = np.array([pair.sharp.flux.max(axis=(1, 2)) for pair in pairs])
        return np.log(light[:, 1:] / light[:, :1])

    assert np.std(colours(apart)) > np.std(colours(alike)) + 0.2

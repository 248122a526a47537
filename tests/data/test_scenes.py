"""Truth and the scenes that are drawn from it: y = blur ⊛ t + n, whatever is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from patches import galaxies
from scipy.ndimage import affine_transform, zoom
from truths import truth_store

from pellucid.data.band_differences import BandRecipe
from pellucid.data.halving import enlarge, shrink
from pellucid.data.kernels import made_kernel
from pellucid.data.scenes import ScenePairs, SceneRecipe
from pellucid.data.truth import Truth, open_truth, write_truth
from pellucid.errors import InputError
from pellucid.optics import convolve
from pellucid.sky import PSF

PLAIN = {"enlarged": 0.0, "correlated": 0.0, "photons": 0.0, "uneven": 0.0, "damaged": 0.0}
THREE = BandRecipe(pairs=0.0, single=0.0)
RECIPE = SceneRecipe(size=64, margin=0, peak=(20.0, 200.0), dazzling=0.0)


def noise_of(pair):
    """What is left of a view without its scene, which the factor of its scale does not touch."""
    return pair.blurred.flux - convolve(pair.sharp.flux, pair.blur.for_bands(3), "reflect")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return truth_store(tmp_path_factory.mktemp("truth") / "truth.h5")


def draws(store, count: int = 24, **changes):
    pairs = ScenePairs(store, replace(RECIPE, **changes))
    return [pairs.draw(k % len(store), np.random.default_rng(k)) for k in range(count)]


def test_truth_comes_back_above_its_sky_and_below_one(store):
    for index, (name, image) in enumerate(galaxies(6, 72)):
        assert store.ids[index] == f"hdf/{name}"
        flux = store.flux(index)
        assert flux.max() == pytest.approx(1.0, abs=1e-3)
        for plane, whole in zip(flux, image.flux, strict=True):
            assert np.corrcoef(plane.ravel(), whole.ravel())[0, 1] > 0.9999


def test_images_of_any_size_are_stored_and_empty_ones_are_not(tmp_path):
    sizes = [(40, 40), (9, 60)]
    rng = np.random.default_rng(1)
    objects = [Truth(f"o/{k}", rng.random((3, *size)), 2.0) for k, size in enumerate(sizes)]
    objects.append(Truth("o/dark", np.zeros((3, 8, 8)), 2.0))
    assert write_truth(tmp_path / "a.h5", objects) == 2
    assert [open_truth(tmp_path / "a.h5").flux(k).shape[1:] for k in (0, 1)] == sizes
    with pytest.raises(InputError, match="no image of truth"):
        write_truth(tmp_path / "b.h5", objects[2:])


def test_what_is_seen_is_the_sharp_scene_blurred_and_noise_of_about_one(store):
    spreads = []
    for pair in draws(store, 40, **PLAIN):
        noise = noise_of(pair)
        assert abs(noise.mean()) < 0.06
        assert_allclose(pair.blurred.variance, 1.0)
        spreads.append(noise.std())
    assert np.mean(spreads) == pytest.approx(1.0, abs=0.03)
    assert 0.02 < np.std(spreads) < 0.07  # nobody knows the noise to the last digit


def test_light_comes_in_from_beyond_the_frame(store):
    inside, edges = [], {0: [], 16: []}
    for margin, found in edges.items():
        for pair in draws(store, 40, **PLAIN, margin=margin, neighbours=8, blur=(3.0, 4.0)):
            noise = noise_of(pair)
            found.append(np.r_[noise[:, :2].ravel(), noise[:, -2:].ravel()].std())
            inside.append(noise[:, 16:-16, 16:-16].std())
    assert np.mean(inside) == pytest.approx(1.0, abs=0.03)
    assert np.mean(edges[0]) == pytest.approx(1.0, abs=0.03)
    assert np.mean(edges[16]) > 1.1


def neighbours(noise):
    return np.corrcoef(noise[..., 1:].ravel(), noise[..., :-1].ravel())[0, 1]


def test_smooth_noise_has_the_same_spread(store):
    noises = [noise_of(pair) for pair in draws(store, **{**PLAIN, "correlated": 1.0}, count=12)]
    for noise in noises:
        assert noise.std() == pytest.approx(1.0, rel=0.15)
    assert np.mean([neighbours(noise) for noise in noises]) > 0.1


def test_an_enlarged_view_has_the_noise_of_its_own_pixels(store):
    for pair in draws(store, **{**PLAIN, "enlarged": 1.0}, blur=(4.0, 6.0), count=6):
        noise = noise_of(pair)
        assert neighbours(noise) > 0.5
        assert noise.reshape(3, 32, 2, 32, 2).mean(axis=(2, 4)).std() == pytest.approx(0.8, rel=0.2)


def test_a_spline_through_pixels_gives_a_well_sampled_star_back():
    star = made_kernel(6.0, np.random.default_rng(0))[None]
    again = enlarge(shrink(star), star.shape)
    assert_allclose(again, star, atol=2.5e-3 * star.max())
    assert shrink(star).shape[1] == (star.shape[1] + 1) // 2


def test_the_splines_are_those_of_scipy():
    planes = np.random.default_rng(2).standard_normal((2, 21, 34)).astype(np.float32)
    wide = zoom(planes, (1, 2, 2), order=5, mode="mirror", grid_mode=True)
    assert_allclose(enlarge(planes, (2, 41, 68)), wide[:, :41], atol=1e-5)
    half = [affine_transform(p, (2, 2), 0.5, (11, 17), order=5, mode="mirror") for p in planes]
    assert_allclose(shrink(planes), half, atol=1e-5)


def test_photons_add_to_the_noise_and_the_variance_tells(store):
    told, spreads = 0, []
    for pair in draws(store, **{**PLAIN, "photons": 1.0}, count=12):
        seen = convolve(pair.sharp.flux, pair.blur.for_bands(3), "reflect")
        spreads.append(noise_of(pair)[seen > 10.0].std())
        variance = pair.blurred.variance
        if variance.max() > 1.0:
            told += 1
            expected = noise_of(pair) / np.sqrt(variance)
            assert expected.std() == pytest.approx(1.0, rel=0.15)
    assert np.mean(spreads) > 1.05
    assert 3 < told < 12


def test_pixels_without_data_are_filled_and_told(store):
    masked = [pair.blurred.mask.mean() for pair in draws(store, **{**PLAIN, "damaged": 1.0})]
    assert 0.0 < np.mean(masked) < 0.1
    for pair in draws(store, **{**PLAIN, "damaged": 1.0}, count=4):
        assert np.isfinite(pair.blurred.flux).all()


def test_kernels_have_the_widths_that_are_asked_for(store):
    found = [pair.blur.fwhm for pair in draws(store, 60, blur=(3.0, 6.0), real=0.4)]
    assert 2.2 < min(found) < 3.6
    assert 5.0 < max(found) < 7.5


def test_a_scene_is_a_function_of_object_and_seed(store):
    pairs = ScenePairs(store, RECIPE)
    one, again, other = pairs.pair(2, seed=1), pairs.pair(2, seed=1), pairs.pair(2, seed=2)
    assert_array_equal(one.blurred.flux, again.blurred.flux)
    assert_array_equal(one.sharp.flux, again.sharp.flux)
    assert not np.array_equal(one.sharp.flux, other.sharp.flux)


def test_the_brightest_pixel_stands_as_far_above_the_noise_as_asked(store):
    """Or less, where the truth's own noise would show beside that of the view."""
    peaks = []
    for pair in draws(store, peak=(15.0, 30.0), bands=THREE):
        peaks.append(convolve(pair.sharp.flux, pair.blur.for_bands(3), "reflect").max())
    assert 13.0 < min(peaks) < 20.0
    assert 25.0 < max(peaks) < 34.0


def test_a_dazzling_star_outshines_all_else(store):
    for pair in draws(store, dazzling=1.0, brightest=(1000.0, 3000.0), bands=THREE):
        seen = convolve(pair.sharp.flux, pair.blur.for_bands(3), "reflect")
        assert 800.0 < seen.max() < 3700.0
        assert pair.sharp.flux.max() > seen.max()


def test_a_trailed_kernel_is_as_wide_as_asked_and_longer_than_others():
    kernels = [made_kernel(5.0, np.random.default_rng(k)) for k in range(300)]
    lengths = [elongation(kernel) for kernel in kernels]
    assert 0.03 < np.mean(np.array(lengths) > 1.45) < 0.2
    widths = [PSF(kernel, 1.0).fwhm for kernel in kernels]
    assert_allclose(widths, 5.0, rtol=0.2)


def elongation(kernel):
    """Length over width of the part above half of the peak."""
    y, x = np.nonzero(kernel > 0.5 * kernel.max())
    short, long = np.linalg.eigvalsh(np.cov(y, x))
    return np.sqrt(long / short)


def test_some_views_have_one_noise_in_all_bands(store):
    for pair in draws(store, **PLAIN, shared=1.0, count=3):
        noise = noise_of(pair)
        assert_allclose(noise[1], noise[0], atol=1e-3)

"""What a restorer leaves as it is: flux it cannot know better, units, bands, holes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import pellucid
from pellucid.errors import InputError, UsageError
from pellucid.restoration import ClassicalRestorer, NeuralRestorer
from pellucid.restoration.holes import with_restored
from pellucid.sky import PSF, gaussian_psf, robust_background
from pellucid.sky.image import SkyImage
from pellucid.stretch import stretch_from_dict

FEW = settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def identity(tiles: np.ndarray) -> np.ndarray:
    assert tiles.dtype == np.float32
    assert np.isfinite(tiles).all()
    assert np.abs(tiles).max() <= 1.0
    return tiles


def sharpen(tiles: np.ndarray) -> np.ndarray:
    """Something of a network's kind: local, not linear, each channel for itself."""
    smooth = gaussian_filter(tiles, (0, 0, 1, 1), mode="nearest")
    return np.tanh(1.5 * tiles - 0.5 * smooth).astype("f4")


def each_channel_otherwise(tiles: np.ndarray) -> np.ndarray:
    return (tiles * np.array([0.9, 0.7, 0.5], "f4")[:, None, None]).astype("f4")


def noisy(height: int, width: int, seed: int = 0) -> SkyImage:
    """A bright source and a faint one on a noisy sky, one band brighter than the other."""
    y, x = np.mgrid[:height, :width]
    light = 900 * np.exp(-((y - height / 2) ** 2 + (x - width / 3) ** 2) / 8)
    light += 20 * np.exp(-((y - height / 4) ** 2 + (x - width / 2) ** 2) / 30)
    noise = np.random.default_rng(seed).normal(0, 1, (3, height, width))
    flux = light * np.array([0.4, 0.7, 1.0])[:, None, None] + noise + 5.0
    return SkyImage(flux, bands=("g", "r", "i"), pixel_scale=0.396)


@pytest.fixture
def same(card):
    """A restorer whose network gives back what it gets."""
    return NeuralRestorer(card, identity, "0" * 64)


# --- the identity comes through --------------------------------------------------------------


@FEW
@given(st.integers(6, 110), st.integers(6, 110), st.integers(0, 9))
def test_an_identity_network_returns_the_image(same, relative_difference, height, width, seed):
    """Smaller than a tile of 32 pixels, odd, and larger than several."""
    image = noisy(height, width, seed)
    result = same(image)
    assert result.image.shape == image.shape
    assert result.image.flux.dtype == np.float32
    assert relative_difference(result.image.flux, image.flux, 1.0) < 2e-5


@pytest.mark.parametrize("value", [1e5, -1e4, 3e6])
def test_flux_beyond_the_networks_range_is_not_lost(same, relative_difference, value):
    """The card's stretch ends at 1000 σ; what is brighter, or far below the sky, passes by."""
    image = noisy(50, 60)
    flux = image.flux.copy()
    flux[:, 20:23, 30] = value
    result = same(image.with_flux(flux)).image.flux
    assert relative_difference(result, flux, 1.0) < 2e-5


def test_a_clipped_stretch_loses_no_flux_either(card, galaxy, relative_difference):
    card = replace(card, stretch={"name": "galaxygan"})
    flux = galaxy.flux.copy()
    flux[:, 5, 5], flux[:, 6, 6] = 300.0, -700.0
    result = NeuralRestorer(card, identity, "")(galaxy.with_flux(flux)).image.flux
    assert relative_difference(result, flux, 0.02) < 2e-5


@pytest.mark.parametrize("clip", [True, False])
def test_noise_below_the_clipped_range_is_not_put_back(card, clip):
    """What a network smoothed stays smooth, however noisy the image was."""
    card = replace(card, stretch={"name": "galaxygan", "clip": clip})
    flux = np.random.default_rng(0).normal(0.0, 0.5, (3, 64, 64)).astype(np.float32)
    image = SkyImage(flux, bands=("g", "r", "i"), unit="nanomaggy", pixel_scale=0.396)
    smooth = NeuralRestorer(card, lambda tiles: np.full_like(tiles, -0.9), "")(image).image.flux
    assert smooth.std(axis=(1, 2)).max() < 1e-5
    np.testing.assert_allclose(smooth.mean(axis=(1, 2)), flux.mean(axis=(1, 2)), atol=1e-5)


def test_holes_and_masked_pixels_stay_as_they_are(same, relative_difference):
    image = noisy(70, 45)
    flux, mask = image.flux.copy(), np.zeros(image.shape, bool)
    flux[:, 10:14, 20:30] = np.nan
    flux[1, 40] = np.nan
    mask[:, 50:55, 5:9] = True
    flux[mask] = 1e7
    result = same(replace(image, flux=flux, mask=mask)).image
    np.testing.assert_array_equal(result.flux[mask], flux[mask])
    np.testing.assert_array_equal(np.isnan(result.flux), np.isnan(flux))
    good = np.isfinite(flux) & ~mask
    assert relative_difference(result.flux[good], flux[good], 1.0) < 2e-5
    np.testing.assert_array_equal(result.mask, mask)


def test_what_is_masked_does_not_reach_its_neighbours(card):
    restorer = NeuralRestorer(card, sharpen, "")
    image, mask = noisy(40, 40), np.zeros((3, 40, 40), bool)
    mask[:, 18:21, 18:21] = True
    results = []
    for value in (np.nan, -1e6, 1e9):
        flux = image.flux.copy()
        flux[mask] = value
        results.append(restorer(replace(image, flux=flux, mask=mask)).image.flux[~mask])
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_everything_but_the_flux_comes_back(same):
    image = replace(
        noisy(33, 40), unit="adu", variance=np.ones((3, 33, 40)), header=fits.Header({"A": 1})
    )
    result = same(image).image
    for name in ("bands", "unit", "variance", "header", "pixel_scale", "wcs", "mask", "layout"):
        assert getattr(result, name) is getattr(image, name)


# --- units -----------------------------------------------------------------------------------


@FEW
@given(st.floats(-4, 4), st.floats(-300, 300))
def test_another_unit_and_zero_point_give_the_same_restoration(card, exponent, offset):
    """R(a f + b) = a R(f) + b: the noise stretch measures sky and noise in the image's unit."""
    restorer = NeuralRestorer(card, sharpen, "")
    image, gain = noisy(50, 41), np.float32(10.0**exponent)
    expected = restorer(image).image.flux
    assert np.abs(expected - image.flux).max() > 10.0
    found = restorer(image.with_flux(gain * (image.flux + np.float32(offset)))).image.flux
    back = found / gain - np.float32(offset)
    assert np.max(np.abs(back - expected) / np.maximum(np.abs(expected), 1.0)) < 2e-3


def test_a_trained_network_is_as_indifferent_to_the_unit(tiny_bundle, galaxy):
    restorer = pellucid.load_restorer(tiny_bundle)
    expected = restorer(galaxy).image.flux
    found = restorer(galaxy.with_flux(1000 * galaxy.flux + 50)).image.flux
    sigma = robust_background(galaxy.flux).sigma
    assert np.abs(expected - galaxy.flux).max() > sigma
    assert np.abs((found - 50) / 1000 - expected).max() < 0.01 * sigma


def test_a_sky_without_noise_is_refused(same):
    with pytest.raises(InputError, match="sky is constant"):
        same(SkyImage(np.ones((3, 40, 40)), bands=("g", "r", "i"), pixel_scale=0.396))


# --- tiles -----------------------------------------------------------------------------------


def test_tiles_leave_no_seam(card):
    """A network that sees few pixels gives the same in tiles as in one piece."""
    image = noisy(100, 130)
    in_tiles = NeuralRestorer(card, sharpen, "")(image).image.flux
    whole = NeuralRestorer(replace(card, tile=160), sharpen, "")(image).image.flux
    # Its kernel has a sigma of one pixel; tiles of 32 pixels overlap by eight.
    assert np.abs(in_tiles - whole).max() < 0.02 * np.abs(whole - image.flux).max()


# --- bands -----------------------------------------------------------------------------------


def test_bands_in_another_order_come_back_in_that_order(card):
    restorer = NeuralRestorer(card, each_channel_otherwise, "")
    image = noisy(40, 50)
    turned = replace(image, flux=image.flux[[2, 0, 1]], bands=("i", "g", "r"))
    expected = restorer(image).image.flux[[2, 0, 1]]
    result = restorer(turned).image
    assert result.bands == ("i", "g", "r")
    np.testing.assert_allclose(result.flux, expected, rtol=1e-6)


def test_bands_without_names_are_taken_in_the_models_order(card):
    restorer = NeuralRestorer(card, each_channel_otherwise, "")
    image = noisy(40, 50)
    unnamed = replace(image, bands=())
    assert unnamed.bands == ("band1", "band2", "band3")
    np.testing.assert_array_equal(restorer(unnamed).image.flux, restorer(image).image.flux)


def test_one_band_stands_for_all(card):
    seen = []

    def watch(tiles: np.ndarray) -> np.ndarray:
        seen.append(tiles)
        return tiles * np.array([0.9, 1.0, 0.8], "f4")[:, None, None]

    image = noisy(32, 32)
    one = SkyImage(image.flux[1], bands=("F814W",), pixel_scale=0.396)
    result = NeuralRestorer(card, watch, "")(one)
    assert result.image.shape == (1, 32, 32)
    assert result.image.bands == ("F814W",)
    np.testing.assert_array_equal(seen[0][:, 0], seen[0][:, 1])
    np.testing.assert_array_equal(seen[0][:, 0], seen[0][:, 2])
    assert any("one band stood for all 3" in note for note in result.provenance["notes"])
    stretch, sky = stretch_from_dict(card.stretch), robust_background(one.flux)
    channels = [stretch.inverse(0.5 * (seen[0][0] * k + 1.0), sky) for k in (0.9, 1.0, 0.8)]
    expected = np.mean([channel[1] for channel in channels], axis=0)
    expected += one.flux.mean() - expected.mean()
    np.testing.assert_allclose(result.image.flux[0], expected, rtol=2e-4)


def test_each_band_keeps_its_total(card):
    image = noisy(50, 70)
    result = NeuralRestorer(card, lambda tiles: 0.97 * tiles - 0.01, "")(image)
    totals = image.flux.sum(axis=(1, 2)), result.image.flux.sum(axis=(1, 2))
    np.testing.assert_allclose(*totals, rtol=1e-5)
    assert np.abs(result.image.flux - image.flux).max() > 1


def test_what_is_brighter_than_in_training_passes_by(card):
    """A network that dims what it does not know takes nothing from a star."""
    image = noisy(64, 64)
    flux = image.flux.copy()
    flux[:, 30:34, 30:34] += 3000.0
    star = image.with_flux(flux)

    def dims(tiles: np.ndarray) -> np.ndarray:
        return np.where(tiles > 0.31, 0.3, tiles).astype("f4")

    result = NeuralRestorer(replace(card, ceiling=0.3), dims, "")(star)
    np.testing.assert_allclose(result.image.flux, flux, rtol=1e-4)
    assert any("brighter than any in training" in note for note in result.provenance["notes"])
    assert np.abs(NeuralRestorer(card, dims, "")(star).image.flux - flux).max() > 100


@pytest.mark.parametrize(
    ("bands", "single"),
    [(("g", "r"), True), (("u", "g", "r"), True), (("g", "r", "i", "z"), True), (("r",), False)],
)
def test_other_bands_are_refused(card, bands, single):
    restorer = NeuralRestorer(replace(card, single_band=single), identity, "")
    flux = np.random.default_rng(1).normal(size=(len(bands), 40, 40))
    with pytest.raises(InputError, match=f"the image has bands {','.join(bands)}; model untrained"):
        restorer(SkyImage(flux, bands=bands, pixel_scale=0.396))


# --- pixel scale and PSF ---------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.2, 0.37, 0.42, 4.5])
def test_another_pixel_scale_is_refused(same, scale):
    with pytest.raises(InputError, match=f'the image has {scale}" pixels'):
        same(replace(noisy(40, 40), pixel_scale=scale))


def test_an_unknown_pixel_scale_is_taken_and_noted(same):
    result = same(replace(noisy(40, 40), pixel_scale=None))
    assert "no pixel scale" in result.provenance["notes"][0]
    notes = same(replace(noisy(40, 40), pixel_scale=0.4)).provenance["notes"]
    assert not any("pixel scale" in note for note in notes)


@pytest.mark.parametrize(("blur", "noted"), [(1.5, False), (3.0, True), (0.8, True), (None, False)])
def test_a_blur_the_model_never_saw_is_noted(same, blur, noted):
    for given_blur in (blur, blur and gaussian_psf(blur, 0.396)):
        notes = same(noisy(40, 40), blur=given_blur).provenance["notes"]
        assert any("outside what the model was trained on" in note for note in notes) is noted


@pytest.mark.parametrize(("psf", "noted"), [(1.5, False), (2.6, False), (0.8, True), (5.0, True)])
def test_a_psf_is_at_least_as_broad_as_the_blur_that_a_model_undoes(same, psf, noted):
    """What stars looked like in training is not on its card."""
    for given_psf in (psf, gaussian_psf(psf, 0.396)):
        notes = same(noisy(40, 40), psf=given_psf).provenance["notes"]
        assert any("unlike that of the images in training" in note for note in notes) is noted


@pytest.mark.parametrize("method", ["wiener", "richardson-lucy", "blind"])
def test_classical_methods_need_the_psf(method):
    restorer, image = ClassicalRestorer(method), noisy(40, 44)
    with pytest.raises(InputError, match="needs the PSF: --psf"):
        restorer(image)
    note, *_ = restorer(image, psf=gaussian_psf(1.5, 0.2)).provenance["notes"]
    assert "the PSF was brought from pixels of 0.2" in note
    with pytest.raises(InputError, match="no pixel scale"):
        restorer(replace(image, pixel_scale=None), psf=1.5)
    with pytest.raises(InputError, match="must be positive"):
        restorer(image, psf=-1.0)
    expected = restorer(image, psf=1.5).image.flux
    known = gaussian_psf(1.5, 0.396)
    for ways in ({"psf": known}, {"blur": known}, {"blur": 1.5}):
        np.testing.assert_array_equal(restorer(image, **ways).image.flux, expected)
    np.testing.assert_array_equal(restorer(replace(image, psf=known)).image.flux, expected)


@pytest.mark.parametrize("method", ["wiener", "richardson-lucy"])
@pytest.mark.parametrize("kind", ["lopsided", "hole"])
def test_classical_methods_keep_the_total_of_what_has_data(deep_field, method, kind):
    """Though a lopsided PSF carries light over the edge, and a galaxy's light enters a hole."""
    image = deep_field.cutout(330, 60, 128, 128)
    stamp = gaussian_psf(1.2, image.pixel_scale).stamps[0]
    mask = np.zeros(image.shape, bool)
    if kind == "lopsided":
        stamp = stamp + 0.2 * np.roll(stamp, (1, 3), (0, 1))
    else:
        mask[:, 60:64, 100:] = True
    psf = PSF(stamp, image.pixel_scale)
    result = ClassicalRestorer(method)(replace(image, mask=mask), psf=psf).image.flux
    assert np.abs(result - image.flux).max() > 0.05
    for before, after, hole in zip(image.flux, result, mask, strict=True):
        whole = before[~hole].sum(dtype=float)
        assert after[~hole].sum(dtype=float) == pytest.approx(whole, rel=1e-5)


def test_what_a_hole_draws_in_raises_no_pedestal():
    """The wings of a bright star may go into its masked core: the sky shall not make up for it."""
    mask = np.zeros((3, 40, 44), bool)
    mask[:, 10:14, 10:14] = True
    image = noisy(40, 44)
    wings = np.zeros((40, 44), np.float32)
    wings[8:16, 8:16] = 500.0
    wings[10:14, 10:14] = -1500.0  # into the hole: as much as the ring about it has
    drawn = image.flux - wings
    kept = with_restored(replace(image, mask=mask), drawn, image).flux - image.flux
    assert np.abs(kept[~mask]).max() < 0.01
    half = with_restored(replace(image, mask=mask), drawn + 0.5 * wings, image).flux
    assert np.abs(half - image.flux)[:, 25:].max() == 0.0
    assert half.sum(dtype=float) == pytest.approx(image.flux.sum(dtype=float), rel=1e-6)


def test_classical_methods_keep_holes_and_masks():
    image, mask = noisy(40, 44), np.zeros((3, 40, 44), bool)
    flux = image.flux.copy()
    flux[:, 3, 3] = np.nan
    mask[:, 30, 30] = True
    flux[mask] = 1e8
    result = ClassicalRestorer("wiener")(replace(image, flux=flux, mask=mask), psf=1.5).image.flux
    np.testing.assert_array_equal(result[mask], flux[mask])
    np.testing.assert_array_equal(np.isnan(result), np.isnan(flux))
    assert np.abs(result[~mask & np.isfinite(flux)]).max() < 5000


# --- precision -------------------------------------------------------------------------------


def test_a_fast_network_that_changes_the_flux_is_not_used(card):
    """Only where it keeps the flux of the brightest tile within a hundredth."""

    def coarse(tiles: np.ndarray) -> np.ndarray:
        return np.clip(tiles + np.float32(0.05), -1, 1)

    def fine(tiles: np.ndarray) -> np.ndarray:
        return tiles + np.float32(1e-5)

    image = noisy(60, 60)
    expected = NeuralRestorer(card, identity, "")(image).image.flux
    refused = NeuralRestorer(card, coarse, "", "torch bf16", reference=identity)(image)
    np.testing.assert_array_equal(refused.image.flux, expected)
    assert "single precision was used" in refused.provenance["notes"][-1]
    taken = NeuralRestorer(card, fine, "", "torch bf16", reference=identity)(image)
    assert not any("precision" in note for note in taken.provenance["notes"])
    assert not np.array_equal(taken.image.flux, expected)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_bf16_restores_what_single_precision_restores(tiny_bundle, galaxy, engine):
    pytest.importorskip(engine)
    expected = pellucid.load_restorer(tiny_bundle)(galaxy).image.flux
    result = pellucid.load_restorer(tiny_bundle, engine=engine, precision="bf16")(galaxy)
    assert result.provenance["engine"] == f"{engine} bf16"
    light = np.abs(expected - np.median(expected)).sum()
    assert abs(float((result.image.flux - expected).sum())) < 0.05 * light


def test_onnxruntime_has_no_bf16(tiny_bundle):
    with pytest.raises(UsageError, match="--engine openvino or torch"):
        pellucid.load_restorer(tiny_bundle, precision="bf16")

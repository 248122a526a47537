"""pellucid's own network: told the kernel, three bands at a time; trained, shipped and used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scipy.ndimage import zoom  # noqa: E402
from truths import small_scenes  # noqa: E402

from pellucid.data.channels import (  # noqa: E402
    Known,
    channel_count,
    groups_of,
    input_channels,
    pixel_weights,
    reordered,
)
from pellucid.data.splits import Split  # noqa: E402
from pellucid.networks.pellucid import Generator, PellucidConfig  # noqa: E402
from pellucid.networks.widened import widened  # noqa: E402
from pellucid.restoration import load_restorer  # noqa: E402
from pellucid.sky import PSF, Background, SkyImage  # noqa: E402
from pellucid.stretch import NoiseStretch  # noqa: E402
from pellucid.studies.pellucid.preset import read_preset  # noqa: E402
from pellucid.training.pellucid import faint_loss, flux_loss, spread_loss  # noqa: E402
from pellucid.training.recipe import TrainingBatch  # noqa: E402
from pellucid.training.run import train  # noqa: E402

TINY = {"width": 8, "levels": 3, "blocks": 1}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return small_scenes(tmp_path_factory.mktemp("truth") / "truth.h5")


@pytest.fixture(scope="module")
def bundle(store, tmp_path_factory):
    torch.set_num_threads(1)
    changes = {"network": TINY, "size": 32, "batch": 2, "steps": 30, "checkpoint_every": 30}
    recipe = read_preset("quick").together
    recipe = recipe.model_copy(update={**changes, "validate_every": 30})
    split = Split(np.arange(5), np.array([5]))
    return train(recipe, store, tmp_path_factory.mktemp("run"), split=split, progress=False)


ONE = {"bands": 1, "inputs": ("image", "wiener", "weight", "guide", "grain", "fwhm")}


def test_each_band_is_told_of_itself_and_of_all():
    inputs = ONE["inputs"]
    assert channel_count(inputs, 1) == 10
    assert channel_count(inputs, 3) == 28
    of_each = [reordered(inputs, [band], 3) for band in range(3)]
    assert of_each[0] == [0, 3, 4, 5, 12, 15, 16, 17, 18, 25]
    assert of_each[2] == [2, 9, 10, 11, 14, 15, 22, 23, 24, 27]
    assert reordered(inputs, [0], 1) == list(range(10))
    assert reordered(inputs, range(3), 3) == list(range(28))


@pytest.mark.parametrize("bands", range(1, 9))
def test_however_many_bands_are_taken_three_at_a_time(bands):
    groups = groups_of(bands, 3)
    assert {band for group in groups for band in group} == set(range(bands))
    assert all(len(group) == 3 and sorted(group) == list(group) for group in groups)
    assert len(groups) == -(-bands // 3)
    assert groups_of(bands, 1) == [(band,) for band in range(bands)]


def test_a_network_of_one_band_begins_one_of_three_with_what_it_knows():
    """Alike bands are restored as one of them was, and the guide's part is not lost."""
    torch.manual_seed(3)
    one, three = (PellucidConfig(**TINY, **ONE), PellucidConfig(**TINY))
    before, after = Generator(one).eval(), Generator(three).eval()
    for weight in before.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    after.load_state_dict(widened(before.state_dict(), one, three))
    alike = torch.randn(1, 10, 32, 32)
    alike[:, 5] = alike[:, 2]  # the guide of one band is what Wiener's filter makes of it
    planes = [0, 0, 0, *[1, 2, 3] * 3, 4, 4, 4, *[6, 7, 8] * 3, 9, 9, 9]
    with torch.inference_mode():
        expected, found = before(alike), after(alike[:, planes])
    for band in range(3):
        torch.testing.assert_close(found[:, [band, band + 3]], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("mirrored", "turns"), [(True, 0), (False, 3), (True, 1)])
def test_the_channels_of_a_turned_image_are_the_turned_channels(store, mirrored, turns):
    """So a batch that is turned, kernels left alone, is as good as another one."""

    def turned(planes):
        return np.rot90(planes[..., ::-1] if mirrored else planes, turns, axes=(-2, -1)).copy()

    def channels(flux, blur):
        sky = Background(np.zeros(len(flux), dtype=np.float32), 1.0)
        value = 2.0 * NoiseStretch().forward(flux, sky) - 1.0
        known = Known(value, flux, sky, blur, NoiseStretch())
        return torch.from_numpy(input_channels(PellucidConfig().inputs, known))[None]

    pair = store.draw(0, np.random.default_rng(5))
    flux, blur = pair.blurred.flux, pair.blur
    batch = TrainingBatch(channels(flux, blur), torch.from_numpy(flux)[None], (blur,))
    again = batch.turned(mirrored, turns)
    elsewhere = channels(turned(flux), PSF(turned(blur.stamps), 1.0))
    np.testing.assert_allclose(again.blurred, elsewhere, atol=2e-4)
    np.testing.assert_array_equal(again.sharp[0], turned(flux))


def test_a_pixel_weighs_what_its_noise_says_and_nothing_without_data():
    flux = np.ones((1, 4, 4), dtype=np.float32)
    flux[0, 0, 0] = np.nan
    variance = np.full((1, 4, 4), 5.0)
    variance[0, 1] = 20.0
    variance[0, 2, 0], variance[0, 2, 1] = 0.05, np.inf
    mask = np.zeros((1, 4, 4), dtype=bool)
    mask[0, 3, 3] = True
    expected = [[0, 1, 1, 1], [0.5] * 4, [3, 0, 1, 1], [1, 1, 1, 0]]
    weights = pixel_weights(SkyImage(flux, variance=variance, mask=mask, pixel_scale=1.0))
    np.testing.assert_allclose(weights[0], expected)
    np.testing.assert_array_equal(pixel_weights(SkyImage(np.ones((2, 3, 3)))), 1.0)


def test_the_grain_of_noise_is_measured_beneath_a_galaxy():
    """White noise is 1 on every side; an enlarged image's is smooth on the smallest alone."""
    rng = np.random.default_rng(4)
    y, x = np.indices((128, 128)) - 64.0
    light = 80.0 * np.exp(-np.hypot(y, x) / 12.0)
    white = rng.standard_normal((128, 128))
    wide = zoom(white[:64, :64], 2, order=3, mode="mirror", grid_mode=True)
    ratios = []
    for noise in (white, wide):
        flux = (light + noise).astype(np.float32)[None]
        sky = Background(np.zeros(1, dtype=np.float32), 1.0)
        known = Known(flux, flux, sky, None, NoiseStretch())
        planes = input_channels(("grain",), known)
        assert (planes == planes[:, :1, :1]).all()
        ratios.append(np.exp(planes[:, 0, 0]))
    np.testing.assert_allclose(ratios[0], 1.0, atol=0.12)
    assert ratios[1][0] < 0.35
    assert 0.6 < ratios[1][1] < ratios[1][2]
    assert 1.3 < ratios[1][2] < 2.0


def test_untrained_it_gives_the_middle_wiener_results():
    channels = torch.randn(2, 27, 32, 32)
    drawn = Generator(PellucidConfig(**TINY))(channels)
    assert torch.equal(drawn[:, :3], channels[:, [4, 7, 10]])
    assert drawn.shape == (2, 6, 32, 32)


def test_the_spread_is_learned_as_that_of_which_so_many_cases_lie_within():
    torch.manual_seed(1)
    difference = 0.3 * torch.randn(1, 1, 200, 200)
    spread = torch.full((1, 1, 1, 1), -3.0, requires_grad=True)
    optimiser = torch.optim.Adam([spread], 0.05)
    for _ in range(200):
        optimiser.zero_grad()
        spread_loss(spread.exp(), difference).backward()
        optimiser.step()
    assert float(spread.detach().exp()) == pytest.approx(0.3, rel=0.02)


def test_flux_that_is_lost_costs_more_than_flux_that_is_moved():
    sharp = 20.0 * torch.rand(1, 1, 32, 32)
    moved = sharp.reshape(1, 1, 2, 16, 2, 16).flip(3, 5).reshape(1, 1, 32, 32)
    assert float(flux_loss(moved, sharp)) == pytest.approx(0.0, abs=1e-4)
    assert float(flux_loss(0.9 * sharp, sharp)) > 0.5


def test_outskirts_below_the_noise_count_beside_a_bright_core():
    sharp = torch.full((1, 1, 32, 32), 0.5)
    sharp[..., 16, 16] = 1000.0
    without = torch.where(sharp > 1.0, sharp, 0.0)
    dimmed = torch.where(sharp > 1.0, 0.9 * sharp, sharp)
    assert float(faint_loss(without, sharp)) > 10.0 * float(faint_loss(dimmed, sharp))


@pytest.mark.parametrize("levels", [2, 3])
def test_a_pixel_tells_no_pixel_beyond_the_reach(levels):
    """No statistic over the image: what lies further away than the levels reach plays no part."""
    torch.manual_seed(1)
    config = PellucidConfig(**{**TINY, "levels": levels})
    network = Generator(config).eval()
    torch.nn.init.normal_(network.last.weight)
    channels = torch.randn(1, 27, 16, 256)
    changed = channels.clone()
    changed[:, :15, :, :64] += 1.0
    with torch.inference_mode():
        difference = (network(channels) - network(changed)).abs().amax(dim=(0, 1, 2))
    assert difference[64 + config.reach :].max() == 0
    assert difference[64 + config.reach // 2 :].max() > 0


def test_trained_and_shipped_it_restores_any_bands_in_any_unit(store, bundle):
    restorer = load_restorer(bundle)
    pair = store.pair(5)
    pair = replace(pair, blurred=replace(pair.blurred, mask=None, variance=np.ones((3, 32, 32))))
    found = restorer(pair.blurred, pair.blur)
    restored = found.image.flux
    assert found.uncertainty.shape == restored.shape
    assert (found.uncertainty > 0).all()
    assert restored.shape == (3, 32, 32)
    np.testing.assert_allclose(
        restored.sum(axis=(1, 2)), pair.blurred.flux.sum(axis=(1, 2)), rtol=1e-3, atol=0.5
    )
    # The unit of a band makes no difference to any of them.
    scale = np.array([1e-3, 1.0, 1e4], dtype=np.float32)[:, None, None]
    other = SkyImage(
        scale * pair.blurred.flux,
        bands=pair.blurred.bands,
        variance=np.ones((3, 32, 32)) * scale**2,
        sky=(0.0, 0.0, 0.0),
        pixel_scale=1.0,
    )
    again = restorer(other, pair.blur).image.flux / scale
    np.testing.assert_allclose(again, restored, atol=2e-3 * restored.max())
    faster = load_restorer(bundle, engine="torch", precision="bf16")
    np.testing.assert_allclose(
        faster(pair.blurred, pair.blur).image.flux, restored, atol=0.03 * restored.max()
    )
    for bands in ([0], [0, 1], [0, 1, 2, 1], [0, 1, 2, 1, 0]):
        some = SkyImage(pair.blurred.flux[bands], pixel_scale=1.0)
        blur = PSF(pair.blur.for_bands(3)[bands], 1.0)
        assert restorer(some, blur).image.shape == (len(bands), 32, 32)

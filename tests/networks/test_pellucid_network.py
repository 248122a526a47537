"""pellucid's own network: told the kernel, a band at a time; trained, shipped and used."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from truths import truth_store  # noqa: E402

from pellucid.data.channels import CHANNELS, band_channels, channel_count  # noqa: E402
from pellucid.data.scenes import ScenePairs, SceneRecipe  # noqa: E402
from pellucid.data.splits import Split  # noqa: E402
from pellucid.networks.pellucid import Generator, PellucidConfig  # noqa: E402
from pellucid.restoration import load_restorer  # noqa: E402
from pellucid.sky import SkyImage  # noqa: E402
from pellucid.studies.pellucid.preset import read_preset  # noqa: E402
from pellucid.training.run import train  # noqa: E402

TINY = {"width": 8, "levels": 3, "blocks": 1}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    truth = truth_store(tmp_path_factory.mktemp("truth") / "truth.h5")
    return ScenePairs(truth, SceneRecipe(size=32, blur=(2.0, 4.0), peak=(50.0, 200.0)))


@pytest.fixture(scope="module")
def bundle(store, tmp_path_factory):
    torch.set_num_threads(1)
    changes = {"network": TINY, "size": 32, "batch": 2, "steps": 30, "checkpoint_every": 30}
    recipe = read_preset("quick").recipe
    recipe = recipe.model_copy(update={**changes, "validate_every": 30})
    split = Split(np.arange(5), np.array([5]))
    return train(recipe, store, tmp_path_factory.mktemp("run"), split=split, progress=False)


def test_each_band_is_told_of_itself_and_of_all():
    inputs = PellucidConfig().inputs
    assert channel_count(inputs, 1) == 6
    assert channel_count(inputs, 3) == 14
    planes = band_channels(inputs, 3)
    assert planes[0] == (0, 3, 4, 5, 12, 13)
    assert planes[2] == (2, 9, 10, 11, 12, 13)
    assert band_channels(inputs, 1) == [tuple(range(6))]
    assert {name: (own, shared) for name, (own, shared, _) in CHANNELS.items()} == {
        "image": (1, 0), "fwhm": (0, 1), "wiener": (3, 0), "guide": (0, 1),
    }  # fmt: skip


def test_untrained_it_gives_the_middle_wiener_result():
    channels = torch.randn(2, 6, 32, 32)
    assert torch.equal(Generator(PellucidConfig(**TINY))(channels), channels[:, 2:3])


def test_a_pixel_tells_no_pixel_beyond_the_reach():
    """No statistic over the image: what lies further away than the levels reach plays no part."""
    torch.manual_seed(1)
    network = Generator(PellucidConfig(**TINY)).eval()
    torch.nn.init.normal_(network.last.weight)
    channels = torch.randn(1, 6, 16, 256)
    changed = channels.clone()
    changed[..., :8] += 1.0
    with torch.inference_mode():
        difference = (network(channels) - network(changed)).abs().amax(dim=(0, 1, 2))
    assert difference[:8].max() > 0
    assert difference[128:].max() == 0


def test_trained_and_shipped_it_restores_any_bands_in_any_unit(store, bundle):
    restorer = load_restorer(bundle)
    pair = store.pair(5)
    restored = restorer(pair.blurred, pair.blur).image.flux
    assert restored.shape == (3, 32, 32)
    np.testing.assert_allclose(
        restored.sum(axis=(1, 2)), pair.blurred.flux.sum(axis=(1, 2)), rtol=1e-3, atol=0.5
    )
    # The order and the unit of the bands make no difference to any of them.
    scale = np.array([1e-3, 1.0, 1e4], dtype=np.float32)[:, None, None]
    turned = SkyImage(
        (scale * pair.blurred.flux)[::-1],
        variance=np.ones((3, 32, 32)) * scale[::-1] ** 2,
        sky=(0.0, 0.0, 0.0),
        pixel_scale=1.0,
    )
    again = restorer(turned, pair.blur).image.flux[::-1] / scale
    np.testing.assert_allclose(again, restored, atol=2e-3 * restored.max())
    faster = load_restorer(bundle, engine="torch", precision="bf16")
    np.testing.assert_allclose(
        faster(pair.blurred, pair.blur).image.flux, restored, atol=0.03 * restored.max()
    )
    one = SkyImage(pair.blurred.flux[:1], pixel_scale=1.0)
    assert restorer(one, pair.blur).image.shape == (1, 32, 32)

"""The sampler: on a network that knows the mean it learns to draw what may differ from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from truths import small_scenes  # noqa: E402

from pellucid.data.splits import Split  # noqa: E402
from pellucid.errors import UsageError  # noqa: E402
from pellucid.networks.bundle import open_bundle  # noqa: E402
from pellucid.networks.sampler import Generator, SamplerConfig  # noqa: E402
from pellucid.restoration import load_restorer  # noqa: E402
from pellucid.restoration.bandwise import BandwiseRestorer  # noqa: E402
from pellucid.restoration.samples import SamplingRestorer  # noqa: E402
from pellucid.studies.pellucid.preset import read_preset  # noqa: E402
from pellucid.training.run import train  # noqa: E402
from pellucid.training.sampler import SamplerRecipe, ranked_score  # noqa: E402

TINY = {"width": 8, "levels": 2, "blocks": 1}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return small_scenes(tmp_path_factory.mktemp("truth") / "truth.h5")


@pytest.fixture(scope="module")
def bundles(store, tmp_path_factory):
    """The mean's and the sampler's."""
    torch.set_num_threads(1)
    small = {"network": TINY, "size": 32, "batch": 2, "checkpoint_every": 20, "validate_every": 20}
    small |= {"steps": 20, "validation_images": 1}
    recipe = read_preset("quick").together.model_copy(update=small)
    split = Split(np.arange(5), np.array([5]))
    runs = tmp_path_factory.mktemp("runs")
    mean = train(recipe, store, runs / "mean", split=split, progress=False)
    fields = {"name": "drawn", "stretch": recipe.stretch, "scale_rule": "any", **small}
    drawn = train(
        SamplerRecipe.model_validate(fields),
        store,
        runs / "sampler",
        split=split,
        progress=False,
        start=open_bundle(mean),
    )
    return mean, drawn


def test_the_score_is_least_for_samples_drawn_as_the_truth():
    torch.manual_seed(2)
    truth = torch.randn(40, 1, 32, 32)
    scores = {
        width: float(ranked_score(width * torch.randn(2, *truth.shape), truth))
        for width in (0.6, 0.8, 1.0, 1.25, 1.6)
    }
    assert min(scores, key=lambda width: scores[width]) == 1.0


def test_the_score_asks_for_the_right_correlations():
    torch.manual_seed(2)
    coarse = [torch.randn(40, 1, 8, 8).repeat_interleave(4, 2).repeat_interleave(4, 3)
              for _ in range(3)]  # fmt: skip
    alike = ranked_score(torch.stack(coarse[:2]), coarse[2])
    white = ranked_score(torch.randn(2, 40, 1, 32, 32), coarse[2])
    assert float(alike) < float(white)


def test_other_dice_give_another_sky_about_the_same_mean(store, bundles):
    mean, sampler = (load_restorer(bundle) for bundle in bundles)
    pair = store.pair(5)
    assert isinstance(sampler, BandwiseRestorer)
    result = SamplingRestorer(mean, sampler, 3)(pair.blurred, pair.blur)
    assert result.samples.shape == (3, 3, 32, 32)
    assert np.isfinite(result.samples).all()
    assert result.samples.std(axis=0).mean() > 0
    again = replace(sampler, seed=2)(pair.blurred, pair.blur).image.flux
    np.testing.assert_array_equal(again, result.samples[2])
    off = np.abs(result.samples.mean(axis=0) - result.image.flux)
    # A scene may have pixels without data, of which nothing is known.
    assert np.median(off) < 2.0 * np.nanmedian(result.uncertainty)


def test_the_network_below_is_the_one_it_began_with(bundles):
    from pellucid.networks.export import read_generator

    mean, sampler = (read_generator(open_bundle(bundle)) for bundle in bundles)
    for name, value in mean.state_dict().items():
        assert torch.equal(sampler.below.state_dict()[name], value)


def test_only_a_model_that_has_a_spread_draws(store, bundles):
    with pytest.raises(UsageError, match="a method has one answer"):
        load_restorer(method="wiener", samples=2)
    recipe = SamplerRecipe(name="drawn", steps=1)
    with pytest.raises(UsageError, match="begins with a trained network of pellucid's own"):
        recipe.build_trainer(3, torch.device("cpu"))
    config = SamplerConfig(mean=TINY, width=8, levels=2)
    assert Generator(config)(torch.randn(1, 33, 32, 32)).shape == (1, 6, 32, 32)


def test_bands_share_half_of_their_dice(store):
    from pellucid.data.channels import DICE, Known, channel_planes
    from pellucid.sky import Background
    from pellucid.stretch import NoiseStretch

    flux = np.zeros((3, 16, 16), np.float32)
    sky = Background(np.zeros(3, np.float32), 1.0)

    def dice(*seed: int) -> np.ndarray:
        known = Known(flux, flux, sky, None, NoiseStretch(), seed=seed)
        return np.asarray(channel_planes(("dice",), known)).reshape(3, DICE, 16, 16)

    first, other = dice(4, 0), dice(5, 0)
    np.testing.assert_array_equal(first[0, 0], first[2, 0])
    assert abs(np.corrcoef(first[0, 1].ravel(), first[2, 1].ravel())[0, 1]) < 0.3
    assert abs(np.corrcoef(first[0, 0].ravel(), other[0, 0].ravel())[0, 1]) < 0.3
    # A band that is worked on later, by itself, shares it, too.
    np.testing.assert_array_equal(first[0, 0], dice(4, 1)[0, 0])

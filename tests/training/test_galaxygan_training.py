"""GalaxyGAN's losses are what its equations say, and its step teaches what it should."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from pellucid.training.galaxygan import adversarial_loss, discriminator_loss  # noqa: E402
from pellucid.training.learner import follow, pixel_loss, root_loss  # noqa: E402

logits = st.lists(st.floats(-200, 200), min_size=1, max_size=9)
few = settings(deadline=None, max_examples=30)


# --- losses ----------------------------------------------------------------------------------


@few
@given(logits, logits)
def test_the_losses_are_cross_entropies(real, fake):
    """−ln σ(x) is ln(1 + e^−x); −ln(1 − σ(x)) is ln(1 + e^x)."""

    def softplus(values: list[float]) -> float:
        return float(np.mean(np.logaddexp(0.0, values)))

    found = discriminator_loss(torch.tensor([real]), torch.tensor([fake]))
    expected = 0.5 * (softplus([-x for x in real]) + softplus(fake))
    assert float(found) == pytest.approx(expected, rel=1e-5, abs=1e-7)
    found = adversarial_loss(torch.tensor([fake]))
    assert float(found) == pytest.approx(softplus([-x for x in fake]), rel=1e-5, abs=1e-7)


def test_undecided_costs_a_bit_and_being_right_nothing():
    zero, sure = torch.zeros(2, 1, 3, 3), torch.full((2, 1, 3, 3), 60.0)
    assert float(discriminator_loss(zero, zero)) == pytest.approx(math.log(2))
    assert float(discriminator_loss(sure, -sure)) == pytest.approx(0.0, abs=1e-9)
    assert float(adversarial_loss(sure)) == pytest.approx(0.0, abs=1e-9)


def test_the_pixel_loss_is_the_mean_absolute_difference_in_single_precision():
    rng = np.random.default_rng(0)
    one, two = (rng.uniform(-1, 1, (2, 3, 5, 7)).astype("f4") for _ in range(2))
    found = pixel_loss(torch.from_numpy(one), torch.from_numpy(two))
    assert float(found) == pytest.approx(np.abs(one - two).mean(), rel=1e-6)
    assert pixel_loss(torch.zeros(4, dtype=torch.bfloat16), torch.zeros(4)).dtype == torch.float32


def test_the_root_of_each_image_is_averaged():
    rng = np.random.default_rng(0)
    one, two = (rng.uniform(-1, 1, (2, 3, 5, 7)).astype("f4") for _ in range(2))
    found = root_loss(torch.from_numpy(one), torch.from_numpy(two))
    wanted = np.sqrt(np.square(one - two).mean(axis=(1, 2, 3))).mean()
    assert float(found) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("able", [True, False])
def test_bf16_is_computed_in_where_the_processor_has_it(galaxygan, monkeypatch, able):
    capabilities = {"architecture": "x86_64", "avx512_bf16": able}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    trainer = galaxygan("batch")
    trainer.recipe = trainer.recipe.model_copy(update={"precision": "bf16"})
    with trainer.autocast():
        drawn = trainer.generator(torch.zeros(1, 3, 32, 32))
    assert drawn.dtype == (torch.bfloat16 if able else torch.float32)


# --- one step --------------------------------------------------------------------------------


def same(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    states = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in states)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_steps_on_one_batch_lower_the_pixel_loss(galaxygan, advance, norm):
    losses = [step["pixel"] for step in advance(galaxygan(norm), 40)]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:2])


def test_the_discriminator_learns_to_tell_them_apart(galaxygan, advance):
    trainer = galaxygan(pixel_weight=0.0)
    # Of a generator that learns, too, the outcome hangs on a processor's last bits.
    trainer.generator_optimiser.param_groups[0]["lr"] = 0.0
    losses = [step["discriminator"] for step in advance(trainer, 40)]
    assert losses[0] == pytest.approx(math.log(2), abs=0.05)
    assert np.mean(losses[-5:]) < 0.1 * losses[0]


def test_the_generators_turn_does_not_teach_the_discriminator(galaxygan, advance):
    light, heavy = (galaxygan(pixel_weight=weight) for weight in (0.0, 1000.0))
    for trainer in (light, heavy):
        torch.manual_seed(4)  # of the dropout
        advance(trainer, 1)
    assert same(light.discriminator, heavy.discriminator)
    assert not same(light.generator, heavy.generator)
    assert all(each.requires_grad for each in light.discriminator.parameters())


def test_the_discriminators_turn_does_not_teach_the_generator(galaxygan, advance):
    """Its loss must not reach the generator: only the discriminator's rate is not zero."""
    trainer = galaxygan()
    for group in trainer.generator_optimiser.param_groups:
        group["lr"] = 0.0
    before = [each.detach().clone() for each in trainer.generator.parameters()]
    advance(trainer, 2)
    after = list(trainer.generator.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_average_follows_by_its_formula(galaxygan):
    trainer = galaxygan()
    network = trainer.generator.state_dict()
    with torch.no_grad():
        for value in network.values():
            value.copy_(torch.ones_like(value) * 3)
    before = {name: each.clone() for name, each in trainer.average.state_dict().items()}
    follow(trainer.average, trainer.generator, 0.75)
    for name, mean in trainer.average.state_dict().items():
        if mean.is_floating_point():
            torch.testing.assert_close(mean, 0.75 * before[name] + 0.25 * 3)
        else:
            assert torch.equal(mean, network[name])
    follow(trainer.average, trainer.generator, 0.0)
    assert same(trainer.average, trainer.generator)

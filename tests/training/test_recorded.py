"""A recorded step: on a processor it is the function itself, on a GPU its replay."""

from __future__ import annotations

import pytest
import torch

from pellucid.training.galaxygan import GalaxyGANRecipe
from pellucid.training.recipe import TrainingBatch
from pellucid.training.recorded import WARM_UP, Recorded
from pellucid.training.run import set_rate

STEPS = 3 * WARM_UP


def test_a_processor_is_asked_each_time():
    asked = []

    def function(image, number):
        asked.append(number)
        return {"sum": image.sum() * number}

    recorded = Recorded(function)
    found = [float(recorded(torch.ones(2), k)["sum"]) for k in range(STEPS)]
    assert asked == list(range(STEPS))
    assert found == [2.0 * k for k in range(STEPS)]


def learned(device: str, replayed: bool) -> tuple[list[float], torch.Tensor]:
    """The pixel loss of each step, each on a batch of its own, and what it draws in the end."""
    torch.manual_seed(0)
    network = {"width": 8, "levels": 3, "norm": "batch", "dropout": 0.0}
    recipe = GalaxyGANRecipe(
        name="x",
        network=network,
        steps=STEPS,
        learning_rate=1e-3,
        cool_down=0.7,
        final_pixel_weight=300,
        average_decay=0.9,
    )
    trainer = recipe.build_trainer(3, torch.device(device))
    if not replayed:
        trainer.learn = trainer._learn  # type: ignore[assignment]
    rng, losses = torch.Generator().manual_seed(1), []
    for step in range(STEPS):
        set_rate(trainer, recipe.rate_at(step))
        sides = (torch.rand(4, 3, 32, 32, generator=rng).to(device) for _ in range(2))
        batch = TrainingBatch(*sides, blurs=(None,) * 4)
        losses.append(float(trainer.advance(batch, step)["pixel"]))
    with torch.no_grad():
        return losses, trainer.average.eval()(batch.blurred)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="only a GPU records")
def test_a_replayed_training_learns_what_the_other_does():
    (losses, drawn), (others, wanted) = learned("cuda", True), learned("cuda", False)
    assert losses == pytest.approx(others, rel=1e-3)
    torch.testing.assert_close(drawn, wanted, rtol=0, atol=1e-2)

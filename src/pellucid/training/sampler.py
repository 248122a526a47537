"""pellucid's training, second stage: samples of what the sky may be.

A conditional GAN for the posterior, as Bendel et al. 2023 (arXiv:2210.13389): several samples of
each image, whose mean must be the mean and whose spread must be true, against a critic. In the
place of their reward for the standard deviation, whose weight must be tuned, stands the continuous
ranked probability score, which is least where samples are drawn as the truth was (Gneiting &
Raftery 2007, doi:10.1198/016214506000001437); taken on ever larger squares it asks for the right
correlations, too.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu
from torch.optim import Optimizer

from pellucid.data.channels import DICE, network_inputs
from pellucid.errors import UsageError
from pellucid.networks.bundle import Bundle
from pellucid.networks.export import read_generator
from pellucid.networks.sampler import Critic, Generator
from pellucid.training.adversaries import frozen
from pellucid.training.learner import Learner, update
from pellucid.training.pellucid import grouped
from pellucid.training.recipe import Recipe, TrainingBatch

#: Sides in pixels of the squares on which samples are compared with the truth.
SQUARES = (1, 2, 4, 8)


class SamplerRecipe(Recipe, frozen=True):
    """How the sampler learns, on top of a network that knows the mean.

    Parameters
    ----------
    samples
        Of each image in a step.
    critic_width
        Filters of its first layer.
    adversarial_weight
        Beside the score.
    """

    model: Literal["pellucid-sampler"] = "pellucid-sampler"
    samples: Annotated[int, Field(ge=2)] = 2
    critic_width: Annotated[int, Field(gt=0)] = 24
    adversarial_weight: Annotated[float, Field(ge=0)] = 0.05
    steepest: Annotated[float, Field(gt=0)] = 1.0

    def build_trainer(
        self, bands: int, device: torch.device, start: Bundle | None = None
    ) -> SamplerTrainer:
        if start is None or start.card.model != "pellucid":
            raise UsageError(f"recipe {self.name}: begins with a trained network of pellucid's own")
        return SamplerTrainer(self, device, start)


class SamplerTrainer(Learner[SamplerRecipe]):
    """The sampler, its critic, and their step; the network below them does not change."""

    def __init__(self, recipe: SamplerRecipe, device: torch.device, start: Bundle) -> None:
        network = {**recipe.network, "mean": dict(start.card.network)}
        super().__init__(recipe, network, device, None)
        trained = read_generator(start).state_dict()
        for generator in (self.generator, self.average):
            assert isinstance(generator, Generator)
            generator.below.load_state_dict(trained)
        self.critic = self.placed(Critic(recipe.critic_width, self.config.bands))
        self.critic_optimiser = self.optimiser(self.critic)

    def parts(self) -> dict[str, nn.Module | Optimizer]:
        return {
            **super().parts(),
            "critic": self.critic,
            "critic_optimiser": self.critic_optimiser,
        }

    def advance(self, batch: TrainingBatch, step: int) -> dict[str, float]:
        channels, sharp = grouped(batch, network_inputs(vars(self.config)), self.config.bands)
        generator = self.generator
        assert isinstance(generator, Generator)
        with self.autocast(), torch.no_grad():
            mean, spread = generator.below(generator.without_dice(channels)).float().chunk(2, dim=1)
        with self.autocast():
            samples = torch.stack(
                [
                    generator.sample(self._thrown(channels), mean, spread).float()
                    for _ in range(self.recipe.samples)
                ]
            )
            real = self.critic(sharp, mean, spread).float()
            fake = self.critic(samples[0].detach(), mean, spread).float()
        judging = 0.5 * (relu(1.0 - real) + relu(1.0 + fake)).mean()
        update(self.critic, self.critic_optimiser, judging)
        with self.autocast(), frozen(self.critic):
            fooling = -self.critic(samples[0], mean, spread).float().mean()
        off = [(samples - mean) / spread, (sharp - mean) / spread]
        # Of the bands' mean, too: structure that the truth has in all of them is drawn in all.
        grey = [value.mean(dim=-3, keepdim=True) for value in off]
        score = 0.5 * (ranked_score(off[0], off[1]) + ranked_score(grey[0], grey[1]))
        loss = score + self.recipe.adversarial_weight * fooling
        self.teach_generator(loss, self.recipe.decay_at(step), self.recipe.steepest)
        width = ((samples - samples.mean(dim=0)).detach() / spread).square().mean().sqrt()
        return {
            "critic": float(judging.detach()),
            "adversarial": float(fooling.detach()),
            "score": float(score.detach()),
            "width": float(width) * (self.recipe.samples / (self.recipe.samples - 1)) ** 0.5,
        }

    def _thrown(self, channels: Tensor) -> Tensor:
        """The channels with other dice, which stand before the constant ones.

        The first plane of each band is the same in all; see `pellucid.data.channels`.
        """
        generator = self.generator
        assert isinstance(generator, Generator)
        count = DICE * self.config.bands
        dice = torch.randn_like(channels[:, :count])
        dice[:, ::DICE] = dice[:, :1].clone()
        before, after = channels[:, : generator.before], channels[:, generator.before + count :]
        return torch.cat([before, dice, after], dim=1)


def ranked_score(samples: Tensor, truth: Tensor) -> Tensor:
    """Mean of E|s − t| − ½ E|s − s′| over pixels and over squares of several sides.

    It is fair: with the mean over different pairs alone, few samples do as well as many.

    Parameters
    ----------
    samples
        Shape (sample, image, 1, y, x).
    truth
        Shape (image, 1, y, x).
    """
    count, total = len(samples), truth.new_zeros(())
    for side in SQUARES:
        # A square's mean, as large as a pixel's value would be if its pixels were independent.
        means = [side * avg_pool2d(sample, side) for sample in samples]
        sharp = side * avg_pool2d(truth, side)
        near = torch.stack([_bounded(mean - sharp) for mean in means]).mean()
        apart = torch.stack(
            [_bounded(means[i] - means[j]) for i in range(count) for j in range(i)]
        ).mean()
        total = total + near - 0.5 * apart
    return total / len(SQUARES)


def _bounded(difference: Tensor) -> Tensor:
    """|d|, of which a wrong spread below cannot make more than a hundred."""
    return difference.abs().clamp(max=100.0).mean()

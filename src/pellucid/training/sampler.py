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

from pellucid.data.channels import DICE, band_channels, network_inputs
from pellucid.errors import UsageError
from pellucid.networks.bundle import Bundle
from pellucid.networks.export import read_generator
from pellucid.networks.pellucid import CONSTANTS
from pellucid.networks.sampler import Critic, Generator
from pellucid.training.adversaries import frozen
from pellucid.training.learner import Learner, update
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
        self.critic = self.placed(Critic(recipe.critic_width))
        self.critic_optimiser = self.optimiser(self.critic)

    def parts(self) -> dict[str, nn.Module | Optimizer]:
        return {
            **super().parts(),
            "critic": self.critic,
            "critic_optimiser": self.critic_optimiser,
        }

    def advance(self, batch: TrainingBatch, step: int) -> dict[str, float]:
        inputs = network_inputs(vars(self.config))
        bands = batch.sharp.shape[1]
        picked = band_channels(inputs, bands)
        channels = torch.cat([batch.blurred[:, list(planes)] for planes in picked])
        sharp = torch.cat(batch.sharp.split(1, dim=1))
        generator = self.generator
        assert isinstance(generator, Generator)
        with self.autocast(), torch.no_grad():
            told = torch.cat([channels[:, : generator.before], channels[:, -CONSTANTS:]], dim=1)
            mean, spread = generator.below(told).float().split(1, dim=1)
        with self.autocast():
            samples = torch.stack(
                [
                    generator.sample(_thrown(channels, bands), mean, spread).float()
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
        grey = [value.unflatten(-4, (bands, -1)).mean(dim=-5) for value in off]
        score = 0.5 * (ranked_score(off[0], off[1]) + ranked_score(grey[0], grey[1]))
        loss = score + self.recipe.adversarial_weight * fooling
        self.teach_generator(loss, step, self.recipe.steepest)
        width = ((samples - samples.mean(dim=0)).detach() / spread).square().mean().sqrt()
        return {
            "critic": float(judging.detach()),
            "adversarial": float(fooling.detach()),
            "score": float(score.detach()),
            "width": float(width) * (self.recipe.samples / (self.recipe.samples - 1)) ** 0.5,
        }


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


def _thrown(channels: Tensor, bands: int) -> Tensor:
    """The channels, band after band, with other dice, which stand before the constant ones.

    The first plane is shared by the bands of an image; see `pellucid.data.channels`.
    """
    dice = torch.randn_like(channels[:, :DICE])
    images = len(channels) // bands
    dice[:, :1] = dice[:images, :1].repeat(bands, 1, 1, 1)
    first = channels.shape[1] - CONSTANTS - DICE
    return torch.cat([channels[:, :first], dice, channels[:, -CONSTANTS:]], dim=1)

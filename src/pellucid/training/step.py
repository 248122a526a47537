"""One step of adversarial training: the discriminator learns, then the generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pellucid.training.losses import adversarial_loss, discriminator_loss, pixel_loss


@dataclass
class Adversaries:
    """Both networks, their optimisers, and the running mean of the generator that ships.

    Parameters
    ----------
    generator, discriminator
        The networks, on one device.
    generator_optimiser, discriminator_optimiser
        One each.
    average
        The generator with exponentially averaged weights; it restores, it does not learn.
    """

    generator: nn.Module
    discriminator: nn.Module
    generator_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer
    average: nn.Module


def gan_step(
    networks: Adversaries,
    blurred: Tensor,
    sharp: Tensor,
    pixel_weight: float,
    autocast: AbstractContextManager[object],
    average_decay: float,
) -> dict[str, float]:
    """Update both networks on one batch, shape (batch, band, y, x) in [−1, 1].

    With several processes, gradients are averaged over them before each update.

    Returns
    -------
    dict
        The losses; the caller decides what to do about one that is not finite.
    """
    with autocast:
        restored = networks.generator(blurred)
        real = networks.discriminator(sharp, blurred)
        fake = networks.discriminator(restored.detach(), blurred)
    judging = discriminator_loss(real, fake)
    networks.discriminator_optimiser.zero_grad(set_to_none=True)
    judging.backward()
    average_gradients(networks.discriminator)
    networks.discriminator_optimiser.step()

    with autocast, frozen(networks.discriminator):
        fooling = adversarial_loss(networks.discriminator(restored, blurred))
    difference = pixel_loss(restored, sharp)
    networks.generator_optimiser.zero_grad(set_to_none=True)
    (fooling + pixel_weight * difference).backward()
    average_gradients(networks.generator)
    networks.generator_optimiser.step()
    follow(networks.average, networks.generator, average_decay)
    return {
        "discriminator": float(judging.detach()),
        "adversarial": float(fooling.detach()),
        "pixel": float(difference.detach()),
    }


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """No gradients for the network's own weights: they would be thrown away."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def average_gradients(network: nn.Module) -> None:
    """Replace each gradient by its mean over all processes; nothing where there is one."""
    if not dist.is_initialized():
        return
    gradients = [each.grad for each in network.parameters() if each.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    pieces = flat.split([gradient.numel() for gradient in gradients])
    for gradient, piece in zip(gradients, pieces, strict=True):
        gradient.copy_(piece.view_as(gradient))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """average ← decay · average + (1 − decay) · network, batch statistics included.

    Copying the statistics instead would pair them with weights of another time.
    """
    for mean, value in zip(
        average.state_dict().values(), network.state_dict().values(), strict=True
    ):
        if mean.is_floating_point():
            mean.lerp_(value, 1.0 - decay)
        else:
            mean.copy_(value)

"""GalaxyGAN's losses: a binary cross entropy between two networks, and the mean difference."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


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


def pixel_loss(restored: Tensor, sharp: Tensor) -> Tensor:
    """Mean absolute difference in the network's range [−1, 1]."""
    return (restored.float() - sharp.float()).abs().mean()

"""The Wasserstein losses: a critic scores how real an image is, and is kept from being steep."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """E[C(fake)] − E[C(real)] from scores of any shape: minus the earth mover's distance.

    References
    ----------
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

    References
    ----------
    Arjovsky et al. 2017, arXiv:1701.07875.
    """
    for weight in critic.parameters():
        weight.clamp_(-limit, limit)

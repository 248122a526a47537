"""SeeingGAN's losses are what they are called, and teach a critic."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from pellucid.networks.seeinggan import Critic, Generator, SeeingGANConfig  # noqa: E402
from pellucid.training.seeinggan import (  # noqa: E402
    clip_weights,
    critic_loss,
    generator_loss,
    gradient_penalty,
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def seeded(kind: type[nn.Module], **settings) -> nn.Module:
    torch.manual_seed(4)
    return kind(SeeingGANConfig(**settings))


class Plane(nn.Module):
    """A critic whose slope is the same everywhere."""

    def __init__(self, slope: torch.Tensor) -> None:
        super().__init__()
        self.slope = nn.Parameter(slope)

    def forward(self, image: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bcyx,cyx->b", image, self.slope)[:, None]


class Bowl(nn.Module):
    """A critic whose slope is the image itself."""

    def forward(self, image: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return image.square().flatten(1).sum(1, keepdim=True) / 2


@pytest.mark.parametrize("half", [False, True])
def test_the_penalty_of_a_plane_is_its_slope_less_one_squared(half):
    plane = Plane(noise(2, 8, 8))
    sharp, restored, condition = noise(3, 5, 2, 8, 8, seed=1)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        penalty = gradient_penalty(plane, sharp, restored, condition)
    norm = plane.slope.detach().square().sum().sqrt()
    assert penalty.dtype == torch.float32
    torch.testing.assert_close(penalty, (norm - 1) ** 2)
    penalty.backward()
    torch.testing.assert_close(plane.slope.grad, 2 * (norm - 1) * plane.slope.detach() / norm)


def test_the_penalty_is_taken_between_the_images():
    sharp, restored, condition = noise(3, 64, 1, 4, 4)
    penalty = gradient_penalty(Bowl(), sharp, restored, condition, torch.Generator().manual_seed(7))
    share = torch.rand(64, 1, 1, 1, generator=torch.Generator().manual_seed(7))
    between = share * sharp + (1 - share) * restored
    torch.testing.assert_close(penalty, (between.flatten(1).norm(dim=1) - 1).square().mean())
    same = [gradient_penalty(Bowl(), sharp, sharp, condition) for _ in range(2)]
    assert same[0] == same[1]
    other = gradient_penalty(Bowl(), sharp, restored, condition, torch.Generator().manual_seed(8))
    assert other != penalty


def test_a_critic_learns_from_the_penalty_alone_and_the_generator_does_not():
    critic = seeded(Critic, critic_width=4, size=32, dropout=0.0)
    generator = seeded(Generator, width=4)
    optimiser = torch.optim.Adam(critic.parameters(), 3e-3)
    image, sharp = 0.1 * noise(2, 4, 1, 32, 32)
    rng = torch.Generator().manual_seed(2)
    history = []
    for _ in range(25):
        with torch.autocast("cpu", torch.bfloat16):
            restored = generator(image)
            assert critic(restored, image).shape == (4, 1)
            penalty = gradient_penalty(critic, sharp, restored, image, rng)
        optimiser.zero_grad()
        penalty.backward()
        assert all(torch.isfinite(each.grad).all() for each in critic.parameters() if each.ndim > 1)
        optimiser.step()
        history.append(float(penalty.detach()))
    assert np.mean(history[-5:]) < 0.3 * np.mean(history[:2])
    assert all(each.grad is None for each in generator.parameters())


def test_losses_pull_apart_what_the_critic_tells_apart():
    real, fake = torch.tensor([[3.0], [5.0]]), torch.tensor([[-1.0], [2.0]], requires_grad=True)
    assert critic_loss(real, fake) == 0.5 - 4.0
    assert generator_loss(fake) == -0.5
    (down,) = torch.autograd.grad(critic_loss(real, fake), fake)
    (up,) = torch.autograd.grad(generator_loss(fake), fake)
    assert torch.equal(down, -up)


def test_clipped_weights_lie_within_the_limit():
    critic = seeded(Critic, critic_width=4, size=32)
    before = [each.detach().clone() for each in critic.parameters()]
    clip_weights(critic, 0.01)
    for old, new in zip(before, critic.parameters(), strict=True):
        assert torch.equal(new, old.clamp(-0.01, 0.01))
        assert new.requires_grad

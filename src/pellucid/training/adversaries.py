"""A generator that learns against another network, which tells its images from sharp ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pellucid.networks.bundle import Bundle
from pellucid.training.learner import Learner, R, update


class Adversaries(Learner[R]):
    """Both networks and their optimisers; ``discriminator`` builds the other from their shape."""

    def __init__(
        self,
        discriminator: Callable[[Any], nn.Module],
        recipe: R,
        network: Mapping[str, Any],
        device: torch.device,
        start: Bundle | None,
    ) -> None:
        super().__init__(recipe, network, device, start)
        self.discriminator = self.placed(discriminator(self.config))
        self.discriminator_optimiser = self.optimiser(self.discriminator)

    def parts(self) -> dict[str, nn.Module | Optimizer]:
        return {
            **super().parts(),
            "discriminator": self.discriminator,
            "discriminator_optimiser": self.discriminator_optimiser,
        }

    def teach_discriminator(self, loss: Tensor) -> None:
        update(self.discriminator, self.discriminator_optimiser, loss)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """No gradients for the network's own weights: they would be thrown away."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)

"""A toy network that is told the blur: all that a new network needs stands in this file.

The other line is the one in `pellucid.networks.architectures.ARCHITECTURES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from pellucid.data.channels import channel_count
from pellucid.networks.architectures import Architecture
from pellucid.networks.bundle import Bundle
from pellucid.training.learner import Learner
from pellucid.training.recipe import Recipe, TrainingBatch


@dataclass(frozen=True)
class ToyConfig:
    bands: int = 3
    width: int = 4
    multiple: int = 4
    inputs: tuple[str, ...] = ("image", "fwhm")


class Generator(nn.Module):
    """The image plus a filter of it, times what the blur's FWHM says."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        assert channel_count(config.inputs, config.bands) == 2 * config.bands
        self.bands = config.bands
        self.sharpen = nn.Conv2d(config.bands, config.bands, 9, padding=4, padding_mode="replicate")
        self.strength = nn.Conv2d(config.bands, config.bands, 1)
        nn.init.zeros_(self.sharpen.weight)
        nn.init.constant_(self.strength.weight, 1.0 / config.bands)

    def forward(self, channels: Tensor) -> Tensor:
        image, fwhm = channels[:, : self.bands], channels[:, self.bands :]
        return image + self.strength(fwhm) * self.sharpen(image)


TOY = Architecture(ToyConfig, Generator)


class ToyRecipe(Recipe, frozen=True):
    model: Literal["toy"] = "toy"

    def build_trainer(
        self, bands: int, device: torch.device, start: Bundle | None = None
    ) -> ToyTrainer:
        return ToyTrainer(self, {**self.network, "bands": bands}, device, start)


class ToyTrainer(Learner[ToyRecipe]):
    def advance(self, batch: TrainingBatch, step: int) -> dict[str, float]:
        loss = 1e3 * mse_loss(self.generator(batch.blurred), batch.sharp)
        self.teach_generator(loss, self.recipe.decay_at(step))
        return {"square": float(loss.detach())}

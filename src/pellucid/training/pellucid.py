"""pellucid's training, first stage: the mean of what the sky may be, given image and blur."""

from __future__ import annotations

from typing import Literal

import torch

from pellucid.data.channels import band_channels, network_inputs
from pellucid.networks.bundle import Bundle
from pellucid.training.learner import Learner
from pellucid.training.recipe import Recipe, TrainingBatch

#: Differences below it (in the network's range) weigh as their square.
LEAST = 1e-3


class PellucidRecipe(Recipe, frozen=True):
    """How pellucid's own network learns."""

    model: Literal["pellucid"] = "pellucid"

    def build_trainer(
        self, bands: int, device: torch.device, start: Bundle | None = None
    ) -> MeanTrainer:
        network = {name: tuple(v) if isinstance(v, list) else v for name, v in self.network.items()}
        return MeanTrainer(self, network, device, start)


class MeanTrainer(Learner[PellucidRecipe]):
    """The network and its step: the root of each image's mean square difference.

    The root gives noisy and clean images a like say.
    """

    def advance(self, batch: TrainingBatch, step: int) -> dict[str, float]:
        picked = band_channels(network_inputs(vars(self.config)), batch.sharp.shape[1])
        # Each band of each image by itself.
        channels = torch.cat([batch.blurred[:, list(planes)] for planes in picked])
        sharp = torch.cat(batch.sharp.split(1, dim=1))
        with self.autocast():
            restored = self.generator(channels)
        square = (restored.float() - sharp).square().mean(dim=(1, 2, 3))
        loss = (square + LEAST**2).sqrt().mean()
        self.teach_generator(loss, step)
        wiener = (channels[:, 2:3] - sharp).square().mean(dim=(1, 2, 3))
        gain = 10.0 * torch.log10((wiener + 1e-9) / (square.detach() + 1e-9)).mean()
        return {"root_mean_square": float(loss.detach()), "gain_over_wiener": float(gain)}

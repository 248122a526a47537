"""pellucid's training, first stage: the mean of what the sky may be, given image and blur."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid.data.channels import band_channels, network_inputs
from pellucid.networks.bundle import Bundle
from pellucid.stretch import NoiseStretch, stretch_from_dict
from pellucid.training.learner import Learner
from pellucid.training.recipe import Recipe, TrainingBatch

#: Differences below it (in the network's range) weigh as their square.
LEAST = 1e-3
#: Side in pixels of the squares whose flux is compared, and how well it is to be known.
APERTURE, PRECISION = 16, 0.01


class PellucidRecipe(Recipe, frozen=True):
    """How pellucid's own network learns.

    Parameters
    ----------
    flux_weight, spread_weight
        Of the flux in squares and of the spread, beside the pixels' difference.
    steepest
        Longest gradient that is followed as it is; a network without norms would diverge.
    """

    model: Literal["pellucid"] = "pellucid"
    flux_weight: Annotated[float, Field(ge=0)] = 1e-3
    spread_weight: Annotated[float, Field(ge=0)] = 2e-3
    steepest: Annotated[float, Field(gt=0)] = 0.2

    def build_trainer(
        self, bands: int, device: torch.device, start: Bundle | None = None
    ) -> MeanTrainer:
        network = {name: tuple(v) if isinstance(v, list) else v for name, v in self.network.items()}
        return MeanTrainer(self, network, device, start)


class MeanTrainer(Learner[PellucidRecipe]):
    """The network and its step: each image's root mean square difference, its flux, its spread.

    The root gives noisy and clean images a like say.
    """

    def advance(self, batch: TrainingBatch, step: int) -> dict[str, float]:
        picked = band_channels(network_inputs(vars(self.config)), batch.sharp.shape[1])
        # Each band of each image by itself.
        channels = torch.cat([batch.blurred[:, list(planes)] for planes in picked])
        sharp = torch.cat(batch.sharp.split(1, dim=1))
        with self.autocast():
            drawn = self.generator(channels).float()
        restored, spread = drawn[:, :1], drawn[:, 1:]
        square = (restored - sharp).square().mean(dim=(1, 2, 3))
        root = (square + LEAST**2).sqrt().mean()
        stretch = stretch_from_dict(self.recipe.stretch)
        assert isinstance(stretch, NoiseStretch)
        flux = flux_loss(restored, sharp, stretch)
        width = spread_loss(spread, (restored - sharp).detach())
        loss = root + self.recipe.flux_weight * flux + self.recipe.spread_weight * width
        self.teach_generator(loss, step, self.recipe.steepest)
        wiener = (channels[:, 2:3] - sharp).square().mean(dim=(1, 2, 3))
        gain = 10.0 * torch.log10((wiener + 1e-9) / (square.detach() + 1e-9)).mean()
        return {
            "root_mean_square": float(root.detach()),
            "gain_over_wiener": float(gain),
            "flux": float(flux.detach()),
            "spread": float(width.detach()),
        }


def flux_loss(restored: Tensor, sharp: Tensor, stretch: NoiseStretch) -> Tensor:
    """How far the flux in squares is off, in units of what can be known of it.

    That is the noise of so many pixels, or a hundredth of the flux where this is more.
    """
    span = np.arcsinh(stretch.high / stretch.softening) - np.arcsinh(
        stretch.low / stretch.softening
    )
    bottom = float(np.arcsinh(stretch.low / stretch.softening))
    fluxes = [
        stretch.softening * torch.sinh(0.5 * (value.clamp(-2.0, 2.0) + 1.0) * float(span) + bottom)
        for value in (restored, sharp)
    ]
    means = [torch.nn.functional.avg_pool2d(flux, APERTURE) for flux in fluxes]
    off = (means[0] - means[1]) / (1.0 / APERTURE + PRECISION * means[1].abs())
    return ((off.square() + 1.0).sqrt() - 1.0).mean()


def spread_loss(spread: Tensor, difference: Tensor) -> Tensor:
    """Quantile loss of the spread s: |difference| < s in 68.3 %, < 2 s in 95.4 % of all cases.

    In logarithms, which leave quantiles where they are and give bright and faint pixels a like
    say (Koenker & Bassett 1978, Econometrica 46, 33, doi:10.2307/1913643).
    """
    beyond = torch.log(difference.abs() + 1e-6) - torch.log(spread)
    total = torch.zeros((), device=spread.device)
    for widths, share in ((1.0, 0.6827), (2.0, 0.9545)):
        over = beyond - float(np.log(widths))
        total = total + torch.maximum(share * over, (share - 1.0) * over).mean()
    return total

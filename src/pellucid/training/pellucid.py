"""pellucid's training, first stage: the mean of what the sky may be, given image and blur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid.data.channels import groups_of, network_inputs, reordered, starting_planes
from pellucid.networks.bundle import Bundle
from pellucid.stretch import NoiseStretch, stretch_from_dict
from pellucid.training.learner import Learner
from pellucid.training.recipe import Recipe, TrainingBatch

#: Differences below it (in the network's range) weigh as their square.
LEAST = 1e-3
#: Softening, in units of the noise, of the stretch in which faint light is compared.
FAINT = 1.0
#: Side in pixels of the squares whose flux is compared, and how well it is to be known.
APERTURE, PRECISION = 16, 0.01


class PellucidRecipe(Recipe, frozen=True):
    """How pellucid's own network learns.

    Parameters
    ----------
    flux_weight, spread_weight
        Of the flux in squares and of the spread, beside the pixels' difference.
    faint_weight
        Of the pixels' difference in a stretch that shows what is fainter than the noise.
    steepest
        Longest gradient that is followed as it is; a network without norms would diverge.
    """

    model: Literal["pellucid"] = "pellucid"
    flux_weight: Annotated[float, Field(ge=0)] = 1e-3
    spread_weight: Annotated[float, Field(ge=0)] = 2e-3
    faint_weight: Annotated[float, Field(ge=0)] = 0.0
    steepest: Annotated[float, Field(gt=0)] = 0.2

    def build_trainer(
        self, bands: int, device: torch.device, start: Bundle | None = None
    ) -> MeanTrainer:
        return MeanTrainer(self, self.network, device, start)


class MeanTrainer(Learner[PellucidRecipe]):
    """The network and its step: each band's root mean square difference, its flux, its spread.

    The root gives noisy and clean images a like say.
    """

    def advance(self, batch: TrainingBatch, step: int) -> dict[str, float]:
        channels, sharp = grouped(batch, network_inputs(vars(self.config)), self.config.bands)
        with self.autocast():
            drawn = self.generator(channels).float()
        restored, spread = drawn.chunk(2, dim=1)
        square = (restored - sharp).square().mean(dim=(2, 3))
        root = (square + LEAST**2).sqrt().mean()
        stretch = stretch_from_dict(self.recipe.stretch)
        assert isinstance(stretch, NoiseStretch)
        light, true_light = (_in_noise(value, stretch) for value in (restored, sharp))
        flux = flux_loss(light, true_light)
        width = spread_loss(spread, (restored - sharp).detach())
        loss = root + self.recipe.flux_weight * flux + self.recipe.spread_weight * width
        if self.recipe.faint_weight:
            loss = loss + self.recipe.faint_weight * faint_loss(light, true_light)
        self.teach_generator(loss, self.recipe.decay_at(step), self.recipe.steepest)
        start = starting_planes(network_inputs(vars(self.config)), self.config.bands)
        wiener = (channels[:, start] - sharp).square().mean(dim=(2, 3))
        gain = 10.0 * torch.log10((wiener + 1e-9) / (square.detach() + 1e-9)).mean()
        return {
            "root_mean_square": float(root.detach()),
            "gain_over_wiener": float(gain),
            "flux": float(flux.detach()),
            "spread": float(width.detach()),
        }


def grouped(batch: TrainingBatch, inputs: Sequence[str], together: int) -> tuple[Tensor, Tensor]:
    """A batch's channels and truth, group after group of the bands that the network takes."""
    bands = batch.sharp.shape[1]
    groups = groups_of(bands, together)
    channels = [batch.blurred[:, reordered(inputs, group, bands)] for group in groups]
    return torch.cat(channels), torch.cat([batch.sharp[:, list(group)] for group in groups])


def _in_noise(value: Tensor, stretch: NoiseStretch) -> Tensor:
    """The network's range as flux in units of the noise."""
    low, high = (np.arcsinh(end / stretch.softening) for end in (stretch.low, stretch.high))
    depth = 0.5 * (value.clamp(-2.0, 2.0) + 1.0) * float(high - low) + float(low)
    return stretch.softening * torch.sinh(depth)


def flux_loss(restored: Tensor, sharp: Tensor) -> Tensor:
    """How far the flux in squares is off, in units of what can be known of it.

    That is the noise of so many pixels, or a hundredth of the flux where this is more. Both images
    are in units of the noise.
    """
    means = [torch.nn.functional.avg_pool2d(flux, APERTURE) for flux in (restored, sharp)]
    off = (means[0] - means[1]) / (1.0 / APERTURE + PRECISION * means[1].abs())
    return ((off.square() + 1.0).sqrt() - 1.0).mean()


def faint_loss(restored: Tensor, sharp: Tensor) -> Tensor:
    """Each band's root mean square difference where a unit of the noise is a large step.

    A galaxy's outskirts lie below the noise of a pixel; beside its core they would have no say.
    """
    faint = [torch.asinh(flux / FAINT) for flux in (restored, sharp)]
    return ((faint[0] - faint[1]).square().mean(dim=(2, 3)) + LEAST**2).sqrt().mean()


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

"""pellucid's sampler: skies that all explain the image, one a throw of the dice.

On top of the network that knows the mean and the spread, a smaller one turns random numbers into
what may differ from the mean, in units of the spread. A critic tells its skies from true ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from pellucid.data.channels import channel_count
from pellucid.networks.pellucid import CONSTANT, PellucidConfig, UNet
from pellucid.networks.pellucid import Generator as MeanGenerator

#: A wider spread, in the network's range, counts as this, and nothing lies so many spreads away.
WIDEST, FARTHEST = 0.1, 5.0


@dataclass(frozen=True)
class SamplerConfig:
    """The shape of the sampler.

    Parameters
    ----------
    mean
        Of the network that it stands on: what `PellucidConfig` takes.
    width, levels, blocks
        As there.
    inputs
        Those of the mean's network, with the dice before the constant ones.
    """

    mean: Mapping[str, Any] = field(default_factory=dict)
    bands: int = 3
    width: int = 24
    levels: int = 4
    blocks: int = 1
    inputs: tuple[str, ...] = ("image", "wiener", "weight", "dice", "grain", "fwhm")
    bandwise: bool = True
    spread: bool = True

    @property
    def below(self) -> PellucidConfig:
        """The mean's network."""
        return PellucidConfig(**self.mean)

    @property
    def own(self) -> PellucidConfig:
        """What its own levels are built as."""
        return PellucidConfig(width=self.width, levels=self.levels, blocks=self.blocks)

    @property
    def multiple(self) -> int:
        return max(self.below.multiple, self.own.multiple)

    @property
    def reach(self) -> int:
        return self.below.reach + self.own.reach


class Generator(nn.Module):
    """From some bands' channels with dice, (image, channel, y, x), to a sample and the spreads."""

    def __init__(self, config: SamplerConfig) -> None:
        super().__init__()
        self.below = MeanGenerator(config.below).requires_grad_(False)
        bands = config.bands
        channels = channel_count(config.inputs, bands) + 2 * bands
        self.own = UNet(bands, channels, bands, config.own.filters(), config.blocks)
        # Not zero, or no dice would ever be felt.
        nn.init.normal_(self.own.last.weight, std=0.02)
        known = [name for name in config.inputs if name not in ("dice", *CONSTANT)]
        self.before = channel_count(known, bands)

    def without_dice(self, channels: Tensor) -> Tensor:
        """What the mean's network is told."""
        return torch.cat([channels[:, : self.before], channels[:, -self.own.constants :]], dim=1)

    def forward(self, channels: Tensor) -> Tensor:
        with torch.no_grad():
            mean, spread = self.below(self.without_dice(channels)).chunk(2, dim=1)
        return torch.cat([self.sample(channels, mean, spread), spread], dim=1)

    def sample(self, channels: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
        """A sky, where the mean and the spread are known already."""
        drawn = self.own.drawn(torch.cat([mean, torch.log(spread) * 0.2 + 1.0, channels], dim=1))
        # Where the mean knows nothing, as at the edge of a hole, a sky would be drawn at random.
        return mean + spread.clamp(max=WIDEST) * drawn.clamp(-FARTHEST, FARTHEST)


class Critic(nn.Module):
    """Judges patches of 46 pixels of (sky, mean, spread): higher where they look true."""

    def __init__(self, width: int, bands: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        sides = ((3 * bands, width, 2), (width, 2 * width, 2), (2 * width, 4 * width, 2))
        for inputs, outputs, stride in sides:
            layers += [
                spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1)),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(
            *layers, spectral_norm(nn.Conv2d(4 * width, 1, 4, stride=1, padding=1))
        )

    def forward(self, sky: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
        # The difference is what it is about; in units of the spread faint and bright places count.
        told = [(sky - mean) / spread, mean, torch.log(spread) * 0.2 + 1.0]
        return self.layers(torch.cat(told, dim=1))

"""pellucid's own network: a U-Net that is told the blur, run on three bands at a time.

Its channels (see `pellucid.data.channels`) hold, beside the noisy image, what Wiener's filter makes
of it with the exact kernel at three regularisations. It adds to the middle one, and says how far
off it may be.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pellucid.data.channels import channel_count, starting_planes

#: Pixels of 2 × 2 are one place of the first level.
FOLD = 2
#: ln of the spread that an untrained network gives, in the network's range.
LOG_SPREAD = -5.0
#: The last channels are constant over an image: the noise's grain, then ln FWHM of each blur.
CONSTANT = ("grain", "fwhm")
#: About the mean of the last ones.
MIDDLE = 1.2


@dataclass(frozen=True)
class PellucidConfig:
    """The shape of the network.

    Parameters
    ----------
    bands
        How many it takes at a time: three, or one with a guide of all.
    width, levels
        Filters of the first level, which grow fourfold, and how many levels there are.
    blocks
        Residual blocks a level, on the way in and again on the way out.
    inputs
        The channels that it is told; the image comes first, the bank of Wiener results second, the
        constant ones last.
    bandwise
        It takes so many bands at a time, of however many there are.
    spread
        It returns twice as many planes as bands: what is restored, then the standard deviation.
    """

    bands: int = 3
    width: int = 64
    levels: int = 5
    blocks: int = 2
    inputs: tuple[str, ...] = ("image", "wiener", "weight", "grain", "fwhm")
    bandwise: bool = True
    spread: bool = True

    @property
    def multiple(self) -> int:
        """Image sides must be multiples of this."""
        return FOLD * 2 ** (self.levels - 1)

    @property
    def reach(self) -> int:
        """How far from a pixel, at most, lies what it is made from, in pixels."""
        sides = [FOLD * 2**level for level in range(self.levels)]
        convolutions = 4 * self.blocks  # of a level, on the way in and out
        inner = sum(convolutions * side for side in sides[:-1]) + convolutions // 2 * sides[-1]
        return inner + sum(sides) + 2 * FOLD

    def filters(self) -> list[int]:
        """Filters of each level, outermost first."""
        grown = (1.0, 1.5, 2.5, 4.0, 4.0, 4.0)
        return [round(self.width * factor / 8) * 8 for factor in grown[: self.levels]]


class UNet(nn.Module):
    """From so many channels to so many planes, a level a halving of the pixels.

    The last channels are constant over an image: they modulate every block (FiLM; Perez et al.
    2018, arXiv:1709.07871). There is no norm and no statistic over the image,
    so that tiles with a halo of the receptive field are exact.
    """

    def __init__(
        self, bands: int, channels: int, planes: int, filters: Sequence[int], blocks: int
    ) -> None:
        super().__init__()
        self.bands, self.constants = bands, channel_count(CONSTANT, bands)
        self.first = nn.Conv2d(channels, filters[0], 3 * FOLD, stride=FOLD, padding=FOLD)
        self.told = nn.Sequential(nn.Linear(self.constants, 64), nn.SiLU())
        self.inward = nn.ModuleList(_Level(width, blocks) for width in filters)
        self.down = nn.ModuleList(
            nn.Conv2d(finer, coarser, 2, stride=2) for finer, coarser in itertools.pairwise(filters)
        )
        self.up = nn.ModuleList(
            nn.Conv2d(coarser, 4 * finer, 1) for finer, coarser in itertools.pairwise(filters)
        )
        self.outward = nn.ModuleList(_Level(width, blocks) for width in filters[:-1])
        self.last = nn.Conv2d(filters[0], FOLD**2 * planes, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def drawn(self, channels: Tensor) -> Tensor:
        """Shape (image, channel, y, x) to (image, plane, y, x)."""
        # Of one pixel first: who runs the exported graph copies what is sliced.
        constant = channels.select(2, 0).select(2, 0)[:, -self.constants :]
        grain, fwhm = constant[:, : -self.bands], constant[:, -self.bands :]
        told = self.told(torch.cat([grain, fwhm - MIDDLE], dim=1))
        features = self.first(channels)
        skips = []
        for level, down in zip(self.inward, self.down, strict=False):
            features = level(features, told)
            skips.append(features)
            features = down(features)
        features = self.inward[-1](features, told)
        for level, up in zip(self.outward[::-1], self.up[::-1], strict=True):
            features = nn.functional.pixel_shuffle(up(features), 2) + skips.pop()
            features = level(features, told)
        return nn.functional.pixel_shuffle(self.last(features), FOLD)


class Generator(UNet):
    """From some bands' channels, (image, channel, y, x), to the restored bands and their spreads.

    Both are in the network's range; with the spread the result has twice as many planes as bands.
    """

    def __init__(self, config: PellucidConfig) -> None:
        channels = channel_count(config.inputs, config.bands)
        planes = config.bands * (2 if config.spread else 1)
        super().__init__(config.bands, channels, planes, config.filters(), config.blocks)
        self.start = starting_planes(config.inputs, config.bands)

    def forward(self, channels: Tensor) -> Tensor:
        drawn = self.drawn(channels)
        restored = self.started(channels) + drawn[:, : self.bands]
        if drawn.shape[1] == self.bands:
            return restored
        spread = torch.exp(drawn[:, self.bands :].clamp(-8.0, 8.0) + LOG_SPREAD)
        return torch.cat([restored, spread], dim=1)

    def started(self, channels: Tensor) -> Tensor:
        """The planes to which it adds; sliced, they would all be copied in the exported graph."""
        planes = range(channels.shape[1])[self.start]
        return torch.cat([channels.narrow(1, plane, 1) for plane in planes], dim=1)


class _Level(nn.Module):
    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        for block in self.blocks:
            features = block(features, told)
        return features


class _Block(nn.Module):
    """x + c₂(s · silu(c₁ x) + t), s and t from what the network is told."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.modulation = nn.Linear(64, 2 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        with torch.no_grad():
            self.second.weight.mul_(0.1)

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.modulation(told)[:, :, None, None].chunk(2, dim=1)
        inner = nn.functional.silu(self.first(features))
        return features + self.second(inner * (1.0 + scale) + shift)

"""GalaxyGAN's networks: the U-Net generator and the 70×70 patch discriminator of pix2pix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from pellucid.data.channels import IMAGE, channel_count, starting_planes

Norm = Literal["batch", "instance"]


@dataclass(frozen=True)
class GalaxyGANConfig:
    """The shape of both networks.

    Parameters
    ----------
    bands
        Channels in and out.
    width
        Filters of the first level; 64 in the paper. They double up to 8 times that.
    levels
        Halvings from the input to the bottleneck; sides must be multiples of 2^levels. 8 in the
        paper, whose images of 256 pixels end in a bottleneck of one.
    norm
        ``"instance"`` is what batch norm does at the paper's batch of one; ``"batch"`` for
        larger batches, folded into the convolutions for inference.
    dropout
        On the three innermost decoder levels, in training.
    inputs
        The channels that the generator is told, the image first; the image alone in the paper.
    residual
        The generator draws what is to be added, without a tanh: to Wiener's result where it is
        told one, else to the image. The paper's draws the whole image.
    fine
        Filters of two more convolutions, which see the input at its own resolution beside what
        the decoder draws; 0 in the paper, whose finest level has half of the pixels.
    """

    bands: int = 3
    width: int = 64
    levels: int = 8
    norm: Norm = "instance"
    dropout: float = 0.5
    inputs: tuple[str, ...] = IMAGE
    residual: bool = False
    fine: int = 0

    @property
    def multiple(self) -> int:
        """Image sides must be multiples of this."""
        return 2**self.levels


class Generator(nn.Module):
    """The U-Net: a degraded image in [−1, 1] to a restored one, shape (batch, band, y, x).

    Whatever else it is told follows the image's bands, as `pellucid.data.channels` makes it.

    Strided 4×4 convolutions down to a bottleneck, transposed ones back up, every decoder level
    fed by the encoder level of its size.

    References
    ----------
    Isola et al. 2017, CVPR, arXiv:1611.07004; Schawinski et al. 2017, doi:10.1093/mnrasl/slx008.
    """

    def __init__(self, config: GalaxyGANConfig) -> None:
        super().__init__()
        filters = [config.width * min(2**level, 8) for level in range(config.levels)]
        last = config.levels - 1
        self.encoder = nn.ModuleList(
            _Down(
                filters[level - 1] if level else channel_count(config.inputs, config.bands),
                filters[level],
                activate=level > 0,
                # One pixel has no spread: a norm on a 1×1 bottleneck would erase it.
                norm=config.norm if 0 < level < last else None,
            )
            for level in range(config.levels)
        )
        self.decoder = nn.ModuleList(
            _Up(
                filters[level] * (1 if level == last else 2),
                filters[level - 1] if level else config.fine or config.bands,
                norm=config.norm if level else None,
                dropout=config.dropout if level and level > last - 3 else 0.0,
            )
            for level in reversed(range(config.levels))
        )
        self.fine = _fine(config) if config.fine else None
        self.start = starting_planes(config.inputs, config.bands) if config.residual else None
        self.apply(_initialise)

    def forward(self, channels: Tensor) -> Tensor:
        features, skips = channels, []
        for down in self.encoder:
            features = down(features)
            skips.append(features)
        features = skips.pop()
        for up in self.decoder:
            features = up(features)
            if skips:
                features = torch.cat([features, skips.pop()], dim=1)
        if self.fine is not None:
            features = self.fine(torch.cat([features, channels], dim=1))
        return torch.tanh(features) if self.start is None else channels[:, self.start] + features


class Discriminator(nn.Module):
    """Judges 70×70 patches of (image, condition): logits, shape (batch, 1, y, x).

    The condition is the degraded image, whatever else the generator is told.
    """

    def __init__(self, config: GalaxyGANConfig) -> None:
        super().__init__()
        width = config.width
        layers: list[nn.Module] = [
            nn.Conv2d(2 * config.bands, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        ]
        for inputs, outputs, stride in (
            (width, 2 * width, 2),
            (2 * width, 4 * width, 2),
            (4 * width, 8 * width, 1),
        ):
            layers += [
                nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1),
                _norm(config.norm, outputs),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, padding=1))
        self.apply(_initialise)

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        return self.layers(torch.cat([image, condition], dim=1))


class _Down(nn.Module):
    def __init__(self, inputs: int, outputs: int, activate: bool, norm: Norm | None) -> None:
        super().__init__()
        self.activation = nn.LeakyReLU(0.2) if activate else nn.Identity()
        self.convolution = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)
        self.norm = _norm(norm, outputs)

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(self.convolution(self.activation(image)))


class _Up(nn.Module):
    def __init__(self, inputs: int, outputs: int, norm: Norm | None, dropout: float) -> None:
        super().__init__()
        self.convolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
        self.norm = _norm(norm, outputs)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        return self.dropout(self.norm(self.convolution(torch.relu(image))))


def _fine(config: GalaxyGANConfig) -> nn.Module:
    seen = config.fine + channel_count(config.inputs, config.bands)
    return nn.Sequential(
        nn.Conv2d(seen, config.fine, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(config.fine, config.bands, 3, padding=1),
    )


def _norm(kind: Norm | None, channels: int) -> nn.Module:
    if kind is None:
        return nn.Identity()
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels, affine=True)


def _initialise(module: nn.Module) -> None:
    """Weights N(0, 0.02), as the paper's code; norms' gains N(1, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)

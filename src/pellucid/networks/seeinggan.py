"""SeeingGAN's networks: a U-Net without norms that upsamples by sub-pixels, and its critic.

The paper leaves filters and kernel sizes open. Here strided convolutions are 4×4 as in pix2pix,
all others 3×3, and filters double from level to level.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

from pellucid.errors import InputError

#: Halvings on the way in, doublings on the way out.
LEVELS = 4


@dataclass(frozen=True)
class SeeingGANConfig:
    """The shape of both networks.

    Parameters
    ----------
    bands
        Channels in and out.
    width, critic_width
        Filters of the generator's and of the critic's first level. They double up to 8 times that.
    residual_blocks
        Between the way in and the way out; 4 in the paper.
    dropout
        In the critic, in training.
    conditional
        The critic judges (image, condition), not the image alone.
    size
        Side in pixels of the images that the critic judges, for which its fully connected head is
        built. The generator takes any side that is a multiple of ``multiple``.
    residual
        The generator draws what is to be added to its input. The paper's draws the whole image.
    smooth
        After each upsampling 1:2:1 of neighbours is taken along both axes, which leaves nothing of
        what alternates from pixel to pixel: the four sub-pixels of one, each drawn by kernels of
        its own, print a mesh (Sugawara et al. 2018, arXiv:1806.02658, who average two).
    """

    bands: int = 1
    width: int = 64
    residual_blocks: int = 4
    dropout: float = 0.5
    conditional: bool = True
    critic_width: int = 64
    size: int = 256
    residual: bool = False
    smooth: bool = False

    @property
    def multiple(self) -> int:
        """Image sides must be multiples of this."""
        return 2**LEVELS


class Generator(nn.Module):
    """A degraded image in [−1, 1] to a restored one, shape (batch, band, y, x).

    Four strided convolutions in, residual blocks, four sub-pixel upsamplings out, each of which
    also sees what the opposite strided convolution made. There is no norm anywhere.

    The output is tanh(drawn), in [−1, 1]. With ``residual`` it is image + drawn, without a tanh or
    a limit: an image that lies outside [−1, 1] keeps what lies there, and no gradient dies at the
    ends of the range.

    References
    ----------
    Gan, Bekki & Hashemizadeh 2021, arXiv:2103.09711; sub-pixels: Shi et al. 2016, arXiv:1609.05158.
    """

    def __init__(self, config: SeeingGANConfig) -> None:
        super().__init__()
        filters = _filters(config.width)
        inward = zip([config.bands, *filters], filters, strict=False)
        outward = zip(filters[::-1], [*filters[-2::-1], config.width], strict=True)
        self.encoder = nn.ModuleList(_Down(inputs, outputs) for inputs, outputs in inward)
        self.blocks = nn.Sequential(
            *(_Residual(filters[-1]) for _ in range(config.residual_blocks))
        )
        # What comes from below is as wide as the skip that joins it.
        self.decoder = nn.ModuleList(_Up(2 * i, o, config.smooth) for i, o in outward)
        self.last = nn.Conv2d(config.width, config.bands, 3, padding=1)
        self.residual = config.residual
        self.apply(_initialise)
        # Before the first step the tanh is in its linear part, and a residual is small.
        nn.init.normal_(self.last.weight, 0.0, 0.1 * (9 * config.width) ** -0.5)

    def forward(self, image: Tensor) -> Tensor:
        features, skips = image, []
        for down in self.encoder:
            features = down(features)
            skips.append(features)
        features = self.blocks(features)
        for up in self.decoder:
            features = up(torch.cat([features, skips.pop()], dim=1))
        drawn = self.last(features)
        return image + drawn if self.residual else torch.tanh(drawn)


class Critic(nn.Module):
    """How real (image, condition) looks, without bounds: shape (batch, 1).

    A strided convolution, three strided blocks, one that is not, a convolution to one map, and a
    fully connected layer over all of that map. The first convolution is strided as in PatchGAN,
    which the paper names as its model. The head sees every pixel's place, so that images must
    have the side ``config.size``, which is halved four times to at least two pixels: an instance
    norm needs two.
    """

    def __init__(self, config: SeeingGANConfig) -> None:
        super().__init__()
        if config.size % config.multiple or config.size < 2 * config.multiple:
            raise InputError(
                f"network: size {config.size} is no multiple of {config.multiple}"
                f" from {2 * config.multiple} up"
            )
        filters = _filters(config.critic_width)
        inputs = config.bands * (2 if config.conditional else 1)
        self.conditional = config.conditional
        self.size = config.size
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, filters[0], 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Dropout(config.dropout),
            *(_judge(*ends, 2, config.dropout) for ends in pairwise(filters)),
            _judge(filters[-1], filters[-1], 1, config.dropout),
            nn.Conv2d(filters[-1], 1, 3, padding=1),
            nn.Flatten(),
            nn.Linear((config.size // config.multiple) ** 2, 1),
        )
        self.apply(_initialise_critic)

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        if image.shape[-2:] != (self.size, self.size):
            rows, columns = image.shape[-2:]
            raise InputError(
                f"the critic judges {self.size} × {self.size} pixels, not {rows} × {columns};"
                f" set the network's size"
            )
        return self.layers(torch.cat([image, condition], dim=1) if self.conditional else image)


class _Down(nn.Sequential):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.ReLU())


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.second(torch.relu(self.first(features)))


class _Up(nn.Module):
    """Twice the side: every pixel's four channels become its four sub-pixels."""

    def __init__(self, inputs: int, outputs: int, smooth: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, 4 * outputs, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        self.smooth = smooth

    def forward(self, features: Tensor) -> Tensor:
        drawn = torch.relu(self.shuffle(self.convolution(features)))
        if self.smooth:
            drawn = avg_pool2d(pad(drawn, (1, 1, 1, 1), mode="replicate"), 2, stride=1)
            drawn = avg_pool2d(drawn, 2, stride=1)
        return drawn


def _judge(inputs: int, outputs: int, stride: int, dropout: float) -> nn.Sequential:
    # A 4×4 kernel cannot keep the side: where the stride is one, it is 3×3.
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 2 + stride, stride=stride, padding=1),
        nn.InstanceNorm2d(outputs, affine=True),
        nn.LeakyReLU(0.2),
        nn.Dropout(dropout),
    )


def _filters(width: int) -> list[int]:
    return [width * 2**level for level in range(LEVELS)]


def _initialise(module: nn.Module) -> None:
    """He's variance, in which features neither grow nor fade from layer to layer.

    A residual block starts as the identity: without norms, each would double the variance
    (Zhang et al. 2019, arXiv:1901.09321). The four kernels that paint one pixel's sub-pixels start
    equal, ICNR, which is a nearest-neighbour resize; unequal ones print a checkerboard (Aitken et
    al. 2017, arXiv:1707.02937).
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, _Residual):
        nn.init.zeros_(module.second.weight)
    elif isinstance(module, _Up):
        kernels = module.convolution.weight.data
        kernels.copy_(kernels[::4].repeat_interleave(4, dim=0))


def _initialise_critic(module: nn.Module) -> None:
    """N(0, 0.02) as PatchGAN: scores then slope by about one on galaxies, not by dozens."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)

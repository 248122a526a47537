"""A network that was trained on one band with a guide, as the beginning of one for several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pellucid.data.channels import CHANNELS
from pellucid.networks.pellucid import CONSTANT, FOLD, PellucidConfig


def widened(
    weights: Mapping[str, Tensor], one: PellucidConfig, several: PellucidConfig
) -> dict[str, Tensor]:
    """The weights of a network for several bands that draws in all of them what ``one`` draws of
    their mean.

    Parameters
    ----------
    weights
        Of the network whose shape is ``one``: of one band, with or without the guide.
    several
        The new network's shape, in all else like ``one``.
    """
    known, wanted = _planes(one.inputs, 1), _planes(several.inputs, several.bands)
    share = 1.0 / several.bands
    first = weights["first.weight"]
    of_band = {plane: first[:, k] for k, plane in enumerate(known)}
    if "guide" in one.inputs:  # it was the mean of what Wiener's filter makes of the bands
        of_band["wiener", 1] = of_band["wiener", 1] + of_band["guide", 0]
    constant, found = _planes(CONSTANT, 1), _planes(CONSTANT, several.bands)
    told = weights["told.0.weight"]
    last = {
        name: weights[name].unflatten(0, (-1, FOLD**2)).repeat_interleave(several.bands, 0)
        for name in ("last.weight", "last.bias")
    }
    return {
        **weights,
        "first.weight": share * torch.stack([of_band[plane] for plane in wanted], 1),
        "told.0.weight": share * torch.stack([told[:, constant.index(p)] for p in found], 1),
        **{name: value.flatten(0, 1) for name, value in last.items()},
    }


def _planes(inputs: Sequence[str], bands: int) -> list[tuple[str, int]]:
    """Of each plane of the channels its name, and which of a band's planes of that name it is."""
    planes: list[tuple[str, int]] = []
    for name in inputs:
        own, shared, _ = CHANNELS[name]
        planes += [(name, k) for _ in range(bands) for k in range(own)]
        planes += [(name, k) for k in range(shared)]
    return planes

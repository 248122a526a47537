"""The networks there are, by the name that recipes and cards give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import nn

from pellucid.networks import galaxygan, seeinggan


class Architecture(NamedTuple):
    """A generator, its adversary, and the frozen dataclass that shapes both."""

    config: type[galaxygan.GalaxyGANConfig] | type[seeinggan.SeeingGANConfig]
    generator: Callable[[Any], nn.Module]
    adversary: Callable[[Any], nn.Module]


ARCHITECTURES = {
    "galaxygan": Architecture(
        galaxygan.GalaxyGANConfig, galaxygan.Generator, galaxygan.Discriminator
    ),
    "seeinggan": Architecture(seeinggan.SeeingGANConfig, seeinggan.Generator, seeinggan.Critic),
}

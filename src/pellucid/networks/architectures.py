"""The networks there are, by the name that recipes and cards give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from torch import nn

from pellucid.networks import galaxygan, pellucid, sampler, seeinggan


class NetworkConfig(Protocol):
    """The shape of a network, as all of them tell it; a frozen dataclass."""

    @property
    def bands(self) -> int: ...  # channels of what is restored

    @property
    def width(self) -> int: ...  # filters of the first level

    @property
    def multiple(self) -> int: ...  # what image sides must be multiples of


class Architecture(NamedTuple):
    """A generator, and what shapes it."""

    config: Callable[..., NetworkConfig]
    generator: Callable[[Any], nn.Module]


ARCHITECTURES = {
    "galaxygan": Architecture(galaxygan.GalaxyGANConfig, galaxygan.Generator),
    "pellucid": Architecture(pellucid.PellucidConfig, pellucid.Generator),
    "pellucid-sampler": Architecture(sampler.SamplerConfig, sampler.Generator),
    "seeinggan": Architecture(seeinggan.SeeingGANConfig, seeinggan.Generator),
}

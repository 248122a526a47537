"""From a recipe to the networks that it trains."""

from __future__ import annotations

import copy
from typing import Any

import torch

from pellucid.errors import InputError
from pellucid.networks.architectures import ARCHITECTURES
from pellucid.networks.bundle import Bundle
from pellucid.networks.export import read_generator
from pellucid.networks.galaxygan import GalaxyGANConfig
from pellucid.networks.seeinggan import SeeingGANConfig
from pellucid.training.recipe import Recipe
from pellucid.training.step import Adversaries


def network_config(recipe: Recipe, bands: int) -> GalaxyGANConfig | SeeingGANConfig:
    """The shape that a recipe asks for, for images of so many bands.

    Raises
    ------
    InputError
        When there is no such network.
    """
    given: dict[str, Any] = {**recipe.network, "bands": bands}
    if recipe.model == "seeinggan":
        given["size"] = recipe.size
    try:
        config = ARCHITECTURES[recipe.model].config(**given)
    except TypeError as error:
        raise InputError(f"recipe {recipe.name}: network: {error}") from None
    if config.width < 1 or config.multiple < 4:
        raise InputError(
            f"recipe {recipe.name}: network: width {config.width}, sides of {config.multiple}; "
            "a width of 1 and two levels are needed"
        )
    for name, side in (("size", recipe.size), ("tile", recipe.tile or recipe.size)):
        if side % config.multiple:
            raise InputError(
                f"recipe {recipe.name}: {name} {side} is no multiple of {config.multiple}, "
                "as the network's levels need"
            )
    return config


def build_networks(
    config: GalaxyGANConfig | SeeingGANConfig,
    recipe: Recipe,
    device: torch.device,
    start: Bundle | None,
) -> Adversaries:
    """Both networks with their optimisers, untrained or from a trained one.

    Raises
    ------
    InputError
        When the trained one has another shape.
    """
    architecture = ARCHITECTURES[recipe.model]
    generator, discriminator = (
        network(config).to(device).to(memory_format=torch.channels_last)  # pyright: ignore
        for network in (architecture.generator, architecture.adversary)
    )
    if start is not None:
        _begin_with(generator, start, recipe, config)
    optimisers = [
        torch.optim.Adam(each.parameters(), recipe.learning_rate, betas=(recipe.beta1, 0.999))
        for each in (generator, discriminator)
    ]
    average = copy.deepcopy(generator).requires_grad_(False)
    return Adversaries(generator, discriminator, optimisers[0], optimisers[1], average)


def _begin_with(
    generator: torch.nn.Module,
    start: Bundle,
    recipe: Recipe,
    config: GalaxyGANConfig | SeeingGANConfig,
) -> None:
    # Weights that draw a residual fit a network that draws the whole, and mean nothing there.
    fits = start.card.network.get("residual", False) == getattr(config, "residual", False)
    weights = read_generator(start).state_dict()
    try:
        generator.load_state_dict(weights)
    except RuntimeError:
        fits = False
    if not fits:
        raise InputError(
            f"{start.path}: its network has another shape than recipe {recipe.name} asks for"
        )

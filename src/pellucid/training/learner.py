"""A generator that learns: how it is built and updated, and the running mean of it that ships."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Generic, TypeVar, get_type_hints

import torch
import torch.distributed as dist
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from pellucid.errors import InputError
from pellucid.networks.architectures import ARCHITECTURES, NetworkConfig
from pellucid.networks.bundle import Bundle
from pellucid.networks.export import read_generator
from pellucid.networks.pellucid import PellucidConfig
from pellucid.networks.widened import widened
from pellucid.training.recipe import Recipe

R = TypeVar("R", bound=Recipe)
#: Filters that a network has at most, and the multiple that sides must be of.
WIDEST = 4096


class Learner(Generic[R]):
    """A generator, its optimiser and its running mean; a paper's trainer adds its step.

    ``network`` holds the recipe's settings of the architecture, and what follows from the images;
    ``start`` is a trained network to begin with, None draws a random one.
    """

    def __init__(
        self, recipe: R, network: Mapping[str, Any], device: torch.device, start: Bundle | None
    ) -> None:
        self.recipe = recipe
        self.device = device
        self.config = network_config(recipe, network)
        self.generator = self.placed(ARCHITECTURES[recipe.model].generator(self.config))
        if start is not None:
            _begin_with(self.generator, start, recipe, self.config)
        self.generator_optimiser = self.optimiser(self.generator)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)

    def parts(self) -> dict[str, nn.Module | Optimizer]:
        return {
            "generator": self.generator,
            "average": self.average,
            "generator_optimiser": self.generator_optimiser,
        }

    def placed(self, network: nn.Module) -> nn.Module:
        return network.to(self.device).to(memory_format=torch.channels_last)  # pyright: ignore

    def optimiser(self, network: nn.Module) -> Optimizer:
        betas = (self.recipe.beta1, 0.999)
        if self.device.type != "cuda":
            # Fused: one pass over the weights in place of ten, a third of a wide network's step.
            return Adam(network.parameters(), self.recipe.learning_rate, betas=betas, fused=True)
        # On a GPU a step may be recorded, and what changes from step to step lies there.
        rate = torch.tensor(self.recipe.learning_rate, device=self.device)
        return Adam(network.parameters(), rate, betas=betas, capturable=True)

    def autocast(self) -> torch.autocast:
        """The precision that the recipe computes in, single where the device has no bf16."""
        enabled = self.recipe.precision == "bf16" and has_bf16(self.device)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def teach_generator(
        self, loss: Tensor, decay: float | Tensor, steepest: float | None = None
    ) -> None:
        """Update the generator, and the mean that follows it."""
        update(self.generator, self.generator_optimiser, loss, steepest)
        follow(self.average, self.generator, decay)


def has_bf16(device: torch.device) -> bool:
    """Whether a device computes in bf16 by itself; a processor that does not takes three times as
    long for it as for single precision."""
    if device.type != "cpu":
        return True
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    if able.get("architecture") != "x86_64":
        return True
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def network_config(recipe: Recipe, network: Mapping[str, Any]) -> NetworkConfig:
    """The shape of a recipe's network.

    Raises
    ------
    InputError
        When there can be no such network, or the recipe's images do not fit it.
    """
    kind = ARCHITECTURES[recipe.model].config
    hints, given = get_type_hints(kind), {}
    for name, value in network.items():
        fault = "unknown key"
        try:
            # A dataclass keeps a width that is a text.
            given[name] = TypeAdapter(hints[name]).validate_python(value)
        except ValidationError as error:
            fault = error.errors()[0]["msg"]
        except KeyError:
            pass
        if name not in given:
            raise InputError(f"recipe {recipe.name}: network.{name}: {fault}")
    try:
        config = kind(**given)
        multiple = config.multiple
    except (ValueError, TypeError, ArithmeticError) as error:
        raise InputError(f"recipe {recipe.name}: network: {error}") from None
    if not 1 <= config.width <= WIDEST or not 4 <= multiple <= WIDEST:
        raise InputError(
            f"recipe {recipe.name}: network: width {config.width}, sides of {multiple}; a width of "
            f"1 to {WIDEST} and two levels to {WIDEST.bit_length() - 1} are needed"
        )
    for name, side in (("size", recipe.size), ("tile", recipe.tile or recipe.size)):
        if side % config.multiple:
            raise InputError(
                f"recipe {recipe.name}: {name} {side} is no multiple of {config.multiple}, "
                "as the network's levels need"
            )
    return config


def _tuples(network: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in network.items()}


def _begin_with(generator: nn.Module, start: Bundle, recipe: Recipe, config: NetworkConfig) -> None:
    # Weights that draw a residual fit a network that draws the whole, and mean nothing there.
    fits = start.card.network.get("residual", False) == getattr(config, "residual", False)
    with torch.random.fork_rng():  # what comes next is drawn as it is without a start
        weights = read_generator(start).state_dict()
    before = start.card.network.get("bands"), getattr(config, "bandwise", False)
    if before == (1, True) and config.bands > 1:
        one = ARCHITECTURES[recipe.model].config(**_tuples(start.card.network))
        assert isinstance(one, PellucidConfig)
        assert isinstance(config, PellucidConfig)
        weights = widened(weights, one, config)
    try:
        generator.load_state_dict(weights)
    except RuntimeError:
        fits = False
    if not fits:
        raise InputError(
            f"{start.path}: its network has another shape than recipe {recipe.name} asks for"
        )


def pixel_loss(restored: Tensor, sharp: Tensor) -> Tensor:
    """Mean absolute difference in the network's range [−1, 1]."""
    return (restored.float() - sharp.float()).abs().mean()


def root_loss(restored: Tensor, sharp: Tensor) -> Tensor:
    """Root mean square difference of each image in the network's range [−1, 1], averaged."""
    square = (restored.float() - sharp.float()).square().mean(dim=(1, 2, 3))
    return (square + 1e-12).sqrt().mean()


def update(
    network: nn.Module, optimiser: Optimizer, loss: Tensor, steepest: float | None = None
) -> None:
    """One step down the loss's gradient, averaged over all processes.

    A gradient whose norm exceeds ``steepest`` is shortened to it.
    """
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    if dist.is_initialized():
        _average_gradients(network)
    if steepest is not None:
        nn.utils.clip_grad_norm_(network.parameters(), steepest)
    optimiser.step()


def _average_gradients(network: nn.Module) -> None:
    gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    pieces = flat.split([gradient.numel() for gradient in gradients])
    for gradient, piece in zip(gradients, pieces, strict=True):
        gradient.copy_(piece.view_as(gradient))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float | Tensor) -> None:
    """average ← decay · average + (1 − decay) · network, batch statistics included.

    Copying the statistics instead would pair them with weights of another time.
    """
    for mean, value in zip(
        average.state_dict().values(), network.state_dict().values(), strict=True
    ):
        if mean.is_floating_point():
            mean.lerp_(value, 1.0 - decay)
        else:
            mean.copy_(value)

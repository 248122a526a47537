"""What a run of pellucid's own study computes: one YAML file, one typed object."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from pellucid.settings import read_named, shipped_files
from pellucid.studies.pellucid.measures import Measures
from pellucid.training.pellucid import PellucidRecipe
from pellucid.training.sampler import SamplerRecipe


class Preset(BaseModel, extra="forbid", frozen=True):
    """Everything that decides what the study computes.

    ``recipe`` is that of the mean a band at a time, ``refined`` of what goes on with it,
    ``together`` of what goes on with that for three bands at a time, ``longer`` of what goes on
    with that in larger batches, as a GPU learns, and ``sampler`` of what draws samples about the
    latter.
    """

    name: str
    description: str = ""
    recipe: PellucidRecipe
    refined: PellucidRecipe
    together: PellucidRecipe
    longer: PellucidRecipe
    sampler: SamplerRecipe
    measures: Measures = Measures()


def read_preset(name: str | Path) -> Preset:
    """A preset that comes with pellucid, by name, or a YAML file."""
    return read_named(name, shipped_files("studies", "pellucid", "presets"), Preset)

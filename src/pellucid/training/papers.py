"""The papers whose recipes can be trained: a new one is a line here and a file beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Discriminator, Tag, TypeAdapter

from pellucid.errors import InputError
from pellucid.settings import read_named, shipped_files, top_level
from pellucid.training.galaxygan import GalaxyGANRecipe
from pellucid.training.pellucid import PellucidRecipe
from pellucid.training.recipe import Recipe
from pellucid.training.sampler import SamplerRecipe
from pellucid.training.seeinggan import SeeingGANRecipe


def model(recipe: object) -> object:
    """Which of them a recipe names; errors show this function's name to the user."""
    return recipe.get("model", "galaxygan") if isinstance(recipe, dict) else "galaxygan"


#: A recipe of any paper, told apart by its ``model``; a key of another paper is an error.
ANY_RECIPE = TypeAdapter(
    Annotated[
        Annotated[GalaxyGANRecipe, Tag("galaxygan")]
        | Annotated[SeeingGANRecipe, Tag("seeinggan")]
        | Annotated[PellucidRecipe, Tag("pellucid")]
        | Annotated[SamplerRecipe, Tag("pellucid-sampler")],
        Discriminator(model),
    ]
)


def read_recipe(name: str | Path) -> Recipe:
    """A recipe that comes with pellucid, by name, or a YAML file."""
    shipped = shipped_files("recipes")
    path = shipped.get(str(name), Path(name))
    if path.is_file() and "stages" in top_level(path):
        raise InputError(
            f"{path}: is the preset of a study; a recipe is what stands under a `recipe` of its "
            "`stages`, or seeinggan-small, which comes with pellucid"
        )
    return read_named(name, shipped, ANY_RECIPE, "recipe")

"""What a run of the GalaxyGAN study computes: one YAML file, one typed object."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, Field, PositiveFloat, PositiveInt, model_validator

from pellucid.data.splits import FOLDS
from pellucid.optics import Degradation
from pellucid.settings import read_named, shipped_files
from pellucid.training.galaxygan import GalaxyGANRecipe

#: FWHM of the added blur in arcsec, and noise in units of the original's.
Cell = tuple[PositiveFloat, PositiveFloat]
T = TypeVar("T")


def _each_once(values: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(values)) < len(values):
        raise ValueError("holds a value twice")
    return values


Axis = Annotated[tuple[PositiveFloat, ...], Field(min_length=1), AfterValidator(_each_once)]


class LearningCurve(BaseModel, extra="forbid", frozen=True):
    """Table 1d: cells, trained on fewer and fewer images."""

    cells: Annotated[tuple[Cell, ...], Field(min_length=1), AfterValidator(_each_once)] = (
        (1.8, 2.0),
    )
    images: Annotated[tuple[PositiveInt, ...], AfterValidator(_each_once)] = (5, 10, 100, 2000)
    folds: PositiveInt = 1


class Beginning(BaseModel, extra="forbid", frozen=True):
    """What the networks of a fold begin as: one trained on a single cell, for so many steps."""

    cell: Cell
    steps: PositiveInt


class Preset(BaseModel, extra="forbid", frozen=True):
    """Everything that decides what the study computes; an unknown key is an error.

    The grid, the folds and the learning curve are the paper's where nothing is said.
    """

    name: str
    description: str = ""
    #: Of the added blur, arcsec, and of the noise, in units of the original's.
    fwhm: Axis = (1.4, 1.8, 2.2, 2.5)
    noise: Axis = (1.0, 1.2, 2.0, 5.0, 10.0)
    #: So many of the ten folds are tested on, from the first one: by deconvolution, by the GAN.
    first_fold: Annotated[int, Field(ge=0, le=9)] = 0
    folds: Annotated[int, Field(ge=1, le=10)] = 10
    gan_folds: Annotated[int, Field(ge=1, le=10)] = 10
    #: Cells the GAN is trained for; None is the whole grid.
    gan_cells: Annotated[tuple[Cell, ...], AfterValidator(_each_once)] | None = None
    learning_curve: LearningCurve | None = LearningCurve()
    #: Objects tested on in each fold; None takes all of it.
    test_objects: PositiveInt | None = None
    #: Training objects on which the iterations of the fair deconvolutions are chosen.
    tuning_objects: PositiveInt = 16
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 2017
    #: How each cell's network is trained.
    recipe: GalaxyGANRecipe
    #: A network to begin each cell's with, in place of random weights: cells are much alike, so
    #: the ``steps`` of the recipe need only teach what is a cell's own.
    beginning: Beginning | None = None

    @model_validator(mode="after")
    def _there_are_such_cells_and_folds(self) -> Preset:
        if self.first_fold + max(self.folds, self.gan_folds) > FOLDS:
            raise ValueError(f"first_fold: from {self.first_fold} on there are not so many folds")
        asked = [("gan_cells", cell) for cell in self.cells_of_gan()]
        if self.learning_curve:
            asked += [("learning_curve.cells", cell) for cell in self.learning_curve.cells]
        if self.beginning:
            asked.append(("beginning.cell", self.beginning.cell))
        for key, cell in asked:
            if cell not in self.cells():
                raise ValueError(f"{key}: {list(cell)} lies outside the grid")
        if self.beginning and self.learning_curve:
            raise ValueError("learning_curve: what networks begin as has seen all images")
        return self

    def cells(self) -> list[Cell]:
        """The grid, row by row as Table 1 prints it: every FWHM of a noise level in turn."""
        return [(fwhm, noise) for noise in self.noise for fwhm in self.fwhm]

    def cells_of_gan(self) -> list[Cell]:
        """The part of the grid that networks are trained for."""
        return self.cells() if self.gan_cells is None else list(self.gan_cells)


def degradation(cell: Cell) -> Degradation:
    """What the authors' code did to an image: a kernel cut at 2 σ, one noise field for all bands.

    Schawinski et al. 2017, doi:10.1093/mnrasl/slx008, and their published code.
    """
    fwhm, noise = cell
    return Degradation(fwhm, noise, truncate=2.0, shared_noise=True, noise_estimate="galaxygan")


def read_preset(name: str | Path) -> Preset:
    """A preset that comes with pellucid, or a YAML file; see `pellucid.settings.read_named`."""
    return read_named(name, shipped_files("studies", "galaxygan", "presets"), Preset)

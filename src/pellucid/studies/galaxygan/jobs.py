"""The study as independent jobs, one a cell and fold: each leaves one file of scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.data.made import MadePairs
from pellucid.data.pairs import open_made
from pellucid.data.splits import FOLDS, Split, fold_of
from pellucid.errors import InputError
from pellucid.evaluation.scores import UNTOUCHED as DEGRADED
from pellucid.evaluation.scores import Scoring, Untouched, score_pairs
from pellucid.evaluation.tables import finite
from pellucid.evaluation.tuning import best_constant
from pellucid.networks.bundle import open_bundle
from pellucid.restoration import ClassicalRestorer, Restorer, load_restorer
from pellucid.studies.folder import do_once, locked, train_network
from pellucid.studies.galaxygan.preset import Cell, Preset, degradation
from pellucid.training.galaxygan import GalaxyGANRecipe

GAN = "gan"
#: The deconvolutions of the comparison.
COMPARED = ("wiener", "richardson-lucy", "blind", "richardson-lucy-paper", "blind-paper")
#: Deconvolutions whose iterations are chosen on training images, and what they choose from.
FAIR = ("richardson-lucy", "blind")
ITERATIONS = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50)
#: Training objects that only tell how training goes; neither trained nor tested on.
WATCHED = 16


@dataclass(frozen=True)
class Job:
    """One cell of the grid on one fold."""

    #: Every deconvolution, or one network trained and tested.
    kind: Literal["deconvolution", "gan"]
    #: The cell: arcsec, and units of the original's noise.
    fwhm: float
    noise: float
    #: The fold tested on.
    fold: int
    #: How many images a network is trained on; None takes all of the other folds.
    images: int | None = None

    @property
    def name(self) -> str:
        part = "" if self.images is None else f"-{self.images}-images"
        return f"{self.kind}-{self.fwhm:g}as-{self.noise:g}sigma-fold{self.fold}{part}"

    @property
    def cell(self) -> Cell:
        return self.fwhm, self.noise


def plan(preset: Preset) -> list[Job]:
    """Every job of a study: fold by fold, so that a study cut short has whole folds."""
    jobs = []
    for count in range(max(preset.folds, preset.gan_folds)):
        fold = preset.first_fold + count
        if count < preset.gan_folds:
            jobs += [Job("gan", *cell, fold) for cell in preset.cells_of_gan()]
        if count < preset.folds:
            jobs += [Job("deconvolution", *cell, fold) for cell in preset.cells()]
        curve = preset.learning_curve
        if curve and count < curve.folds:
            jobs += [
                Job("gan", *cell, fold, images) for cell in curve.cells for images in curve.images
            ]
    return jobs


def score_file(folder: Path, job: Job) -> Path:
    """Where a job leaves its scores; the job is done when the file is there."""
    return folder / "jobs" / f"{job.name}.json"


def run_job(folder: Path, preset: Preset, job: Job) -> None:
    """Do one job of the study in ``folder``, unless it is done; go on where it was stopped."""
    do_once(folder, job.name, score_file(folder, job), partial(_found, folder, preset, job))


def deconvolutions(iterations: Mapping[str, int]) -> dict[str, Restorer]:
    """Each deconvolution of the comparison by name.

    ``…-paper`` are MATLAB's at their defaults, as the authors ran them; the others have a sky
    pedestal and the ``iterations`` that were best on training images, by the names in `FAIR`. All
    are told the exact kernel of a cell, the blind ones as their start.
    """
    return {name: ClassicalRestorer(name, iterations.get(name)) for name in COMPARED}


def _found(folder: Path, preset: Preset, job: Job) -> dict[str, Any]:
    store = open_made(folder / "sample.h5").through(degradation(job.cell))
    fold = fold_for(store, preset, job.fold)
    restorers, settings = (_gan if job.kind == "gan" else _deconvolutions)(
        folder, preset, job, store, fold
    )
    scored = score_pairs(store, fold.tested, restorers, seed=preset.seed)
    scores = [some.metrics for some in scored]
    return {
        "job": asdict(job),
        "ids": [store.ids[index] for index in fold.tested],
        "settings": settings,
        "scores": {
            restorer: {
                metric: [finite(round(some[restorer][metric], 6)) for some in scores]
                for metric in metrics
            }
            for restorer, metrics in scores[0].items()
        },
    }


@dataclass(frozen=True)
class Fold:
    """Positions in the store: what a job may learn from, and what it is tested on."""

    training: NDArray[np.integer]
    tested: NDArray[np.integer]


def fold_for(store: MadePairs, preset: Preset, number: int) -> Fold:
    """A fold, the same for every cell and method, in the seed's order: less is a part of more."""
    folds = np.array([fold_of(name) for name in store.ids])
    order = np.random.default_rng([preset.seed, 4550]).permutation(len(folds))
    training, tested = order[folds[order] != number], order[folds[order] == number]
    trains = any(job.kind == "gan" and job.fold == number for job in plan(preset))
    least = WATCHED + 1 if trains else 1
    if len(training) < least or not len(tested):
        raise InputError(
            f"{store.path.parent}: of {len(store)} objects fold {number} leaves {len(tested)} to "
            f"test and {len(training)} to learn from; the sample is too small"
        )
    return Fold(training, np.sort(tested[: preset.test_objects]))


def _deconvolutions(
    folder: Path, preset: Preset, job: Job, store: MadePairs, fold: Fold
) -> tuple[dict[str, Restorer], dict[str, Any]]:
    places = map(int, fold.training[: preset.tuning_objects])
    pairs = {store.ids[place]: store.pair(place, preset.seed) for place in places}
    scoring = Scoring(metrics=["psnr"])
    iterations = {
        name: best_constant(name, ITERATIONS, pairs, scoring, "psnr", one_peak=True)
        for name in FAIR
    }
    restorers = {DEGRADED: Untouched(), **deconvolutions(iterations)}
    return restorers, {"iterations": iterations, "tuned_on": len(pairs)}


def _gan(
    folder: Path, preset: Preset, job: Job, store: MadePairs, fold: Fold
) -> tuple[dict[str, Restorer], dict[str, Any]]:
    import torch

    # The same result to the last bit wherever a job runs and however often it was interrupted;
    # and cores are better used by other jobs.
    torch.set_num_threads(1)
    watched, training = fold.training[:WATCHED], fold.training[WATCHED:][: job.images]
    rule = f"fold {job.fold} of {FOLDS} by SHA-256 of the object's id, and {len(watched)} to watch"
    split = Split(training, watched, rule)
    start = _beginning(folder, preset, job.fold, store, split)
    recipe = _recipe(preset, job.name, job.cell)
    model = train_network(folder, job.name, recipe, store, split, start)
    settings = {"trained_on": len(training), "steps": open_bundle(model).card.training["steps"]}
    return {GAN: load_restorer(model=model)}, settings


def _recipe(preset: Preset, name: str, cell: Cell) -> GalaxyGANRecipe:
    fwhm, noise = cell
    description = f'GalaxyGAN for {fwhm:g}" of blur and noise at {noise:g} sigma'
    return preset.recipe.model_copy(update={"name": name, "description": description})


def _beginning(
    folder: Path, preset: Preset, fold: int, store: MadePairs, split: Split
) -> Path | None:
    """What the networks of a fold begin as, trained by the first job that needs it.

    The others wait: there is nothing that they could do meanwhile.
    """
    if preset.beginning is None:
        return None
    cell, name = preset.beginning.cell, f"gan-beginning-fold{fold}"
    recipe = _recipe(preset, name, cell).model_copy(update={"steps": preset.beginning.steps})
    with locked(folder, name):
        return train_network(folder, name, recipe, store.through(degradation(cell)), split)

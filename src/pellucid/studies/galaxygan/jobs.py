"""The study as independent jobs, one a cell and fold: each leaves one file of scores."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.data.made import MadePairs
from pellucid.data.pairs import open_made
from pellucid.data.splits import FOLDS, Split, fold_of
from pellucid.errors import InputError, PellucidError
from pellucid.files import make_folder, write_content
from pellucid.metrics import measure
from pellucid.studies.galaxygan.comparison import FAIR, Restore, best_iterations, deconvolutions
from pellucid.studies.galaxygan.preset import Cell, Preset, degradation
from pellucid.studies.machine import machine

GAN = "gan"
DEGRADED = "degraded"
#: Training objects that only tell how training goes; neither trained nor tested on.
WATCHED = 16
#: Seconds to wait for another worker that holds a job, e.g. one that is just being killed.
PATIENCE = 10.0


@dataclass(frozen=True)
class Job:
    """One cell of the grid on one fold.

    Parameters
    ----------
    kind
        Every deconvolution, or one network trained and tested.
    fwhm, noise
        The cell: arcsec, and units of the original's noise.
    fold
        The fold tested on.
    images
        How many images a network is trained on; None takes all of the other folds.
    """

    kind: Literal["deconvolution", "gan"]
    fwhm: float
    noise: float
    fold: int
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
    for fold in range(max(preset.folds, preset.gan_folds)):
        if fold < preset.gan_folds:
            jobs += [Job("gan", *cell, fold) for cell in preset.cells_of_gan()]
        if fold < preset.folds:
            jobs += [Job("deconvolution", *cell, fold) for cell in preset.cells()]
        curve = preset.learning_curve
        if curve and fold < curve.folds:
            jobs += [Job("gan", *curve.cell, fold, images) for images in curve.images]
    return jobs


def score_file(folder: Path, job: Job) -> Path:
    """Where a job leaves its scores; the job is done when the file is there."""
    return folder / "jobs" / f"{job.name}.json"


def model_file(folder: Path, job: Job) -> Path:
    """Where a GAN job leaves its network."""
    return folder / "models" / f"{job.name}.onnx"


def run_job(folder: Path, preset: Preset, job: Job) -> None:
    """Do one job of the study in ``folder``, unless it is done; go on where it was stopped.

    A lock keeps this worker off a job that another one is at; that one will finish it.

    Raises
    ------
    InputError
        When the fold holds no object to test or to train on.
    """
    from filelock import FileLock, Timeout

    done = score_file(folder, job)
    locks = make_folder(folder / "work")
    try:
        with FileLock(locks / f"{job.name}.lock", timeout=PATIENCE):
            if not done.exists():
                _do(folder, preset, job)
    except Timeout:
        return


def _do(folder: Path, preset: Preset, job: Job) -> None:
    started = time.monotonic()
    store = open_made(folder / "sample.h5").through(degradation(job.cell))
    fold = fold_for(store, preset, job.fold)
    if job.kind == "gan":
        restorers, settings = _gan(folder, preset, job, store, fold)
    else:
        restorers, settings = _deconvolutions(preset, job, store, fold)
    result = {
        "job": asdict(job),
        "ids": [store.ids[index] for index in fold.tested],
        "settings": settings,
        "scores": _scores(store, fold.tested, restorers, preset.seed),
        "machine": machine(),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 1),
    }
    text = json.dumps(result, allow_nan=False)
    done = score_file(folder, job)
    make_folder(done.parent)
    write_content(done, text, overwrite=True)
    shutil.rmtree(folder / "work" / job.name, ignore_errors=True)


@dataclass(frozen=True)
class Fold:
    """Positions in the store: what a job may learn from, and what it is tested on."""

    training: NDArray[np.integer]
    tested: NDArray[np.integer]


def fold_for(store: MadePairs, preset: Preset, number: int) -> Fold:
    """A fold, the same for every cell and every method.

    Objects are taken in an order that the seed draws, so that less is a part of more.

    Raises
    ------
    InputError
        When there is too little to learn from, or nothing to test.
    """
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
    preset: Preset, job: Job, store: MadePairs, fold: Fold
) -> tuple[dict[str, Restore], dict[str, Any]]:
    pairs = [
        store.pair(int(index), preset.seed) for index in fold.training[: preset.tuning_objects]
    ]
    iterations = {name: best_iterations(name, pairs, job.cell) for name in FAIR}
    restorers = deconvolutions(job.cell, store.pixel_scale, iterations)
    untouched: dict[str, Restore] = {DEGRADED: lambda image: image}
    return untouched | restorers, {"iterations": iterations, "tuned_on": len(pairs)}


def _gan(
    folder: Path, preset: Preset, job: Job, store: MadePairs, fold: Fold
) -> tuple[dict[str, Restore], dict[str, Any]]:
    import torch

    from pellucid.restoration import load_restorer
    from pellucid.training.run import train

    # The same result to the last bit wherever a job runs and however often it was interrupted;
    # and cores are better used by other jobs.
    torch.set_num_threads(1)
    recipe = preset.recipe.model_copy(
        update={
            "name": job.name,
            "description": f'GalaxyGAN for {job.fwhm:g}" of blur and noise at {job.noise:g} sigma',
        }
    )
    watched, training = fold.training[:WATCHED], fold.training[WATCHED:]
    rule = f"fold {job.fold} of {FOLDS} by SHA-256 of the object's id, and {len(watched)} to watch"
    split = Split(training[: job.images], watched, rule)
    run = folder / "work" / job.name
    bundle = train(recipe, store, run, resume=True, split=split, progress=False).read_bytes()
    model = model_file(folder, job)
    make_folder(model.parent)
    write_content(model, bundle, overwrite=True)
    restorer = load_restorer(model=model)
    return {GAN: lambda image: restorer(image, psf=job.fwhm).image}, {
        "trained_on": len(split.training),
        "steps": recipe.steps,
    }


def _scores(
    store: MadePairs, indices: NDArray[np.integer], restorers: Mapping[str, Restore], seed: int
) -> dict[str, dict[str, list[float | None]]]:
    """Every metric of every restorer, one number an object; None where there is none."""
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in restorers}
    for index in indices:
        pair = store.pair(int(index), seed)
        for name, restore in restorers.items():
            try:
                rows[name].append(measure(restore(pair.blurred), pair.sharp, pair.blurred))
            except PellucidError as error:
                raise type(error)(f"{store.ids[index]}, {name}: {error}") from error
    return {
        name: {
            metric: [round(row[metric], 6) if math.isfinite(row[metric]) else None for row in some]
            for metric in some[0]
        }
        for name, some in rows.items()
    }

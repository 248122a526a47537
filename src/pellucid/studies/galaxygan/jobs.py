"""The study as independent jobs, one a cell and fold: each leaves one file of scores."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.data.pairs import PairStore, open_pairs
from pellucid.data.splits import FOLDS, Split, fold_of
from pellucid.deconvolution import METHODS, blind_richardson_lucy, richardson_lucy
from pellucid.errors import InputError
from pellucid.files import make_folder, write_atomically
from pellucid.image import SkyImage
from pellucid.metrics import compare
from pellucid.metrics.psnr import stretched_psnr
from pellucid.optics import gaussian_psf
from pellucid.studies.galaxygan.preset import Cell, Preset, degradation
from pellucid.studies.machine import machine

GAN = "gan"
DEGRADED = "degraded"
#: Iterations the fair deconvolutions choose from.
ITERATIONS = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50)
#: Training objects that only tell how training goes; neither trained nor tested on.
WATCHED = 16

Restore = Callable[[SkyImage], SkyImage]


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


def run_job(folder: Path, preset: Preset, job: Job, threads: int | None = None) -> None:
    """Do one job of the study in ``folder``, unless it is done; go on where it was stopped.

    A lock keeps a second worker off a job that another one still does.

    Raises
    ------
    InputError
        When the fold holds no object to test or to train on.
    """
    from filelock import FileLock

    done = score_file(folder, job)
    locks = make_folder(folder / "work")
    with FileLock(locks / f"{job.name}.lock"):
        if done.exists():
            return
        started = time.monotonic()
        store = open_pairs(folder / "sample.h5").through(degradation(job.cell))
        split = split_for(store, preset, job)
        do = _gan if job.kind == "gan" else _deconvolutions
        restorers, settings = do(folder, preset, job, store, split, threads)
        scores = _scores(store, split.validation, restorers, preset.seed, job.kind)
        result = {
            "job": asdict(job),
            "ids": [store.ids[index] for index in split.validation],
            "settings": settings,
            "scores": scores,
            "machine": machine(),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - started, 1),
        }
        text = json.dumps(result, allow_nan=False)
        make_folder(done.parent)
        write_atomically(done, lambda stream: stream.write(text.encode()), overwrite=True)
        shutil.rmtree(folder / "work" / job.name, ignore_errors=True)


def split_for(store: PairStore, preset: Preset, job: Job) -> Split:
    """What a job may learn from, and (as ``validation``) what it is tested on.

    Objects are taken in an order that the seed draws, so that less is a part of more.
    """
    folds = np.array([fold_of(name) for name in store.ids])
    order = np.random.default_rng([preset.seed, 4550]).permutation(len(folds))
    training, test = order[folds[order] != job.fold], order[folds[order] == job.fold]
    if not len(training) or not len(test):
        raise InputError(
            f"{store.path}: fold {job.fold} has {len(test)} objects to test and "
            f"{len(training)} to learn from; the sample is too small"
        )
    return Split(training, np.sort(test[: preset.test_objects]))


def pair(store: PairStore, index: int, seed: int) -> tuple[SkyImage, SkyImage]:
    """(sharp, degraded) of one object, its noise drawn from the seed and its id alone."""
    return store.pair(int(index), seed)


def deconvolutions(
    cell: Cell, pixel_scale: float, bands: int, iterations: Mapping[str, int]
) -> dict[str, Restore]:
    """Each deconvolution of the comparison, told the exact kernel of a cell.

    ``…-paper`` are MATLAB's at their defaults, as the authors ran them; the others have a sky
    pedestal and the ``iterations`` that were best on training images.
    """
    kernel = gaussian_psf(cell[0], pixel_scale, degradation(cell).truncate)
    stamps = np.asarray(kernel.for_bands(bands), dtype=np.float32)
    methods = METHODS | {name: partial(_FAIR[name], iterations=k) for name, k in iterations.items()}
    return {name: partial(_restored, method, stamps) for name, method in methods.items()}


def _restored(method: Callable[..., Any], stamps: NDArray[np.float32], image: SkyImage) -> SkyImage:
    return image.with_flux(method(image.flux, stamps))


def _blind(
    flux: NDArray[np.float32], stamps: NDArray[np.float32], iterations: int
) -> NDArray[np.float32]:
    return blind_richardson_lucy(flux, stamps, iterations)[0]


_FAIR: dict[str, Callable[..., NDArray[np.float32]]] = {
    "richardson-lucy": richardson_lucy,
    "blind": _blind,
}


def _deconvolutions(
    folder: Path, preset: Preset, job: Job, store: PairStore, split: Split, threads: int | None
) -> tuple[dict[str, Restore], dict[str, Any]]:
    chosen = split.training[: preset.tuning_objects]
    pairs = [pair(store, index, preset.seed) for index in chosen]
    iterations = {name: _best_iterations(name, pairs, job.cell) for name in _FAIR}
    sharp = pairs[0][0]
    assert sharp.pixel_scale is not None
    return (
        deconvolutions(job.cell, sharp.pixel_scale, len(sharp.flux), iterations),
        {"iterations": iterations, "tuned_on": len(pairs)},
    )


def _best_iterations(method: str, pairs: list[tuple[SkyImage, SkyImage]], cell: Cell) -> int:
    """The iterations with the highest mean PSNR; what comes after the peak is not tried."""
    best = (-math.inf, ITERATIONS[0])
    sharp = pairs[0][0]
    assert sharp.pixel_scale is not None
    for count in ITERATIONS:
        restore = deconvolutions(cell, sharp.pixel_scale, len(sharp.flux), {method: count})[method]
        psnr = float(
            np.mean([stretched_psnr(truth.flux, restore(image).flux) for truth, image in pairs])
        )
        if psnr < best[0]:
            break
        best = psnr, count
    return best[1]


def _gan(
    folder: Path, preset: Preset, job: Job, store: PairStore, split: Split, threads: int | None
) -> tuple[dict[str, Restore], dict[str, Any]]:
    import torch

    from pellucid.restoration import load_restorer
    from pellucid.training.loop import train

    if threads is not None:
        torch.set_num_threads(threads)
    recipe = preset.recipe.model_copy(
        update={
            "name": job.name,
            "description": f'GalaxyGAN for {job.fwhm:g}" of blur and noise at {job.noise:g} sigma',
        }
    )
    watched, training = split.training[:WATCHED], split.training[WATCHED:]
    if not len(training):
        raise InputError(f"{store.path}: {len(watched)} objects are too few to train on")
    rule = f"fold {job.fold} of {FOLDS} by SHA-256 of the object's id, and {len(watched)} to watch"
    learned = Split(training[: job.images], watched, rule)
    bundle = train(recipe, store, folder / "work" / job.name, resume=True, split=learned)
    model = model_file(folder, job)
    make_folder(model.parent)
    shutil.copyfile(bundle, model.with_suffix(".part"))
    model.with_suffix(".part").replace(model)
    restorer = load_restorer(model=model)
    return {GAN: lambda image: restorer(image, psf=job.fwhm).image}, {
        "trained_on": len(learned.training),
        "steps": recipe.steps,
    }


def _scores(
    store: PairStore,
    indices: NDArray[np.integer],
    restorers: Mapping[str, Restore],
    seed: int,
    kind: str,
) -> dict[str, dict[str, list[float | None]]]:
    """Every metric of every restorer, one number an object; None where there is none."""
    rows: dict[str, list[dict[str, float]]] = {}
    for index in indices:
        sharp, blurred = pair(store, index, seed)
        for name, image in _restorations(blurred, restorers, kind):
            rows.setdefault(name, []).append(compare(sharp, image))
    return {
        name: {
            metric: [round(row[metric], 6) if math.isfinite(row[metric]) else None for row in some]
            for metric in some[0]
        }
        for name, some in rows.items()
    }


def _restorations(
    blurred: SkyImage, restorers: Mapping[str, Restore], kind: str
) -> Iterator[tuple[str, SkyImage]]:
    if kind == "deconvolution":
        yield DEGRADED, blurred
    for name, restore in restorers.items():
        yield name, restore(blurred)

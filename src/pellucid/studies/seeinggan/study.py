"""The SeeingGAN study from fields of the sky to tables and figures (Gan et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from pellucid.batch.schedule import run_jobs
from pellucid.data.pairs import Pairs
from pellucid.errors import InputError
from pellucid.evaluation.tables import csv_text, json_text
from pellucid.files import make_folder
from pellucid.studies.folder import locked, prepared, require_training, write_tables
from pellucid.studies.seeinggan.figures import Gallery, draw_figures
from pellucid.studies.seeinggan.jobs import (
    SEEINGGAN,
    SUBARU,
    Job,
    collect,
    plan,
    restorers,
    run_job,
)
from pellucid.studies.seeinggan.preset import Preset
from pellucid.studies.seeinggan.readings import readings, readings_page
from pellucid.studies.seeinggan.sample import FILES, Parts, prepare_sample, real_store
from pellucid.studies.seeinggan.scores import FILE, read_layers, read_scores, read_second, rows
from pellucid.studies.seeinggan.tables import NAMES, markdown, summary


def run_study(
    preset: Preset,
    data: Path,
    output: Path,
    resume: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Callable[[Iterable[Any], int], Iterable[Any]] = lambda items, _: items,
    say: Callable[[str], None] = lambda text: None,
) -> Parts:
    """Do what is not done yet: pairs, networks, scores, tables and figures, in this order.

    Parameters
    ----------
    data
        Folder with ``hsc_hst_pairs`` (or its tar) and ``hst_galaxies.npz``, or with a ``pairs.h5``.
    output
        Folder of the study; the report is in its ``results``.
    resume
        Go on with a study that was begun there.
    workers, scheduler
        See `pellucid.batch.schedule.run_jobs`. A stage's network is trained alone, those of the
        layers beside each other, and galaxies are scored so.
    progress
        Wraps jobs that are done beside each other, e.g. to draw a bar, given their number.
    say
        Told what begins.
    """
    require_training("statmorph")
    _check_layers(preset)
    if not data.is_dir():
        raise InputError(f"{data}: no such folder")
    record = {"preset": preset.model_dump(mode="json"), "data": data.resolve().name}
    output = make_folder(output)
    # Workers elsewhere have another working directory.
    task = partial(run_job, preset, data.resolve(), output.resolve())
    with locked(output, "study", patience=0.0):
        say("preparing the pairs")
        prepare = partial(prepare_sample, preset, data, output)
        sample = prepared(output, record, resume, prepare, (*FILES, "work"))
        if not (output / FILE).exists():
            for jobs in plan(preset, sample, data):
                todo = [job for job in jobs if not job.done(output).exists()]
                _tell(preset, todo, say)
                ended = run_jobs(task, todo, workers, scheduler)
                for failure in progress(ended, len(todo)) if len(jobs) > 1 else ended:
                    if failure is not None:
                        raise failure.error
            collect(output, sample)
        write_results(preset, output, real_store(data, output), sample)
    return sample


def write_results(preset: Preset, output: Path, store: Pairs, sample: Parts) -> Path:
    """Tables and figures of a study whose galaxies are scored, in ``<output>/results``."""
    scores, settings = read_scores(output)
    measured = scores, read_second(output), read_layers(output)
    page = markdown(sample, *measured)
    compared = restorers(preset, output, settings["chosen"])
    gallery = Gallery(output, preset, store, scores, compared)
    both = {who: compared[who] for who in (SUBARU, SEEINGGAN)}
    restored = (gallery.restored(name, both) for name in scores)
    margin = preset.galaxies.margin_pixels()
    read = readings(restored, margin, {who: NAMES[who] for who in both}, preset.seed)
    run = {
        "preset": preset.model_dump(mode="json"),
        "galaxies": [vars(galaxy) for galaxy in sample.galaxies],
        "left_out": [vars(rejection) for rejection in sample.left_out],
        **settings,
    }
    texts = {
        "tables.md": f"# Preset {preset.name}: {preset.description}\n\n{page}",
        "readings.md": f"# Readings of the metrics, preset {preset.name}\n\n{readings_page(read)}",
        "tables.csv": csv_text(rows(*measured)),
        "tables.json": json_text(summary(scores)),
        "run.json": json_text(run),
    }
    results = write_tables(output, texts)
    draw_figures(gallery, results)
    return results


def _check_layers(preset: Preset) -> None:
    """Say before anything is done what would stop a perceptual loss hours later."""
    from pellucid.training.vgg19 import read_vgg19

    for stage, _ in preset.networks().values():
        if stage.recipe.perceptual_weight > 0:
            read_vgg19(stage.recipe.perceptual_layer, stage.recipe.perceptual_file)


def _tell(preset: Preset, jobs: list[Job], say: Callable[[str], None]) -> None:
    networks = preset.networks()
    for job in jobs:
        if job.name in networks:
            stage, _ = networks[job.name]
            say(f"training {job.name}: {stage.recipe.steps} steps on {stage.data} pairs")
    if any(job.galaxy is not None for job in jobs):
        say("scoring the galaxies")

"""The SeeingGAN study from fields of the sky to tables and figures (Gan et al. 2021)."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pellucid.data.pairs import Pairs
from pellucid.errors import InputError, PellucidError, TemporaryError
from pellucid.files import make_folder, write_content
from pellucid.studies.folder import RECORD, begin, require_training
from pellucid.studies.machine import machine
from pellucid.studies.seeinggan.comparison import (
    SEEINGGAN,
    SUBARU,
    Restore,
    deconvolutions,
    network,
)
from pellucid.studies.seeinggan.figures import Atlas, draw_figures
from pellucid.studies.seeinggan.preset import Preset
from pellucid.studies.seeinggan.sample import (
    REAL,
    SIMULATED,
    TUNING,
    Sample,
    prepare_sample,
    real_store,
)
from pellucid.studies.seeinggan.scores import FILE, read_scores, score_galaxies, to_json
from pellucid.studies.seeinggan.tables import as_csv, as_json, markdown
from pellucid.studies.seeinggan.training import check_layers, final_model, train_networks

Progress = Callable[[Iterable[Any], int], Iterable[Any]]


def run_study(
    preset: Preset,
    data: Path,
    output: Path,
    resume: bool = False,
    progress: Progress = lambda items, _: items,
    say: Callable[[str], None] = lambda text: None,
) -> Sample:
    """Do what is not done yet: pairs, networks, scores, tables and figures, in this order.

    Parameters
    ----------
    data
        Folder with ``hsc_hst_pairs`` (or its tar) and ``hst_galaxies.npz``, or with a ``pairs.h5``.
    output
        Folder of the study; the report is in its ``results``.
    resume
        Go on with a study that was begun there.
    progress
        Wraps the galaxies that are scored, e.g. to draw a bar, given their number.
    say
        Told what begins.

    Raises
    ------
    UsageError
        When the folder holds a study already, or another one, when a package is not installed, or
        VGG-19 lacks a layer that the preset names.
    InputError
        When the data are bad.
    TemporaryError
        When another run is at the same study.
    """
    require_training("statmorph")
    check_layers(preset)
    if not data.is_dir():
        raise InputError(f"{data}: no such folder")
    from filelock import FileLock, Timeout

    output = make_folder(output)
    try:
        with FileLock(make_folder(output / "work") / "study.lock", timeout=0):
            return _run(preset, data, output, resume, progress, say)
    except Timeout:
        raise TemporaryError(f"{output}: another run is at this study") from None


def _run(
    preset: Preset,
    data: Path,
    output: Path,
    resume: bool,
    progress: Progress,
    say: Callable[[str], None],
) -> Sample:
    record = {"preset": preset.model_dump(mode="json"), "data": data.resolve().name}
    begun = begin(output, record, resume)
    try:
        say("preparing the pairs")
        sample = prepare_sample(preset, data, output)
    except PellucidError:
        if begun:  # nothing to resume
            for name in (RECORD, REAL, TUNING, SIMULATED):
                (output / name).unlink(missing_ok=True)
            shutil.rmtree(output / "work", ignore_errors=True)
        raise
    train_networks(preset, data, output, say)
    store = real_store(data, output)
    if not (output / FILE).exists():
        say("scoring the galaxies")
        _score(preset, output, store, sample, progress)
    write_results(preset, output, store, sample)
    return sample


def write_results(preset: Preset, output: Path, store: Pairs, sample: Sample) -> Path:
    """Tables and figures of a study whose galaxies are scored, in ``<output>/results``."""
    scores, settings = read_scores(output)
    results = make_folder(output / "results")
    texts = {
        "tables.md": f"# Preset {preset.name}: {preset.description}\n\n" + markdown(sample, scores),
        "tables.csv": as_csv(scores),
        "tables.json": as_json(scores),
        "run.json": json.dumps(
            {
                "preset": preset.model_dump(mode="json"),
                "galaxies": [vars(each) for each in sample.galaxies],
                "left_out": [vars(each) for each in sample.left_out],
                **settings,
            },
            indent=1,
        )
        + "\n",
    }
    for name, text in texts.items():
        write_content(results / name, text, True)
    restorers, _ = _restorers(preset, output, store, sample)
    draw_figures(Atlas(output, preset, sample, store, scores, restorers), results)
    return results


def _score(preset: Preset, output: Path, store: Pairs, sample: Sample, progress: Progress) -> None:
    started = time.monotonic()
    restorers, settings = _restorers(preset, output, store, sample)
    scores = score_galaxies(
        store, sample.places("tested"), restorers, preset.galaxies.margin_pixels(), progress
    )
    text = to_json(
        scores,
        {
            "chosen": settings,
            "machine": machine(),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds_of_scoring": round(time.monotonic() - started, 1),
        },
    )
    write_content(output / FILE, text, overwrite=True)


def _restorers(
    preset: Preset, output: Path, store: Pairs, sample: Sample
) -> tuple[dict[str, Restore], dict[str, float]]:
    classical, settings = deconvolutions(preset, store, sample.places("learned"))
    own = network(final_model(preset, output))
    return {SUBARU: lambda image: image, **classical, SEEINGGAN: own}, settings

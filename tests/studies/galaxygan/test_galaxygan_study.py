"""The GalaxyGAN study whole: what it leaves, and that nothing stops it for good."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cluster import PATIENCE, dask_cluster, wait_until

pytest.importorskip("torch")

from pellucid.cli import main
from pellucid.data.folder import Cut
from pellucid.data.pairs import open_made
from pellucid.data.splits import fold_of, known_mask
from pellucid.errors import UsageError
from pellucid.metrics import stretched_psnr
from pellucid.networks.bundle import open_bundle
from pellucid.studies.folder import model_file
from pellucid.studies.galaxygan import jobs
from pellucid.studies.galaxygan.jobs import (
    COMPARED,
    ITERATIONS,
    WATCHED,
    Job,
    deconvolutions,
    fold_for,
    plan,
    run_job,
    score_file,
)
from pellucid.studies.galaxygan.preset import Preset, degradation, read_preset
from pellucid.studies.galaxygan.report import write_results
from pellucid.studies.galaxygan.study import run_study
from pellucid.studies.sample import SampleRecipe


@pytest.fixture(scope="module")
def whole(galaxies, tiny, tmp_path_factory) -> Path:
    """The tiny study, never interrupted."""
    output = tmp_path_factory.mktemp("study") / "whole"
    with one_core():
        outcome = run_study(read_preset(tiny), recipe(galaxies), output, workers=1)
    assert outcome.complete
    assert outcome.failures == []
    write_results(output)
    return output


@contextmanager
def one_core() -> Iterator[None]:
    """Workers see one core, and so train on one thread: to the same bits, however often."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("needs to choose its cores")
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def recipe(data: Path) -> SampleRecipe:
    return SampleRecipe(data, None, None, Cut(("g", "r", "i")))


def words(data: Path, output: Path, preset: str | Path, *more: str) -> list[str]:
    command = ["study", "galaxygan", "--data", data, "--output", output, "--preset", preset]
    return [*map(str, command), *more]


def measured(folder: Path) -> dict[str, dict]:
    """What every job found, without when and where."""
    found = {path.name: json.loads(path.read_text()) for path in (folder / "jobs").glob("*.json")}
    kept = ("job", "scores", "ids", "settings")
    return {name: {key: result[key] for key in kept} for name, result in found.items()}


def tables(folder: Path) -> dict[str, str]:
    names = ("tables.json", "tables.csv", "tables.md")
    return {name: (folder / "results" / name).read_text() for name in names}


def times(folder: Path) -> dict[str, int]:
    found = [*folder.glob("jobs/*"), *folder.glob("models/*")]
    return {str(path): path.stat().st_mtime_ns for path in found}


# --- a whole study on the command line -------------------------------------------------------


@pytest.fixture(scope="module")
def smoke(galaxies, tmp_path_factory) -> Path:
    """The smoke preset, as a person runs it."""
    output = tmp_path_factory.mktemp("smoke") / "out"
    assert main(words(galaxies, output, "smoke")) == 0
    return output


def test_the_smoke_preset_leaves_every_file_it_planned(smoke):
    planned = plan(read_preset("smoke"))
    assert {path.name for path in (smoke / "jobs").iterdir()} == {f"{j.name}.json" for j in planned}
    networks = {job.name for job in planned if job.kind == "gan"}
    models = {path.name for path in (smoke / "models").iterdir()}
    assert models == {f"{name}.{kind}" for name in networks for kind in ("onnx", "jsonl")}
    results = {path.name for path in (smoke / "results").iterdir()}
    assert {"tables.json", "tables.csv", "tables.md", "run.json"} <= results
    figures = {"figure-2.png", "figure-3.png", "figure-4.png"}
    figures |= {f"figure-a1-{part}.png" for part in ("degraded", "gan", "deconvolved")}
    assert figures <= results
    # Of training nothing is left but the locks.
    assert {path.suffix for path in (smoke / "work").iterdir()} == {".lock"}


def test_each_job_scores_its_fold_by_every_method(smoke):
    deconvolved = {"degraded", *COMPARED}
    for name, result in measured(smoke).items():
        job = Job(**result["job"])
        assert name == f"{job.name}.json"
        assert {fold_of(each) for each in result["ids"]} == {job.fold}
        assert set(result["scores"]) == ({"gan"} if job.kind == "gan" else deconvolved)
        for metrics in result["scores"].values():
            assert {"psnr", "ssim", "flux_ratio"} <= set(metrics)
            assert {len(values) for values in metrics.values()} == {len(result["ids"])}
            assert all(value is not None for value in metrics["psnr"])


def test_no_network_was_tested_on_what_it_had_seen_and_fewer_images_are_a_part_of_more(smoke):
    store = open_made(smoke / "sample.h5")
    trained: dict[int | None, set[str]] = {}
    for result in measured(smoke).values():
        job = Job(**result["job"])
        if job.kind == "deconvolution":
            continue
        packed = open_bundle(model_file(smoke, job.name)).card.training["trained_ids"]
        assert not known_mask(packed, result["ids"]).any()
        known = {store.ids[place] for place in np.flatnonzero(known_mask(packed, store.ids))}
        assert len(known) == result["settings"]["trained_on"]
        assert len(known) == (job.images or 24 - WATCHED)
        if job.fold == 0 and job.cell == (1.4, 2.0):
            trained[job.images] = known
    assert trained[2] < trained[4] < trained[None]


def test_the_tables_are_means_over_folds_of_the_jobs_scores(smoke):
    text = tables(smoke)
    rows = json.loads(text["tables.json"])
    assert len(list(csv.DictReader(io.StringIO(text["tables.csv"])))) == len(rows)
    results = [each for each in measured(smoke).values() if each["job"]["images"] is None]
    for restorer, kind in (("gan", "gan"), ("blind-paper", "deconvolution")):
        folds = [
            np.mean(each["scores"][restorer]["psnr"])
            for each in results
            if each["job"]["kind"] == kind and each["job"]["fwhm"] == 2.5
        ]
        (row,) = (
            row
            for row in rows
            if (row["restorer"], row["metric"], row["fwhm"]) == (restorer, "psnr", 2.5)
        )
        assert row["folds"] == 2
        assert row["mean"] == pytest.approx(np.mean(folds), abs=1e-5)
        assert f"{row['mean']:.1f}" in text["tables.md"]


def test_what_is_done_is_not_done_again(smoke, galaxies, capsys):
    before = times(smoke)
    assert main(words(galaxies, smoke, "smoke")) == 2
    assert "--resume" in capsys.readouterr().err
    assert main(words(galaxies, smoke, "smoke", "--resume")) == 0
    for job in plan(read_preset("smoke")):
        run_job(smoke, read_preset("smoke"), job)
    assert times(smoke) == before


# --- what is tuned ---------------------------------------------------------------------------


def test_iterations_are_those_that_were_best_on_training_images(whole, tiny):
    preset, job = read_preset(tiny), Job("deconvolution", 1.8, 2.0, 1)
    settings = json.loads(score_file(whole, job).read_text())["settings"]
    store = open_made(whole / "sample.h5").through(degradation(job.cell))
    training = fold_for(store, preset, job.fold).training[: preset.tuning_objects]
    pairs = [store.pair(int(index), preset.seed) for index in training]
    assert settings["tuned_on"] == len(pairs) == 2
    assert set(settings["iterations"]) == {"richardson-lucy", "blind"}
    for method, chosen in settings["iterations"].items():
        psnr = {}
        for count in ITERATIONS:
            restorer = deconvolutions({method: count})[method]
            psnr[count] = np.mean(
                [
                    stretched_psnr(pair.sharp.flux, restorer(pair.blurred, pair.blur).image.flux)
                    for pair in pairs
                ]
            )
        assert chosen == max(psnr, key=lambda count: psnr[count])


# --- what stops a study ----------------------------------------------------------------------


def test_a_study_killed_while_it_trains_ends_as_if_it_never_was(whole, galaxies, tiny, tmp_path):
    output = tmp_path / "killed"
    command = words(galaxies, output, tiny, "--workers", "1")
    job = Job("gan", 1.8, 2.0, 0)
    checkpoint = output / "work" / job.name / "checkpoint.safetensors"
    with one_core():
        study = subprocess.Popen(
            [sys.executable, "-m", "pellucid", *command],
            start_new_session=True,  # so that its workers can be killed with it
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: checkpoint.exists() or study.poll() is not None)
        os.killpg(study.pid, signal.SIGKILL)
        study.wait()
        assert checkpoint.exists()
        assert not score_file(output, job).exists()
        assert main([*command, "--resume"]) == 0
    assert measured(output) == measured(whole)
    assert tables(output) == tables(whole)


def test_two_shares_in_one_folder_make_the_whole(whole, galaxies, tiny, tmp_path):
    preset, output = read_preset(tiny), tmp_path / "shares"
    with one_core():
        first = run_study(preset, recipe(galaxies), output, workers=1, shard="1/2")
        second = run_study(preset, recipe(galaxies), output, workers=1, shard="2/2")
    assert (first.done, first.complete) == (2, False)
    assert (second.done, second.complete) == (3, True)
    assert measured(output) == measured(whole)


def test_a_cluster_that_loses_a_worker_in_training_makes_the_same(whole, galaxies, tiny, tmp_path):
    distributed = pytest.importorskip("distributed")
    output = tmp_path / "cluster"
    job = Job("gan", 1.8, 2.0, 0)
    checkpoint = output / "work" / job.name / "checkpoint.safetensors"
    with one_core(), dask_cluster(tmp_path) as (address, _), ThreadPoolExecutor(1) as thread:
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
            workers = client.run(os.getpid)
            study = thread.submit(
                run_study, read_preset(tiny), recipe(galaxies), output, scheduler=address
            )
            wait_until(lambda: checkpoint.exists() or study.done())
            busy = [at for at, keys in client.processing().items() if job.name in str(keys)]
            os.kill(workers[busy[0]], signal.SIGKILL)
            assert not score_file(output, job).exists()
        outcome = study.result(timeout=PATIENCE)
    assert outcome.complete
    assert outcome.failures == []
    assert measured(output) == measured(whole)


def test_of_two_who_are_given_one_job_one_does_it(whole, tiny, tmp_path, monkeypatch):
    folder = shutil.copytree(whole, tmp_path / "copy")
    job = Job("deconvolution", 1.8, 2.0, 0)
    score_file(folder, job).unlink()
    both_there, begun = threading.Barrier(2, timeout=PATIENCE), []
    honest = jobs._deconvolutions

    def counted(*arguments):
        begun.append(threading.get_ident())
        return honest(*arguments)

    def one(_: int) -> None:
        both_there.wait()
        run_job(folder, read_preset(tiny), job)

    monkeypatch.setattr(jobs, "_deconvolutions", counted)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(one, range(2)))
    assert len(begun) == 1
    assert measured(folder) == measured(whole)


def test_another_preset_or_sample_does_not_go_into_the_same_folder(whole, galaxies, tiny, tmp_path):
    preset = read_preset(tiny)
    other = preset.model_copy(update={"seed": preset.seed + 1})
    before = times(whole)
    smaller = replace(recipe(galaxies), cut=Cut(("g", "r", "i"), size=32))
    for changed, sample, what in (
        (other, recipe(galaxies), "preset"),
        (preset, smaller, "sample"),
    ):
        with pytest.raises(UsageError, match=f"begun with another {what}"):
            run_study(changed, sample, whole, resume=True)
    with pytest.raises(UsageError, match="--resume"):
        run_study(preset, recipe(galaxies), whole)
    assert times(whole) == before
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"holds no study but notes\.txt"):
        run_study(preset, recipe(galaxies), tmp_path)
    assert Preset.model_validate(json.loads((whole / "study.json").read_text())["preset"]) == preset

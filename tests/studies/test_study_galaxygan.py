"""The GalaxyGAN study: what it plans, what each job sees, and that nothing stops it for good."""

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
from astropy.io import fits
from numpy.testing import assert_allclose, assert_array_equal
from test_schedule import PATIENCE, dask_cluster, wait_until

pytest.importorskip("torch")

from pellucid.cli import main
from pellucid.data.folder import Cut
from pellucid.data.made import write_pairs
from pellucid.data.pairs import Pairs, open_made
from pellucid.data.splits import FOLDS, fold_of, known_mask
from pellucid.deconvolution import METHODS
from pellucid.errors import InputError, UsageError
from pellucid.metrics import stretched_psnr
from pellucid.networks.bundle import open_bundle
from pellucid.sky.image import SkyImage
from pellucid.studies.galaxygan import jobs
from pellucid.studies.galaxygan.comparison import ITERATIONS, deconvolutions
from pellucid.studies.galaxygan.jobs import (
    WATCHED,
    Job,
    fold_for,
    model_file,
    plan,
    run_job,
    score_file,
)
from pellucid.studies.galaxygan.preset import (
    Cell,
    Preset,
    degradation,
    read_preset,
    shipped_presets,
)
from pellucid.studies.galaxygan.report import write_results
from pellucid.studies.galaxygan.study import run_study
from pellucid.studies.sample import SampleRecipe

SCALE = 0.396
CELLS = [(1.4, 1.0), (1.8, 2.0), (2.5, 10.0)]

#: One cell on two folds: four jobs, two of them networks.
TINY = """\
name: tiny
fwhm: [1.8]
noise: [2]
folds: 2
gan_folds: 2
learning_curve: null
tuning_objects: 2
recipe:
  name: tiny
  network: {width: 2, levels: 3, norm: batch}
  stretch: {name: galaxygan, clip: false}
  size: 32
  batch: 2
  steps: 40
  average_decay: 0.5
  checkpoint_every: 2
  validate_every: 40
  validation_images: 1
  seed: 1
"""


@pytest.fixture(scope="module")
def galaxies(deep_field, tmp_path_factory) -> Path:
    """26 galaxies as the paper's authors laid them out, with a catalogue; folds 0 and 1 have two
    each, so that eight are left to train on."""
    folder = tmp_path_factory.mktemp("sample") / "galaxies"
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "BUNIT": "nanomaggy"})
    header.update({"CDELT1": -SCALE / 3600, "CDELT2": SCALE / 3600})
    rows = ["id,z"]
    for k in range(26):
        name = str(587722981736120347 + k)
        (folder / name).mkdir(parents=True)
        cut = deep_field.cutout(60 * (k % 13), 37 * k, 48, 48)
        for band, plane in zip("gri", cut.flux, strict=True):
            fits.PrimaryHDU(plane, header).writeto(folder / name / f"{name}-{band}.fits")
        rows.append(f"{name},0.015")
    (folder / "catalogue.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """The tiny preset's file."""
    path = tmp_path_factory.mktemp("preset") / "tiny.yaml"
    path.write_text(TINY)
    return path


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


@pytest.fixture(scope="module")
def store(deep_field, tmp_path_factory) -> Pairs:
    """150 small patches of the deep field: enough for every fold."""
    patches = [
        (f"{587722981736120347 + k}", deep_field.cutout(5 * k, 6 * k, 16, 16)) for k in range(150)
    ]
    path = tmp_path_factory.mktemp("store") / "many.h5"
    write_pairs(path, patches, [])
    return open_made(path)


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


# --- presets ---------------------------------------------------------------------------------


def test_every_preset_that_ships_can_be_read():
    assert {"smoke", "quick", "paper"} <= set(shipped_presets())
    for name in shipped_presets():
        assert read_preset(name).name == name


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("folds: 2", "fold: 2", "fold"),
        ("steps: 40", "step: 40", r"recipe\.step"),
        ("folds: 2", "folds: 11", "folds"),
        ("steps: 40", "steps: 0", r"recipe\.steps"),
        ("fwhm: [1.8]", "fwhm: []", "fwhm"),
        ("folds: 2", "gan_cells: [[1.4, 2]]", r"\[1\.4, 2\.0\] lies outside the grid"),
        ("learning_curve: null", "learning_curve: {cell: [1.8, 5]}", "outside the grid"),
        ("learning_curve: null", "learning_curve: {cells: [1.8, 2]}", r"learning_curve\.cells"),
        ("name: tiny", "name: [tiny", "is no YAML"),
        ("name: tiny", "name: \x00", "is no YAML"),
        (TINY, "", "preset"),
    ],
)
def test_a_bad_preset_is_refused_by_file_and_key(tmp_path, old, new, key):
    path = tmp_path / "bad.yaml"
    path.write_text(TINY.replace(old, new, 1))
    with pytest.raises(InputError, match=rf"bad\.yaml: .*{key}") as caught:
        read_preset(path)
    assert "\n" not in str(caught.value)


def test_a_preset_that_is_not_there_is_a_mistake_of_the_command():
    with pytest.raises(UsageError, match="smoke"):
        read_preset("smok")


# --- the plan --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["smoke", "quick", "paper"])
def test_a_plan_has_every_cell_and_fold_once(name):
    preset = read_preset(name)
    planned = plan(preset)
    curve = preset.learning_curve
    assert curve is not None
    expected = [
        Job("deconvolution", *cell, k) for cell in preset.cells() for k in range(preset.folds)
    ]
    expected += [
        Job("gan", *cell, k) for cell in preset.cells_of_gan() for k in range(preset.gan_folds)
    ]
    expected += [Job("gan", *curve.cell, k, n) for n in curve.images for k in range(curve.folds)]
    assert len({job.name for job in planned}) == len(planned)
    assert sorted(job.name for job in planned) == sorted(job.name for job in expected)


def test_the_papers_plan_is_the_papers():
    preset = read_preset("paper")
    planned = plan(preset)
    assert len(preset.cells()) == 20
    assert sum(job.kind == "gan" and job.images is None for job in planned) == 200
    assert {job.images for job in planned} == {None, 5, 10, 100, 2000}


# --- who learns and who is tested ------------------------------------------------------------


def test_no_object_stands_on_both_sides_and_each_is_tested_once(store):
    preset = read_preset("paper")
    tested = []
    for fold in range(FOLDS):
        part = fold_for(store, preset, fold)
        both = np.concatenate([part.training, part.tested])
        assert_array_equal(np.sort(both), np.arange(len(store)))
        assert {fold_of(store.ids[index]) for index in part.tested} == {fold}
        tested += list(part.tested)
    assert_array_equal(np.sort(tested), np.arange(len(store)))


def test_fewer_tested_objects_are_a_part_of_all(store):
    preset = read_preset("paper")
    whole = fold_for(store, preset, 0)
    few = fold_for(store, preset.model_copy(update={"test_objects": 3}), 0)
    assert len(few.tested) == 3 < len(whole.tested)
    assert set(few.tested) < set(whole.tested)
    assert_array_equal(few.training, whole.training)


def test_a_sample_that_is_too_small_is_refused(store, deep_field, tmp_path, tiny):
    preset = read_preset(tiny)
    alone = replace(store, ids=[store.ids[1]] * 3)  # of fold 5
    for fold in (0, 5):
        with pytest.raises(InputError, match="too small"):
            fold_for(alone, preset, fold)
    patches = [
        (f"{587722981736120347 + k}", deep_field.cutout(9 * k, 0, 32, 32)) for k in range(12)
    ]
    write_pairs(tmp_path / "sample.h5", patches, [])
    with pytest.raises(InputError, match="the sample is too small"):
        run_job(tmp_path, preset, Job("gan", 1.8, 2.0, 0))
    assert not (tmp_path / "jobs").exists()


# --- the degradation, as the authors had it --------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_the_kernel_ends_at_two_sigma(cell):
    sigma = cell[0] / SCALE / 2.355
    half = int(np.ceil(2 * sigma))
    seen = blurred_point(cell)
    offset = np.arange(-15, 16)
    profile = np.where(abs(offset) <= half, np.exp(-(offset**2) / (2 * sigma**2)), 0.0)
    expected = np.outer(profile, profile) / profile.sum() ** 2
    assert_allclose(seen, expected, atol=2e-4 * expected.max())
    assert np.count_nonzero(seen > 1e-3 * expected[15, 15 - half]) == (2 * half + 1) ** 2


def blurred_point(cell: Cell) -> np.ndarray:
    """The point-spread function of a cell's degradation, 31 × 31 pixels, without its noise."""
    flux = np.zeros((3, 31, 31), np.float32)
    flux[:, 15, 15] = 1.0
    point = SkyImage(flux, bands=("g", "r", "i"), unit="nanomaggy", pixel_scale=SCALE)
    return replace(degradation(cell), noise=0.0)(point, np.random.default_rng(0)).blurred.flux[1]


@pytest.mark.parametrize("cell", CELLS)
def test_the_noise_is_one_field_at_the_authors_level(galaxy, cell):
    blurred = replace(degradation(cell), noise=0.0)(galaxy, np.random.default_rng(0)).blurred.flux
    added = degradation(cell)(galaxy, np.random.default_rng(0)).blurred.flux - blurred
    before, after = (flux[abs(flux) < 0.1].std(dtype=float) for flux in (galaxy.flux, blurred))
    sigma = np.sqrt(max((cell[1] * before) ** 2 - after**2, 1e-8))
    assert added[0].std() == pytest.approx(sigma, rel=0.06)  # of 2,464 pixels: three times 1.4 %
    for band in (1, 2):
        assert_allclose(added[band] - added[0], 0.0, atol=1e-6)


# --- deconvolution ---------------------------------------------------------------------------


def test_methods_are_told_the_kernel_that_blurred(monkeypatch, galaxy):
    told = []

    def listen(flux, stamps, constant):
        told.append(stamps)
        return flux

    monkeypatch.setitem(METHODS, "listen", listen)
    for cell in CELLS:
        deconvolutions(cell, SCALE, {})["listen"](galaxy)
        blurred = blurred_point(cell)
        edge = (31 - told[-1].shape[1]) // 2
        assert told[-1].shape[0] == 3
        for stamp in told[-1]:
            assert_allclose(np.pad(stamp, edge), blurred, atol=1e-6)


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
            restore = deconvolutions(job.cell, SCALE, {method: count})[method]
            found = [stretched_psnr(pair.sharp.flux, restore(pair.blurred).flux) for pair in pairs]
            psnr[count] = np.mean(found)
        assert chosen == max(psnr, key=lambda count: psnr[count])


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
    networks = {f"{job.name}.onnx" for job in planned if job.kind == "gan"}
    assert {path.name for path in (smoke / "models").iterdir()} == networks
    results = {path.name for path in (smoke / "results").iterdir()}
    assert {"tables.json", "tables.csv", "tables.md", "run.json"} <= results
    figures = {"figure-2.png", "figure-3.png", "figure-4.png"}
    figures |= {f"figure-a1-{part}.png" for part in ("degraded", "gan", "deconvolved")}
    assert figures <= results
    # Of training nothing is left but the locks.
    assert {path.suffix for path in (smoke / "work").iterdir()} == {".lock"}


def test_each_job_scores_its_fold_by_every_method(smoke):
    deconvolved = {"degraded", *METHODS}
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
        packed = open_bundle(model_file(smoke, job)).card.training["trained_ids"]
        assert not known_mask(packed, result["ids"]).any()
        known = {name for name in store.ids if known_mask(packed, [name])[0]}
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
    assert (second.done, second.complete) == (4, True)
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

"""A run's folder is one process's at a time, and goes on with the data that it began with."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pellucid.cli import main  # noqa: E402
from pellucid.data.pairs import open_made, open_pairs  # noqa: E402
from pellucid.data.scenes import ScenePairs, SceneRecipe  # noqa: E402
from pellucid.data.splits import split_objects  # noqa: E402
from pellucid.data.truth import Truth, open_truth, write_truth  # noqa: E402
from pellucid.files import one_at_a_time  # noqa: E402
from pellucid.optics import Degradation  # noqa: E402
from pellucid.training import run as run_module  # noqa: E402
from pellucid.training.fingerprint import fingerprint  # noqa: E402


@pytest.fixture
def stopped(trained, tmp_path):
    """A copy of a whole run, to go on with."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.mark.parametrize(("what", "blur"), [("objects", 1.2), ("degradations", 1.3)])
def test_a_run_does_not_go_on_with_other_data(
    train, stopped, galaxy_folder, tiny_recipe, tmp_path, capsys, what, blur
):
    data = tmp_path / "other.h5"
    folder = shutil.copytree(galaxy_folder, tmp_path / "galaxies")
    if what == "objects":
        (folder / "hdf-18.fits").unlink()
    typed = ["pairs", "--sharp", folder, "--degrade", f"fwhm={blur} noise=2", "--output", data]
    assert main([*map(str, typed)]) == 0
    before = (stopped / "checkpoint.safetensors").read_bytes()
    capsys.readouterr()
    assert train(tiny_recipe, data, stopped, "--resume") == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "checkpoint.safetensors: belongs to a run on other data" in said
    assert what in said
    assert (stopped / "checkpoint.safetensors").read_bytes() == before


def test_what_decides_the_images_is_in_the_fingerprint_and_nothing_else(pair_store, tmp_path):
    store = open_made(pair_store)
    split = split_objects(store.ids)
    own = fingerprint(store, split)
    moved = tmp_path / "moved.h5"
    shutil.copy(pair_store, moved)
    assert fingerprint(open_pairs(moved), split) == own

    def differs(other, by=split):
        return [name for name, value in fingerprint(other, by).items() if value != own[name]]

    assert differs(store.through(Degradation(2.0))) == ["degradations"]
    assert differs(replace(store, ids=store.ids[::-1])) == ["objects"]
    assert differs(replace(store, pixel_scale=0.4)) == ["images"]
    assert differs(store, replace(split, training=split.training[::-1])) == ["split"]


def test_drawn_scenes_have_a_fingerprint(tmp_path):
    y, x = np.mgrid[:24, :24] - 12.0
    light = np.exp(-np.hypot(y, x) / 3.0)[None] + np.random.default_rng(1).normal(0, 0.01, (24, 24))
    write_truth(tmp_path / "t.h5", [Truth(f"a/{k}", light, 2.0) for k in range(20)])
    truth = open_truth(tmp_path / "t.h5")
    split = split_objects(truth.ids)
    one, again, other = (
        fingerprint(ScenePairs(truth, SceneRecipe(size=size)), split) for size in (32, 32, 64)
    )
    assert one == again
    assert [name for name in one if one[name] != other[name]] == ["degradations"]


def test_two_do_not_train_in_one_folder(
    train, stopped, pair_store, tiny_recipe, capsys, monkeypatch
):
    monkeypatch.setattr(run_module, "LOCK_WAIT", 0.1)
    before = {path.name: path.read_bytes() for path in stopped.iterdir()}
    with one_at_a_time(stopped / ".lock", "busy"):
        assert train(tiny_recipe, pair_store, stopped, "--resume") == 75
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{stopped}: another process trains there" in said
    assert {path.name: path.read_bytes() for path in stopped.iterdir()} == before
    assert train(tiny_recipe, pair_store, stopped, "--resume") == 0


def test_a_killed_run_with_workers_does_not_leave_it_locked(
    train, recipe_file, pair_store, tmp_path
):
    recipe, run = recipe_file(validate_every=120, validation_images=1), tmp_path / "run"
    words = ["train", str(recipe), "--data", str(pair_store), "--output", str(run)]
    process = subprocess.Popen(
        [sys.executable, "-m", "pellucid", *words, "--workers", "1"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    while not (run / "checkpoint.safetensors").exists() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert train(recipe, pair_store, run, "--resume") == 0

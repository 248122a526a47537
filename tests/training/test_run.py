"""Whole runs: killed and resumed, on two processes, on damaged data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from pellucid.cli import main  # noqa: E402
from pellucid.data.batches import PairSampler  # noqa: E402
from pellucid.data.pairs import open_pairs  # noqa: E402
from pellucid.data.splits import fold_of, split_objects  # noqa: E402
from pellucid.errors import UsageError  # noqa: E402
from pellucid.evaluation.scores import Scoring, Untouched, score_pairs  # noqa: E402
from pellucid.networks.bundle import open_bundle  # noqa: E402
from pellucid.networks.galaxygan import GalaxyGANConfig, Generator  # noqa: E402
from pellucid.restoration import load_restorer  # noqa: E402
from pellucid.stretch import NoiseStretch  # noqa: E402
from pellucid.training import run as run_module  # noqa: E402
from pellucid.training.papers import read_recipe  # noqa: E402


def log_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_a_run_leaves_a_bundle_that_says_where_it_comes_from(trained, pair_store):
    card = open_bundle(trained / "bundle.onnx").card
    store = open_pairs(pair_store)
    held_back = [name for name in store.ids if fold_of(name) == 0]
    assert held_back
    assert (card.name, card.bands) == ("tiny", ("g", "r", "i"))
    assert card.pixel_scale == pytest.approx(0.396)
    assert card.fwhm == (1.2, 1.2)
    assert card.single_band
    assert card.training["steps"] == 6
    assert card.training["objects"] == len(store) - len(held_back)
    assert card.training["held_back_objects"] == len(held_back)
    assert card.training["recipe"]["seed"] == 5
    assert (trained / "sample-0000006.png").stat().st_size > 500
    scores = [entry for entry in log_of(trained) if "psnr" in entry]
    assert [entry["step"] for entry in scores] == [3, 6]


def test_what_was_learned_so_far_is_a_bundle_already(
    recipe_file, pair_store, tmp_path, train, monkeypatch
):
    recipe = recipe_file(steps=6, validate_every=3, checkpoint_every=3)
    scores = iter([{"psnr": 20.0, "psnr_blurred": 19.0}])  # then the run is interrupted
    monkeypatch.setattr(run_module, "validate", lambda *arguments: next(scores))
    with pytest.raises(StopIteration):
        run_module.train(read_recipe(recipe), pair_store, tmp_path / "run", progress=False)
    card = open_bundle(tmp_path / "run" / "interim.onnx").card
    assert (card.training["steps"], card.training["validation_psnr"]) == (3, 20.0)
    monkeypatch.undo()
    assert train(recipe, pair_store, tmp_path / "run", "--resume") == 0
    assert not (tmp_path / "run" / "interim.onnx").exists()


def test_the_score_on_the_card_is_what_evaluate_finds(trained, pair_store):
    """Tiles, ceiling and flux rule are the shipped restorer's; its weights have half the bits."""
    restorer = load_restorer(trained / "bundle.onnx")
    store = open_pairs(pair_store)
    restorers = {"degraded": Untouched(), "restored": restorer}
    scored = score_pairs(
        store, split_objects(store.ids).validation, restorers, Scoring(metrics=["psnr"])
    )
    found = np.mean([[some["psnr"] for some in one.metrics.values()] for one in scored], axis=0)
    training = restorer.card.training
    expected = [training["validation_psnr_blurred"], training["validation_psnr"]]
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_a_run_killed_and_resumed_ends_with_the_bits_of_one_that_was_not(
    train, recipe_file, pair_store, tmp_path
):
    recipe = recipe_file()
    run, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-m", "pellucid", "train", str(recipe)]
    process = subprocess.Popen(
        [*command, "--data", str(pair_store), "--output", str(run)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
    )
    while not (run / "checkpoint.safetensors").exists() and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    _, complaint = process.communicate()
    assert process.returncode == -9, complaint.decode()
    assert not (run / "bundle.onnx").exists()
    # What the run did after its last checkpoint, and a line that the kill cut short:
    with (run / "log.jsonl").open("a") as log:
        log.write('{"step": 119, "pixel": 0.5}\n{"step": 12')
    assert train(recipe, pair_store, run) == 2
    assert train(recipe, pair_store, run, "--resume") == 0
    assert train(recipe, pair_store, whole) == 0
    ends = [(each / "generator.safetensors").read_bytes() for each in (run, whole)]
    assert ends[0] == ends[1]
    states = [load_file(each / "checkpoint.safetensors") for each in (run, whole)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    cards = [open_bundle(each / "bundle.onnx").card for each in (run, whole)]
    assert cards[0].network == cards[1].network
    entries = log_of(run)
    assert len({(entry["step"], "psnr" in entry) for entry in entries}) == len(entries)
    strip = [[{**entry, "seconds": 0} for entry in log_of(each)] for each in (run, whole)]
    assert strip[0] == strip[1]


def test_a_finished_run_resumed_stays_as_it_is(train, trained, tiny_recipe, pair_store, files_in):
    before = files_in(trained)
    assert train(tiny_recipe, pair_store, trained, "--resume") == 0
    after = files_in(trained)
    assert after["generator.safetensors"] == before["generator.safetensors"]
    assert after.keys() == before.keys()


def test_a_run_gives_its_caller_the_smallest_numbers_back(train, pair_store, tiny_recipe, tmp_path):
    """In training they count as zero; afterwards, and after a failure, they must not."""
    tiny = np.array([1e-308])
    assert train(tiny_recipe, pair_store, tmp_path / "run") == 0
    assert tiny / 16 > 0
    assert train(tiny_recipe, pair_store, tmp_path / "run") == 2
    assert tiny / 16 > 0


def test_a_run_is_not_overwritten(train, trained, tiny_recipe, pair_store, files_in, capsys):
    before = files_in(trained)
    assert train(tiny_recipe, pair_store, trained) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert files_in(trained) == before


def test_another_recipe_does_not_resume(
    train, recipe_file, trained, pair_store, tmp_path, tiny_recipe, capsys
):
    before = (trained / "checkpoint.safetensors").read_bytes()
    other = recipe_file(tiny_recipe.read_text(), learning_rate=1e-3)
    assert train(other, pair_store, trained, "--resume") == 3
    said = capsys.readouterr().err
    assert "checkpoint.safetensors: belongs to another recipe" in said
    assert said.count("\n") == 1
    assert (trained / "checkpoint.safetensors").read_bytes() == before


def test_pixels_that_become_nan_stop_a_run_and_keep_its_checkpoint(
    train, recipe_file, pair_store, tmp_path, capsys
):
    """The pixels of the object that the seventh step takes are damaged on the disk."""
    recipe = recipe_file(steps=9, batch=1, checkpoint_every=5)
    data, run = tmp_path / "pairs.h5", tmp_path / "run"
    data.write_bytes(pair_store.read_bytes())
    training = split_objects(open_pairs(data).ids).training
    order = np.random.default_rng([3, 0]).permutation(len(training))
    with h5py.File(data, "r+") as file:
        file["sharp"][int(training[order[6]]), :, 24] = np.nan  # a row that every crop has
    assert train(recipe, data, run) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "step 7" in said
    assert f"{run / 'checkpoint.safetensors'} is the last good one" in said
    assert not (run / "bundle.onnx").exists()
    state = load_file(run / "checkpoint.safetensors")
    assert all(torch.isfinite(value).all() for value in state.values() if value.ndim > 1)
    # The whole data again: the checkpoint goes on to the end.
    assert train(recipe, pair_store, run, "--resume") == 0


def test_an_object_that_cannot_be_trained_on_is_named(
    train, recipe_file, pair_store, tmp_path, capsys
):
    data = tmp_path / "pairs.h5"
    data.write_bytes(pair_store.read_bytes())
    with h5py.File(data, "r+") as file:
        file["sharp"][...] = np.nan
    assert train(recipe_file(), data, tmp_path / "run") == 3
    said = capsys.readouterr().err
    assert f"{data}: object hdf-" in said
    assert said.count("\n") == 1


def test_a_rate_out_of_this_world_stops_a_run(train, recipe_file, pair_store, tmp_path, capsys):
    recipe = recipe_file(learning_rate="1.0e+30")
    assert train(recipe, pair_store, tmp_path / "run") == 1
    said = capsys.readouterr().err
    assert "loss is not finite" in said
    assert "none was saved yet" in said
    assert said.count("\n") == 1


def test_pairs_without_room_about_their_objects_are_told(
    train, recipe_file, pair_store, tmp_path, capsys
):
    side = open_pairs(pair_store).sharp(0).shape[-1]
    for size, said in ((side, True), (side // 2, False)):
        recipe = recipe_file(size=size, steps=1, validate_every=1, cool_down=0)
        assert train(recipe, pair_store, tmp_path / f"run{size}") == 0
        assert ("as large as what is learned from" in capsys.readouterr().err) is said


def test_two_processes_learn_what_one_learns(train, recipe_file, pair_store, tmp_path, run_python):
    """Where nothing depends on the batch, halves of it with averaged gradients are the whole."""
    network = "{width: 4, levels: 3, norm: instance, dropout: 0.0}"
    recipe = recipe_file(network=network, steps=8, batch=4, average_decay=0)
    one, two = tmp_path / "one", tmp_path / "two"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2]
    command = ["-m", "pellucid", "train", recipe, "--data", pair_store, "--output", two]
    done = run_python(*launcher, *command)
    assert done.returncode == 0, done.stderr
    assert train(recipe, pair_store, one) == 0
    assert open_bundle(two / "bundle.onnx").card.training["device"].startswith("2 × ")
    assert len(log_of(two)) == len(log_of(one))
    torch.manual_seed(3)
    start = Generator(GalaxyGANConfig(width=4, levels=3, norm="instance")).state_dict()
    ends = [load_file(each / "generator.safetensors") for each in (one, two)]
    # A bias before a norm has no gradient but rounding, of which Adam makes whole steps.
    kernels = [name for name, value in start.items() if value.ndim == 4]
    moved, apart = (
        np.mean([float((a[name] - b[name]).abs().mean()) for name in kernels])
        for a, b in ((start, ends[0]), (ends[0], ends[1]))
    )
    assert 0 < apart < 0.05 * moved


def test_the_processes_share_a_batch_between_them(pair_store):
    store = open_pairs(pair_store)
    settings = {
        "store": store,
        "indices": np.arange(len(store)),
        "stretch": NoiseStretch(),
        "size": 32,
        "batch": 4,
        "seed": 1,
        "grey": 0.3,
    }
    whole = PairSampler(**settings)
    shares = [PairSampler(**settings, rank=rank, world=2)[5] for rank in (0, 1)]
    for side in (0, 1):
        np.testing.assert_array_equal(whole[5][side][0::2], shares[0][side])
        np.testing.assert_array_equal(whole[5][side][1::2], shares[1][side])
        np.testing.assert_array_equal(whole[5][side], PairSampler(**settings)[5][side])
    assert not np.array_equal(whole[5][0], whole[6][0])


def test_workers_change_nothing(train, trained, tiny_recipe, pair_store, tmp_path):
    assert train(tiny_recipe, pair_store, tmp_path / "run", "--workers", "1") == 0
    one, two = (each / "generator.safetensors" for each in (trained, tmp_path / "run"))
    assert one.read_bytes() == two.read_bytes()


def test_images_that_come_again_are_drawn_once(
    train, recipe_file, pair_store, tmp_path, monkeypatch
):
    drawn = []
    draw = PairSampler.__getitem__
    monkeypatch.setattr(
        PairSampler, "__getitem__", lambda self, k: drawn.append(k) or draw(self, k)
    )
    recipe = recipe_file(steps=8, repeats=3, validate_every=100)
    assert train(recipe, pair_store, tmp_path / "run") == 0
    assert drawn[:3] == [0, 1, 2]
    before_the_card = drawn.index(0, 1)
    assert before_the_card <= 4  # a loader may look one ahead
    assert open_bundle(tmp_path / "run" / "bundle.onnx").card.training["steps"] == 8


def test_a_store_without_objects_to_hold_back_is_refused(
    train, galaxy_folder, tiny_recipe, tmp_path, capsys
):
    (tmp_path / "two").mkdir()
    for name in [each for each in galaxy_folder.iterdir() if fold_of(each.stem)][:2]:
        (tmp_path / "two" / name.name).write_bytes(name.read_bytes())
    data = tmp_path / "two.h5"
    command = ["pairs", "--sharp", tmp_path / "two", "--degrade", "fwhm=1.2", "--output", data]
    assert main([*map(str, command)]) == 0
    capsys.readouterr()
    assert train(tiny_recipe, data, tmp_path / "run") == 3
    said = capsys.readouterr().err
    assert f"{data}: " in said
    assert "0 to hold back" in said


def test_more_processes_than_images_are_refused(
    train, recipe_file, pair_store, tmp_path, monkeypatch
):
    from pellucid.training import run

    monkeypatch.setattr(run, "join_processes", lambda: (0, 3))
    with pytest.raises(UsageError, match="3 processes for batches of 2"):
        run.train(read_recipe(recipe_file()), pair_store, tmp_path / "run")


def test_each_validation_is_told_where_no_bar_is_drawn(
    train, recipe_file, pair_store, tmp_path, capsys
):
    recipe = recipe_file(steps=4, validate_every=2, checkpoint_every=2)
    assert train(recipe, pair_store, tmp_path / "run") == 0
    said = capsys.readouterr().err.splitlines()
    steps = [line for line in said if ": step " in line]
    assert len(steps) == 2
    assert all("PSNR " in line and "of the blurred images" in line for line in steps)
    # So short a training is of no use, which is said.
    assert any("it is of no use yet" in line for line in said)
    assert said[-1].endswith("uses it")

"""Training that ends where a network stops to gain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from pellucid.errors import InputError  # noqa: E402
from pellucid.networks.bundle import open_bundle  # noqa: E402
from pellucid.training import run as run_module  # noqa: E402
from pellucid.training.log import Log  # noqa: E402
from pellucid.training.papers import read_recipe  # noqa: E402

WEIGHTS = "generator.safetensors"


@pytest.fixture
def scored(monkeypatch) -> Callable[..., None]:
    """Validations find these PSNRs, one after the other; after the last the run is interrupted."""

    def script(*scores: float) -> None:
        found: Iterator[float] = iter(scores)
        monkeypatch.setattr(
            run_module, "validate", lambda *_: {"psnr": next(found), "psnr_blurred": 19.0}
        )

    return script


@pytest.fixture
def patient(recipe_file) -> Path:
    return recipe_file(patience=2, validate_every=6, cool_down=0)


def test_the_best_ships_and_nothing_is_trained_after_patience_ran_out(
    scored, train, patient, recipe_file, pair_store, tmp_path
):
    run, plain = tmp_path / "run", tmp_path / "plain"
    scored(20.0, 22.0, 21.0, 21.5, 22.5)  # at 6, 12, 18 and 24 steps, and of the bundle at the end
    assert train(patient, pair_store, run) == 0
    training = open_bundle(run / "bundle.onnx").card.training
    assert (training["steps"], training["validation_psnr"]) == (12, 22.5)
    assert sorted(path.name for path in run.glob("sample-*.png"))[-1] == "sample-0000024.png"
    scored(20.0, 22.0)
    assert train(recipe_file(steps=12, validate_every=12, cool_down=0), pair_store, plain) == 0
    assert (run / WEIGHTS).read_bytes() == (plain / WEIGHTS).read_bytes()


def test_a_patient_run_killed_and_resumed_ends_with_the_bits_of_one_that_was_not(
    scored, train, patient, pair_store, tmp_path
):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    scored(20.0, 22.0, 21.0, 21.5, 22.0)
    assert train(patient, pair_store, whole) == 0
    scored(20.0, 22.0)
    with pytest.raises(StopIteration):
        run_module.train(read_recipe(patient), pair_store, killed, progress=False)
    interim = open_bundle(killed / "interim.onnx").card
    assert interim.training["steps"] == 12
    scored(21.0, 21.5, 22.0)
    assert train(patient, pair_store, killed, "--resume") == 0
    assert (killed / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()
    # Once more: nothing is left to train, and the best is found again.
    (killed / WEIGHTS).unlink()
    scored(22.0)
    assert train(patient, pair_store, killed, "--resume") == 0
    assert open_bundle(killed / "bundle.onnx").card.training["steps"] == 12
    assert (killed / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()


def test_what_ships_are_the_weights_of_the_step_that_it_names(
    scored, train, recipe_file, pair_store, tmp_path
):
    """Where a validation that is done again comes out otherwise, as on a GPU."""
    killed, plain = tmp_path / "killed", tmp_path / "plain"
    coarse = recipe_file(patience=2, validate_every=6, cool_down=0, checkpoint_every=12)
    scored(20.0, 21.0, 22.0)  # the last at step 18, beyond the checkpoint of step 12
    with pytest.raises(StopIteration):
        run_module.train(read_recipe(coarse), pair_store, killed, progress=False)
    scored(20.9, 20.8, 21.0)
    assert train(coarse, pair_store, killed, "--resume") == 0
    assert open_bundle(killed / "bundle.onnx").card.training["steps"] == 12
    scored(21.0, 21.0)
    assert train(recipe_file(steps=12, validate_every=12, cool_down=0), pair_store, plain) == 0
    assert (killed / WEIGHTS).read_bytes() == (plain / WEIGHTS).read_bytes()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"no weights")])
def test_weights_that_are_lost_are_named(
    damage, scored, train, patient, pair_store, tmp_path, capsys
):
    run = tmp_path / "run"
    scored(20.0, 19.0, 18.0, 20.0)
    assert train(patient, pair_store, run) == 0
    damage(run / "best-6.safetensors")
    assert train(patient, pair_store, run, "--resume") == 3
    said = capsys.readouterr().err
    assert "best-6.safetensors: is missing or damaged" in said


@pytest.mark.parametrize("key", ["cool_down", "final_pixel_weight"])
def test_patience_refuses_what_waits_for_the_end(key, recipe_file):
    with pytest.raises(InputError, match="patience: does not go with cool_down"):
        read_recipe(recipe_file(**{"patience": 2, "cool_down": 0, key: 0.5}))


@pytest.mark.parametrize(
    ("scores", "patience", "gains"),
    [
        ([], 1, True),
        ([20.0], 1, True),
        ([20.0, 19.0], 1, False),
        ([20.0, 19.0], 2, True),
        ([20.0, 20.0, 20.0], 2, False),
        ([20.0, 19.0, 18.0], None, True),
    ],
)
def test_a_network_gains_while_its_best_validation_is_recent(scores, patience, gains, tmp_path):
    log = Log(tmp_path / "log.jsonl", 0)
    for number, score in enumerate(scores, start=1):
        log.write(10 * number, {"psnr": score, "seconds": number})
    assert log.gains(patience) is gains
    assert log.best == (10 if scores else 0)


def test_all_processes_end_together(recipe_file, pair_store, tmp_path, run_python):
    """A rate of nothing gains nothing: the second validation is no better than the first."""
    recipe = recipe_file(
        network="{width: 4, levels: 3, norm: instance, dropout: 0.0}",
        learning_rate="1.0e-30",
        patience=1,
        cool_down=0,
        average_decay=0,
        batch=4,
        validate_every=4,
    )
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2]
    words = ["train", recipe, "--data", pair_store, "--output", tmp_path / "run"]
    done = run_python(*launcher, "-m", "pellucid", *words)
    assert done.returncode == 0, done.stderr
    assert open_bundle(tmp_path / "run" / "bundle.onnx").card.training["steps"] == 4
    assert (tmp_path / "run" / "sample-0000008.png").exists()
    assert not (tmp_path / "run" / "sample-0000012.png").exists()

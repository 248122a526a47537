"""Training that ends where a network stops to gain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

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
    bundle = (killed / "bundle.onnx").read_bytes()
    scored(22.0)
    assert train(patient, pair_store, killed, "--resume") == 0
    again = open_bundle(killed / "bundle.onnx").card.training
    assert again["steps"] == 12
    assert (killed / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()
    assert len((killed / "bundle.onnx").read_bytes()) == len(bundle)


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

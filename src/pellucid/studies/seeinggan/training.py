"""The study's networks: stage by stage, then once more for each layer of figure 6."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from pellucid.files import make_folder, write_content
from pellucid.networks.bundle import open_bundle
from pellucid.studies.seeinggan.preset import Preset, Stage
from pellucid.studies.seeinggan.sample import training_pairs


def model_file(folder: Path, name: str) -> Path:
    """Where a network of the study lies."""
    return folder / "models" / f"{name}.onnx"


def stage_name(number: int) -> str:
    """The name of the network that a stage ends with; stages count from 1."""
    return f"stage-{number}"


def final_model(preset: Preset, folder: Path) -> Path:
    """The network that is tested."""
    return model_file(folder, stage_name(len(preset.stages)))


def train_networks(preset: Preset, data: Path, folder: Path, say: Callable[[str], None]) -> None:
    """Train what is not trained yet, going on where it was stopped."""
    for number, stage in enumerate(preset.stages, 1):
        before = model_file(folder, stage_name(number - 1)) if number > 1 else None
        _train(preset, data, folder, stage, stage_name(number), before, say)
    for layer, stage in preset.layer_networks().items():
        number = (preset.layer_stage or len(preset.stages)) - 1
        before = model_file(folder, stage_name(number)) if number else None
        _train(preset, data, folder, stage, layer, before, say)


def check_layers(preset: Preset) -> None:
    """Say before anything is done what would stop a perceptual loss hours later.

    Raises
    ------
    UsageError
        When VGG-19 has no such layer, or its weights are not installed.
    InputError
        When the file of its weights is bad.
    """
    from pellucid.training.vgg19 import read_vgg19

    for stage in (*preset.stages, *preset.layer_networks().values()):
        recipe = stage.recipe
        if recipe.perceptual_weight > 0:
            read_vgg19(recipe.perceptual_layer, recipe.perceptual_file)


def _train(
    preset: Preset,
    data: Path,
    folder: Path,
    stage: Stage,
    name: str,
    before: Path | None,
    say: Callable[[str], None],
) -> None:
    from pellucid.training.run import train

    done = model_file(folder, name)
    if done.exists():
        return
    say(f"training {name}: {stage.recipe.steps} steps on {stage.data} pairs")
    store, split = training_pairs(preset, data, folder, stage.data)
    run = folder / "work" / name
    bundle = train(
        stage.recipe,
        store,
        run,
        resume=True,
        split=split,
        start=None if before is None else open_bundle(before),
    )
    make_folder(done.parent)
    content = bundle.read_bytes()
    log = (run / "log.jsonl").read_bytes()
    write_content(done.with_suffix(".jsonl"), log, overwrite=True)
    write_content(done, content, overwrite=True)
    shutil.rmtree(run, ignore_errors=True)

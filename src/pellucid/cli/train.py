"""train: a recipe and a pair store become a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli.options import say
from pellucid.errors import UsageError, naming

#: Fewer objects than these tell little.
FEW = 5


def train(
    recipe: Annotated[
        str, typer.Argument(help="A recipe's YAML file, or the name of a shipped one.")
    ],
    data: Annotated[Path, typer.Option("--data", help="Pair store.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    start: Annotated[
        str | None,
        typer.Option("--start", help="Model or bundle to begin with, of the recipe's shape."),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Processes that prepare batches ahead.")
    ] = 0,
) -> None:
    """Train a network; OUTPUT/bundle.onnx is what `restore --model` takes."""
    try:
        from pellucid.networks.bundle import open_bundle
        from pellucid.stretch import stretch_from_dict
        from pellucid.training.learner import network_config
        from pellucid.training.papers import read_recipe
        from pellucid.training.run import train as run_training
    except ImportError as error:
        raise UsageError(
            f"training needs {error.name}, which is not installed: pip install 'pellucid[train]'"
        ) from error
    began = None if start is None else open_bundle(start)
    chosen = read_recipe(recipe)
    with naming(recipe):
        network_config(chosen, chosen.network)
        stretch_from_dict(chosen.stretch)
    _check_room(data, chosen.size)
    bundle = run_training(chosen, data, output, resume, workers, start=began)
    told = open_bundle(bundle).card.training
    restored, blurred = told.get("validation_psnr"), told.get("validation_psnr_blurred")
    if restored is not None and blurred is not None and restored < blurred:
        say(
            f"note: the PSNR of what it restores, {restored:.2f} dB on held-back objects, "
            f"is below that of the blurred images, {blurred:.2f} dB: it is of no use yet; more "
            "steps may help, or pairs that agree better"
        )
    held_back = told.get("held_back_objects", FEW)
    if held_back < FEW:
        say(
            f"note: PSNR and the choice of what ships rest on {held_back} held-back "
            f"object{'s' * (held_back != 1)}, which is too few to go by: more pairs are better, "
            "and `pellucid evaluate` on some that were kept out"
        )
    say(f"{bundle}: trained; `pellucid restore --model {bundle}` uses it")


def _check_room(data: Path, size: int) -> None:
    """Say so where each image shows its object in the same place."""
    from pellucid.data.pairs import open_pairs

    store = open_pairs(data)
    if len(store) and store.sharp(0).shape[1:] == (size, size):
        say(
            f"note: the pairs are as large as what is learned from ({size} pixels), so each object "
            "stays in its middle, and in a larger image the network may draw one in the middle of "
            "each square; of larger pairs squares at random places are taken"
        )

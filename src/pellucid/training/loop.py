"""The training loop: from a recipe and a pair store to a bundle, resumable at any moment."""

from __future__ import annotations

import contextlib
import copy
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save as to_bytes

from pellucid.data.dataset import PairSampler
from pellucid.data.pairs import PairStore, open_pairs
from pellucid.data.splits import FOLDS, VALIDATION_FOLD, fingerprint, validation_mask
from pellucid.errors import InputError, PellucidError, UsageError
from pellucid.files import write_atomically
from pellucid.models.bundle import Card
from pellucid.models.export import write_bundle
from pellucid.models.galaxygan import Discriminator, GalaxyGANConfig, Generator
from pellucid.stretch import Stretch, stretch_from_dict, stretch_to_dict
from pellucid.training.checkpoint import load_checkpoint, save_checkpoint
from pellucid.training.recipe import Recipe
from pellucid.training.step import Adversaries, gan_step
from pellucid.training.validation import validate
from pellucid.version import __version__

LOG_EVERY = 10


@dataclass(frozen=True)
class Split:
    """Positions in the store of what is trained on and of what is held back."""

    training: NDArray[np.integer]
    validation: NDArray[np.integer]


def train(
    recipe: Recipe, data: str | Path, run: str | Path, resume: bool = False, workers: int = 0
) -> Path:
    """Train a network; returns the path of the bundle, ``RUN/bundle.onnx``.

    Under ``torchrun`` each process takes its share of every batch. On one thread and one process
    a run that was killed and resumed ends with the same bits as one that was not.

    Parameters
    ----------
    recipe
        What to train, and how.
    data
        The pair store.
    run
        Folder of the checkpoint, the log (JSON lines), sample panels and the bundle.
    resume
        Go on from the folder's checkpoint, or begin where there is none.
    workers
        Processes that prepare batches ahead; 0 prepares them in between.

    Raises
    ------
    UsageError
        When the folder holds a run already and ``resume`` is off.
    InputError
        When the data do not suit the recipe.
    PellucidError
        When a loss is no longer finite; the last good checkpoint stays.
    """
    started = time.monotonic()
    run = Path(run)
    store = open_pairs(data)
    stretch = stretch_from_dict(dict(recipe.stretch))
    config = _network_config(recipe, store)
    split = split_store(store, data)
    rank, world = _join_processes()
    device = torch.device("cuda", rank) if torch.cuda.is_available() else torch.device("cpu")
    checkpoint = run / "checkpoint.safetensors"
    if checkpoint.exists() and not resume:
        raise UsageError(f"{run}: holds a run already; --resume goes on with it")
    if world > recipe.batch:
        raise UsageError(
            f"{world} processes for batches of {recipe.batch}; one image each at least"
        )
    run.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(recipe.seed)
    networks = _build(config, recipe, device)
    torch.manual_seed(recipe.seed + rank)
    step = (
        load_checkpoint(checkpoint, networks, recipe.model_dump_json())
        if checkpoint.exists()
        else 0
    )
    sampler = PairSampler(
        store=store,
        indices=split.training,
        degradations=tuple(store.degradations),
        stretch=stretch,
        size=recipe.size,
        batch=recipe.batch,
        seed=recipe.seed,
        symmetry=recipe.symmetry,
        grey=recipe.grey,
        composite=recipe.composite,
        rank=rank,
        world=world,
    )
    log = _Log(run / "log.jsonl", step) if rank == 0 else None
    seen = split.validation[: recipe.validation_images]
    seconds = log.seconds if log else 0.0
    with _progress(rank) as progress:
        task = progress.add_task(recipe.name, total=recipe.steps, completed=step, psnr="")
        for blurred, sharp in _batches(sampler, range(step, recipe.steps), workers):
            _set_rate(networks, recipe.rate_at(step))
            losses = gan_step(
                networks,
                _to_device(blurred, device),
                _to_device(sharp, device),
                recipe.pixel_weight,
                torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16"),
                recipe.decay_at(step),
            )
            step += 1
            _refuse_divergence(losses, step, checkpoint)
            progress.update(task, completed=step)
            if log is None:
                continue
            if step % LOG_EVERY == 0 or step == recipe.steps:
                log.write({"step": step, **_rounded(losses)})
            if step % recipe.validate_every == 0 or step == recipe.steps:
                panel = run / f"sample-{step:07d}.png"
                score = validate(networks.average, store, seen, stretch, config.multiple, panel)
                elapsed = seconds + time.monotonic() - started
                log.write({"step": step, **_rounded(score), "seconds": round(elapsed, 1)})
                progress.update(task, psnr=f"{score['psnr']:.2f} dB")
            if step % recipe.checkpoint_every == 0 or step == recipe.steps:
                save_checkpoint(checkpoint, networks, step, recipe.model_dump_json())
    bundle = run / "bundle.onnx"
    if log is not None:
        score = validate(networks.average, store, split.validation, stretch, config.multiple)
        elapsed = seconds + time.monotonic() - started
        measured = {
            "steps": step,
            "wall_seconds": round(elapsed),
            "device": _device_name(device, world),
            "validation_psnr": round(score["psnr"], 3),
            "validation_psnr_blurred": round(score["psnr_blurred"], 3),
        }
        card = make_card(recipe, config, stretch, store, split, measured)
        weights = {
            name: value.contiguous() for name, value in networks.average.state_dict().items()
        }
        write_atomically(
            run / "generator.safetensors",
            lambda file: file.write(to_bytes(weights)),
            overwrite=True,
        )
        write_bundle(copy.deepcopy(networks.average), card, bundle)
    _leave_processes()
    return bundle


def split_store(store: PairStore, path: str | Path) -> Split:
    """The training and validation parts of a store, by object id.

    Raises
    ------
    InputError
        When either is empty.
    """
    held_back = validation_mask(store.ids)
    split = Split(np.flatnonzero(~held_back), np.flatnonzero(held_back))
    if not len(split.training) or not len(split.validation):
        raise InputError(
            f"{path}: its {len(store)} objects leave {len(split.training)} to train on and "
            f"{len(split.validation)} to hold back; more are needed"
        )
    return split


def make_card(
    recipe: Recipe,
    config: GalaxyGANConfig,
    stretch: Stretch,
    store: PairStore,
    split: Split,
    measured: dict[str, Any],
) -> Card:
    """The card of what a recipe made of a store, with what was ``measured`` of it."""
    return Card(
        name=recipe.name,
        model=recipe.model,
        network=dict(vars(config)),
        bands=store.bands,
        single_band=recipe.grey > 0 or len(store.bands) == 1,
        pixel_scale=store.pixel_scale,
        stretch=stretch_to_dict(stretch),  # type: ignore[arg-type]
        fwhm=_range([each.fwhm for each in store.degradations]),
        noise=_range([each.noise for each in store.degradations]),
        tile=recipe.size,
        multiple=config.multiple,
        description=recipe.description,
        training={
            "version": __version__,
            "command": f"pellucid train {recipe.name} --data {store.path.name} --output RUN",
            "recipe": recipe.model_dump(mode="json"),
            "objects": len(split.training),
            "held_back_objects": len(split.validation),
            "held_back": f"fold {VALIDATION_FOLD} of {FOLDS} by SHA-256 of the object's id",
            "data_fingerprint": fingerprint(store.ids),
            "degradations": [vars(each) for each in store.degradations],
            **measured,
        },
    )


def _network_config(recipe: Recipe, store: PairStore) -> GalaxyGANConfig:
    try:
        config = GalaxyGANConfig(**{**recipe.network, "bands": len(store.bands)})
    except TypeError as error:
        raise InputError(f"recipe {recipe.name}: network: {error}") from None
    if recipe.size % config.multiple:
        raise InputError(
            f"recipe {recipe.name}: size {recipe.size} is no multiple of {config.multiple}, "
            f"as {config.levels} levels need"
        )
    return config


def _build(config: GalaxyGANConfig, recipe: Recipe, device: torch.device) -> Adversaries:
    generator, discriminator = (
        network(config).to(memory_format=torch.channels_last).to(device)
        for network in (Generator, Discriminator)
    )
    optimisers = [
        torch.optim.Adam(each.parameters(), recipe.learning_rate, betas=(recipe.beta1, 0.999))
        for each in (generator, discriminator)
    ]
    average = copy.deepcopy(generator).requires_grad_(False)
    return Adversaries(generator, discriminator, optimisers[0], optimisers[1], average)


def _batches(
    sampler: PairSampler, steps: range, workers: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    return iter(
        torch.utils.data.DataLoader(
            sampler,  # type: ignore[arg-type]
            sampler=steps,
            batch_size=None,
            num_workers=workers,
            generator=torch.Generator(),  # its own, or it would draw on the networks' random state
        )
    )


def _to_device(batch: torch.Tensor, device: torch.device) -> torch.Tensor:
    return batch.to(device, non_blocking=True, memory_format=torch.channels_last)


def _set_rate(networks: Adversaries, rate: float) -> None:
    for optimiser in (networks.generator_optimiser, networks.discriminator_optimiser):
        for group in optimiser.param_groups:
            group["lr"] = rate


def _refuse_divergence(losses: dict[str, float], step: int, checkpoint: Path) -> None:
    wrong = [name for name, value in losses.items() if not math.isfinite(value)]
    if wrong:
        kept = f"{checkpoint} is the last good one" if checkpoint.exists() else "none was saved yet"
        raise PellucidError(f"step {step}: the {wrong[0]} loss is not finite; checkpoint: {kept}")


class _Log:
    """JSON lines; what a resumed run will do again is cut off first."""

    def __init__(self, path: Path, step: int) -> None:
        lines = path.read_text().splitlines() if path.exists() else []
        entries = []
        for line in lines:
            with contextlib.suppress(json.JSONDecodeError):  # the line that a kill cut short
                entries.append(json.loads(line))
        kept = [entry for entry in entries if entry["step"] <= step]
        self.seconds = max((entry.get("seconds", 0.0) for entry in kept), default=0.0)
        text = "".join(json.dumps(entry) + "\n" for entry in kept)
        write_atomically(path, lambda file: file.write(text.encode()), overwrite=True)
        self.path = path

    def write(self, entry: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


def _progress(rank: int) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[psnr]}"),
        console=console,
        disable=rank > 0 or not sys.stderr.isatty(),
    )


def _join_processes() -> tuple[int, int]:
    """This process's rank and how many there are, as torchrun says."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return int(os.environ.get("RANK", "0")), world


def _leave_processes() -> None:
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def _device_name(device: torch.device, world: int) -> str:
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )
    return f"{world} × {name}" if world > 1 else name


def _range(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in values.items()}

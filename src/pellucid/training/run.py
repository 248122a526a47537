"""The training loop: from a recipe and a pair store to a bundle, resumable at any moment."""

from __future__ import annotations

import copy
import functools
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import save as to_bytes
from torch import Tensor

from pellucid.data.batches import Batch, PairSampler
from pellucid.data.channels import network_inputs
from pellucid.data.pairs import Pairs, open_pairs
from pellucid.data.splits import Split, split_objects
from pellucid.errors import InputError, PellucidError, UsageError
from pellucid.files import make_folder, write_content
from pellucid.networks.bundle import Bundle, Card, open_bundle
from pellucid.networks.export import write_bundle
from pellucid.restoration import NeuralRestorer
from pellucid.restoration.engine import torch_network
from pellucid.restoration.restorer import model_restorer
from pellucid.sky import PSF
from pellucid.stretch import stretch_from_dict
from pellucid.training.card import make_card
from pellucid.training.checkpoint import load_checkpoint, save_checkpoint
from pellucid.training.log import Log, progress_bar
from pellucid.training.processes import join_processes
from pellucid.training.recipe import Recipe, Trainer, TrainingBatch
from pellucid.training.validation import draw_panel, validate

LOG_EVERY = 10
#: In a run's folder: the network that it began with.
START = "start.onnx"
#: What has been learned so far, a bundle that can be used, at each validation.
INTERIM = "interim.onnx"
#: Images in which the brightest pixel of training is looked for.
CEILING_IMAGES = 512
#: Batches that a GPU keeps, to learn from them again.
KEPT = 128


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Numbers below 1e-38, which a processor handles a hundred times slower, count as zero.

    Threads inherit this, so it comes before the first of them; the caller's own thread gets its
    numbers back.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@denormals_as_zero()
def train(
    recipe: Recipe,
    data: str | Path | Pairs,
    run: str | Path,
    resume: bool = False,
    workers: int = 0,
    split: Split | None = None,
    start: Bundle | None = None,
    progress: bool = True,
) -> Path:
    """Train a network; returns the path of the bundle, ``RUN/bundle.onnx``.

    Under ``torchrun`` each process takes its share of every batch. On one thread and one process
    a run that was killed and resumed ends with the same bits as one that was not.

    Parameters
    ----------
    recipe
        What to train, and how.
    data
        The pair store, or its path.
    run
        Folder of the checkpoint, the log (JSON lines), sample panels, and the bundle: as far as it
        has been learned while training goes on.
    resume
        Go on from the folder's checkpoint, or begin where there is none.
    workers
        Processes that prepare batches ahead; 0 prepares them in between.
    split
        What to train on and what to hold back; None holds back one fold.
    start
        A trained network of the same shape to begin with, instead of a random one.
    progress
        Draw a bar where stderr is a terminal.

    Raises
    ------
    PellucidError
        When a loss is no longer finite; the last good checkpoint stays.
    """
    started = time.monotonic()
    run = Path(run)
    store = open_pairs(data) if isinstance(data, str | Path) else data
    stretch = stretch_from_dict(recipe.stretch)
    try:
        split = split or split_objects(store.ids)
    except InputError as error:
        raise InputError(f"{store.path}: {error}") from None
    rank, world = join_processes()
    device = torch.device("cuda", rank) if torch.cuda.is_available() else torch.device("cpu")
    torch.backends.cudnn.benchmark = True
    checkpoint = run / "checkpoint.safetensors"
    begun = checkpoint.exists()
    if begun and not resume:
        raise UsageError(f"{run}: holds a run already; --resume goes on with it")
    if world > recipe.batch:
        fault = f"{world} processes for batches of {recipe.batch}; one image each at least"
        raise UsageError(fault)
    start = _start_of(run, start, begun)
    torch.manual_seed(recipe.seed)
    trainer = recipe.build_trainer(len(store.bands), device, start)
    make_folder(run)
    if start is not None and rank == 0 and not begun:
        write_content(run / START, start.graph, overwrite=True)
    torch.manual_seed(recipe.seed + rank)
    settings = recipe.model_dump_json()
    step = load_checkpoint(checkpoint, trainer.parts(), settings) if begun else 0
    sampler = PairSampler(
        store=store,
        indices=split.training,
        stretch=stretch,
        size=recipe.size,
        batch=recipe.batch,
        seed=recipe.seed,
        symmetry=recipe.symmetry,
        grey=recipe.grey,
        composite=recipe.composite,
        rank=rank,
        world=world,
        inputs=network_inputs(vars(trainer.config)),
    )

    @functools.cache
    def restorer() -> NeuralRestorer:
        """What ships, as far as it has learned; its ceiling takes a while to find."""
        count = -(-CEILING_IMAGES // recipe.batch)
        batches = (sampler[k].blurred[:, : len(store.bands)] for k in range(count))
        ceiling = max(float(images.max()) for images in batches)
        card = make_card(recipe, trainer.config, stretch, store, split, ceiling, start)
        return model_restorer(card, torch_network(trainer.average.eval()), "not written yet")

    log = Log(run / "log.jsonl", step) if rank == 0 else None
    seen = split.validation[: recipe.validation_images]
    started -= log.seconds if log else 0.0  # what was done before the run was interrupted
    with progress_bar(progress and rank == 0) as bar:
        task = bar.add_task(recipe.name, total=recipe.steps, completed=step, psnr="")
        for batch in _batches(sampler, range(step, recipe.steps), workers, device, recipe.repeats):
            _set_rate(trainer, recipe.rate_at(step))
            losses = trainer.advance(batch, step)
            step += 1
            _refuse_divergence(losses, step, checkpoint)
            bar.update(task, completed=step)
            if log is None:
                continue
            if step % LOG_EVERY == 0 or step == recipe.steps:
                log.write(step, losses)
            if step % recipe.validate_every == 0 or step == recipe.steps:
                score = validate(restorer(), store, seen)
                draw_panel(restorer(), store, seen, run / f"sample-{step:07d}.png")
                if step < recipe.steps:
                    measured = _measured(step, started, device, world, score)
                    _ship(trainer, restorer().card, measured, run / INTERIM)
                log.write(step, {**score, "seconds": round(time.monotonic() - started, 1)})
                bar.update(task, psnr=f"{score['psnr']:.2f} dB")
            if step % recipe.checkpoint_every == 0 or step == recipe.steps:
                save_checkpoint(checkpoint, trainer.parts(), step, settings)
    bundle = run / "bundle.onnx"
    if log is not None:
        score = validate(restorer(), store, split.validation)
        weights = {name: value.contiguous() for name, value in trainer.average.state_dict().items()}
        write_content(run / "generator.safetensors", to_bytes(weights), overwrite=True)
        measured = _measured(step, started, device, world, score)
        _ship(trainer, restorer().card, measured, bundle)
        (run / INTERIM).unlink(missing_ok=True)
    if dist.is_initialized():
        dist.barrier()
    return bundle


def _measured(
    step: int, started: float, device: torch.device, world: int, score: dict[str, float]
) -> dict[str, Any]:
    """What a card says of a training that came so far."""
    return {
        "steps": step,
        "wall_seconds": round(time.monotonic() - started),
        "device": _device_name(device, world),
        "validation_psnr": round(score["psnr"], 3),
        "validation_psnr_blurred": round(score["psnr_blurred"], 3),
    }


def _ship(trainer: Trainer, card: Card, measured: dict[str, Any], path: Path) -> None:
    card = replace(card, training={**card.training, **measured})
    write_bundle(copy.deepcopy(trainer.average), card, path)


def _start_of(run: Path, given: Bundle | None, begun: bool) -> Bundle | None:
    """What a run begins with, or began with before it was interrupted: it keeps a copy."""
    if not begun:
        return given
    kept = open_bundle(run / START) if (run / START).exists() else None
    if given is not None and (kept is None or kept.sha256 != given.sha256):
        before = "a random network" if kept is None else kept.card.name
        raise UsageError(f"{run}: was begun with {before}, not with {given.path}")
    return kept


def _batches(
    sampler: PairSampler, steps: range, workers: int, device: torch.device, repeats: int
) -> Iterator[TrainingBatch]:
    """The batch of each step; of every ``repeats`` one is new, the others come again, turned."""
    first, last = (-(-step // repeats) for step in (steps.start, steps.stop))
    fresh = _fresh_batches(sampler, range(first, last + 1), workers, device)
    kept: deque[TrainingBatch] = deque(maxlen=KEPT)
    rng = np.random.default_rng([sampler.seed, steps.start, 2])
    for step in steps:
        if step % repeats == 0 or not kept:
            kept.append(next(fresh))
            yield kept[-1]
        else:
            again = kept[int(rng.integers(len(kept)))]
            yield again.turned(rng.random() < 0.5, int(rng.integers(4)))


def _fresh_batches(
    sampler: PairSampler, numbers: range, workers: int, device: torch.device
) -> Iterator[TrainingBatch]:
    on_gpu = device.type == "cuda"
    loader = torch.utils.data.DataLoader(
        sampler,  # type: ignore[arg-type]
        sampler=numbers,
        batch_size=None,
        num_workers=workers,
        collate_fn=_halved if on_gpu else None,  # type: ignore[arg-type]
        pin_memory=on_gpu,
        generator=torch.Generator(),  # its own, or it would draw on the networks' random state
    )
    for *sides, blurs in loader:
        blurred, sharp = (
            side.to(device, non_blocking=True).to(torch.float32, memory_format=torch.channels_last)
            for side in sides
        )
        yield TrainingBatch(blurred, sharp, blurs)


def _halved(batch: Batch) -> tuple[Tensor, Tensor, Sequence[PSF | None]]:
    """A batch in half precision, a fortieth of the noise: what a GPU waits for is its way there."""
    blurred, sharp = (torch.from_numpy(side.astype(np.float16)) for side in batch[:2])
    return blurred, sharp, batch.blurs


def _set_rate(trainer: Trainer, rate: float) -> None:
    for part in trainer.parts().values():
        if isinstance(part, torch.optim.Optimizer):
            for group in part.param_groups:
                group["lr"] = rate


def _refuse_divergence(losses: dict[str, float], step: int, checkpoint: Path) -> None:
    wrong = [name for name, value in losses.items() if not math.isfinite(value)]
    if wrong:
        kept = f"{checkpoint} is the last good one" if checkpoint.exists() else "none was saved yet"
        raise PellucidError(f"step {step}: the {wrong[0]} loss is not finite; checkpoint: {kept}")


def _device_name(device: torch.device, world: int) -> str:
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )
    return f"{world} × {name}" if world > 1 else name

"""The training loop: from a recipe and a pair store to a bundle, resumable at any moment."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from pellucid.data.batches import PairSampler
from pellucid.data.channels import IMAGE, network_inputs
from pellucid.data.pairs import Pairs, open_pairs
from pellucid.data.splits import Split, split_objects
from pellucid.errors import InputError, PellucidError, UsageError, one_line
from pellucid.files import BusyError, one_at_a_time, write_content
from pellucid.networks.bundle import Bundle, Card, open_bundle
from pellucid.networks.export import write_bundle
from pellucid.restoration import NeuralRestorer
from pellucid.restoration.engine import torch_network
from pellucid.restoration.restorer import model_restorer
from pellucid.stretch import stretch_from_dict
from pellucid.training.card import make_card, measured_after
from pellucid.training.checkpoint import State, load_checkpoint, save_checkpoint
from pellucid.training.feeding import batches_of
from pellucid.training.fingerprint import fingerprint
from pellucid.training.log import Log, in_words, progress_bar, tell, time_left
from pellucid.training.processes import agreed, join_processes
from pellucid.training.recipe import Losses, Recipe, Trainer
from pellucid.training.validation import draw_panel, validate

LOG_EVERY = 10
#: In a run's folder: all of it, so that it can go on.
CHECKPOINT = "checkpoint.safetensors"
#: The network that it began with.
START = "start.onnx"
#: What has been learned so far, a bundle that can be used, at each validation.
INTERIM = "interim.onnx"
#: The weights that ship, in full precision.
WEIGHTS = "generator.safetensors"
#: Those of the best validation and its step; the file before it stays until a checkpoint knows.
BEST = "best-{}.safetensors"
#: Training images, at most, in which the brightest pixel is looked for.
CEILING_IMAGES = 512
#: Seconds for which the workers of a run that was just killed may still be there.
LOCK_WAIT = 10.0


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
    TemporaryError
        When another process trains in that folder.
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
    checkpoint = run / CHECKPOINT
    begun = checkpoint.exists()
    if begun and not resume:
        raise UsageError(f"{run}: holds a run already; --resume goes on with it")
    if world > recipe.batch:
        fault = f"{world} processes for batches of {recipe.batch}; one image each at least"
        raise UsageError(fault)
    start = _start_of(run, start, begun)
    torch.manual_seed(recipe.seed)
    trainer = recipe.build_trainer(len(store.bands), device, start)
    with _alone(run, begun, rank):
        if start is not None and rank == 0 and not begun:
            write_content(run / START, start.graph, overwrite=True)
        torch.manual_seed(recipe.seed + rank)
        end = State(recipe.steps, recipe.model_dump(mode="json"), fingerprint(store, split))
        step = load_checkpoint(checkpoint, trainer.parts(), end) if begun else 0
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
            count = min(-(-CEILING_IMAGES // recipe.batch), recipe.steps)
            images = replace(sampler, inputs=IMAGE)
            ceiling = max(float(images[k].blurred.max()) for k in range(count))
            card = make_card(recipe, trainer.config, stretch, store, split, ceiling, start)
            network = torch_network(trainer.average.eval())
            # What it learns from is its own business, however wide the stars in it are.
            return replace(model_restorer(card, network, "not written yet"), force=True)

        def keep(name: str) -> None:
            weights = trainer.average.state_dict()
            content = to_bytes({name: value.contiguous() for name, value in weights.items()})
            write_content(run / name, content, overwrite=True)

        def gains() -> bool:
            return agreed(log is None or log.gains(recipe.patience), device)

        log = Log(run / "log.jsonl", step) if rank == 0 else None
        seen = split.validation[: recipe.validation_images]
        started -= log.seconds if log else 0.0  # what was done before the run was interrupted
        with progress_bar(progress and rank == 0) as bar:
            task = bar.add_task(recipe.name, total=recipe.steps, completed=step, psnr="")
            steps, begun_at, entered = range(step, recipe.steps), step, time.monotonic()
            if recipe.patience and not gains():  # and all that was left to do is the bundle
                steps = range(0)
            for batch in batches_of(sampler, steps, workers, device, recipe.repeats):
                set_rate(trainer, recipe.rate_at(step))
                losses = trainer.advance(batch, step)
                step += 1
                if step == begun_at + 1:  # the first waits for what makes batches
                    entered = time.monotonic()
                # Each look makes a GPU wait; what was not finite once does not become so again.
                if device.type == "cpu" or step % LOG_EVERY == 0 or _kept_at(recipe, step):
                    _refuse_divergence(losses, step, checkpoint)
                bar.update(task, completed=step)
                validated = step % recipe.validate_every == 0 or step == recipe.steps
                if log is not None and (step % LOG_EVERY == 0 or step == recipe.steps):
                    log.write(step, losses)
                    if step == begun_at + LOG_EVERY and progress and not bar.console.is_terminal:
                        rate = (time.monotonic() - entered) / (LOG_EVERY - 1)
                        left = recipe.steps - step
                        tell(bar, f"{recipe.name}: {time_left(left, rate * left)}")
                if log is not None and validated:
                    score = validate(restorer(), store, seen)
                    draw_panel(restorer(), store, seen, run / f"sample-{step:07d}.png")
                    log.write(step, {**score, "seconds": round(time.monotonic() - started, 1)})
                    if recipe.patience and log.best == step:
                        keep(BEST.format(step))
                    if step < recipe.steps and (not recipe.patience or log.best == step):
                        measured = measured_after(step, started, device, world, score)
                        _ship(trainer, restorer().card, measured, run / INTERIM)
                    bar.update(task, psnr=f"{score['psnr']:.2f} dB")
                    if progress and not bar.console.is_terminal:
                        told = f"step {step} of {recipe.steps}, {in_words(score, len(seen))}"
                        tell(bar, f"{recipe.name}: {told}")
                ended = bool(recipe.patience) and validated and not gains()
                if log is not None and (
                    step % recipe.checkpoint_every == 0 or step == recipe.steps or ended
                ):
                    save_checkpoint(checkpoint, trainer.parts(), end._replace(step=step))
                    for old in set(run.glob(BEST.format("*"))) - {run / BEST.format(log.best)}:
                        old.unlink()
                if ended:
                    break
        bundle = run / "bundle.onnx"
        if log is not None:
            if recipe.patience:
                step = log.best
                _load_weights(trainer, run / BEST.format(step))
            score = validate(restorer(), store, split.validation)
            keep(WEIGHTS)
            measured = measured_after(step, started, device, world, score)
            _ship(trainer, restorer().card, measured, bundle)
            (run / INTERIM).unlink(missing_ok=True)
        if dist.is_initialized():
            dist.barrier()
    return bundle


@contextmanager
def _alone(run: Path, begun: bool, rank: int) -> Iterator[None]:
    """Nobody else trains in this folder; the first of torchrun's processes holds it for all."""
    busy = f"{run}: another process trains there; wait for it, or name another --output"
    if rank:
        yield
        return
    with one_at_a_time(run / ".lock", busy, LOCK_WAIT):
        if (run / CHECKPOINT).exists() != begun:
            raise BusyError(busy)
        yield


def _load_weights(trainer: Trainer, path: Path) -> None:
    try:
        trainer.average.load_state_dict(load_file(path))
    except (SafetensorError, OSError, RuntimeError) as error:
        fault = f"is missing or damaged ({one_line(error)})"
        raise InputError(f"{path}: {fault}; begin a run anew") from error


def _ship(trainer: Trainer, card: Card, measured: dict[str, Any], path: Path) -> None:
    card = replace(card, training={**card.training, **measured})
    write_bundle(trainer.average, card, path)


def _start_of(run: Path, given: Bundle | None, begun: bool) -> Bundle | None:
    """What a run begins with, or began with before it was interrupted: it keeps a copy."""
    if not begun:
        return given
    kept = open_bundle(run / START) if (run / START).exists() else None
    if given is not None and (kept is None or kept.sha256 != given.sha256):
        before = "a random network" if kept is None else kept.card.name
        raise UsageError(f"{run}: was begun with {before}, not with {given.path}")
    return kept


def set_rate(trainer: Trainer, rate: float) -> None:
    """The learning rate of the next step, in place where a recorded step looks for it."""
    for part in trainer.parts().values():
        if isinstance(part, torch.optim.Optimizer):
            for group in part.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate


def _kept_at(recipe: Recipe, step: int) -> bool:
    """Whether something is written after so many steps."""
    return step == recipe.steps or not (
        step % recipe.checkpoint_every and step % recipe.validate_every
    )


def _refuse_divergence(losses: Losses, step: int, checkpoint: Path) -> None:
    wrong = [name for name, value in losses.items() if not math.isfinite(value)]
    if wrong:
        kept = f"{checkpoint} is the last good one" if checkpoint.exists() else "none was saved yet"
        raise PellucidError(f"step {step}: the {wrong[0]} loss is not finite; checkpoint: {kept}")

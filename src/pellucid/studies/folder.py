"""What every study does with its folder: begin or join it, do each job once, train its networks."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pellucid.data.pairs import Pairs
from pellucid.data.splits import Split
from pellucid.errors import InputError, PellucidError, UsageError
from pellucid.files import BusyError, make_folder, one_at_a_time, write_content
from pellucid.networks.bundle import open_bundle
from pellucid.studies.machine import machine

if TYPE_CHECKING:  # it needs torch, whose lack is to be told in a line
    from pellucid.training.recipe import Recipe

#: What a study writes down before it does anything.
RECORD = "study.json"
#: Seconds to wait for another worker that holds a job, e.g. one that is just being killed.
PATIENCE = 10.0

Made = TypeVar("Made")


def require_training(*more: str) -> None:
    """Say before anything is done what would stop it: ``more`` is of the extra ``sources``."""
    extra = "train,sources" if more else "train"
    for name in ("torch", "onnxscript", *more):
        if importlib.util.find_spec(name) is None:
            raise UsageError(
                f"a study needs {name}, which is not installed: pip install 'pellucid[{extra}]'"
            )


@contextmanager
def locked(output: Path, name: str, patience: float = -1.0) -> Iterator[None]:
    """One at a time; `BusyError` when another is at it for longer than ``patience`` seconds.

    Below zero it waits for as long as it takes.
    """
    busy = f"{output}: another run is at this {name}"
    with one_at_a_time(output / "work" / f"{name}.lock", busy, patience):
        yield


def prepared(
    output: Path,
    record: Mapping[str, Any],
    resume: bool,
    prepare: Callable[[], Made],
    files: Sequence[str],
) -> Made:
    """Begin a study or join it, and prepare its sample; what is bad leaves nothing behind.

    The record says what the folder computes. ``prepare`` makes the sample, whose files and folders
    are ``files``, or reads what an earlier run made.
    """
    begun = _begin(output, record, resume)
    try:
        return prepare()
    except PellucidError:
        if begun:  # nothing to resume
            for path in (output / name for name in (RECORD, *files)):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        raise


def _begin(output: Path, content: Mapping[str, Any], resume: bool) -> bool:
    """Write down what the folder computes (True), or see that it is the same as before."""
    record = output / RECORD
    text = json.dumps(content, indent=1)
    if not record.exists():
        strange = [path.name for path in output.iterdir() if path.name != "work"]
        if strange:
            raise UsageError(
                f"{output}: holds no study but {strange[0]}; name an empty or a new folder"
            )
        write_content(record, text)
        return True
    if not resume:
        raise UsageError(f"{output}: holds a study already; --resume goes on with it")
    try:
        before = json.loads(record.read_text())
    except ValueError as error:
        raise InputError(f"{record}: is damaged ({error}); name another --output") from error
    for part, value in json.loads(text).items():
        if before.get(part) != value:
            raise UsageError(f"{output}: was begun with another {part}; name another --output")
    return False


def do_once(folder: Path, name: str, done: Path, do: Callable[[], Mapping[str, Any]]) -> None:
    """Write what a job found to ``done``, with where and when, unless it is there already.

    A lock keeps this worker off a job that another one is at; that one will finish it. What the
    job left in ``work/<name>`` is deleted.
    """
    try:
        with locked(folder, name, PATIENCE):
            if done.exists():
                return
            started = time.monotonic()
            result = {
                **do(),
                "machine": machine(),
                "ended": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - started, 1),
            }
            make_folder(done.parent)
            write_content(done, json.dumps(result, allow_nan=False), overwrite=True)
            shutil.rmtree(folder / "work" / name, ignore_errors=True)
    except BusyError:
        return


def model_file(folder: Path, name: str) -> Path:
    """Where a network of a study lies."""
    return folder / "models" / f"{name}.onnx"


def train_network(
    folder: Path,
    name: str,
    recipe: Recipe,
    store: Pairs,
    split: Split,
    start: Path | None = None,
    progress: bool = False,
    workers: int = 0,
) -> Path:
    """Train a network that is not trained yet, going on where it was stopped; its path.

    It begins as the network in ``start``, or as a random one; so many ``workers`` prepare batches.
    """
    from pellucid.training.run import train

    model = model_file(folder, name)
    if model.exists():
        return model
    run = folder / "work" / name
    begin = None if start is None else open_bundle(start)
    bundle = train(recipe, store, run, True, workers, split, begin, progress)
    if os.environ.get("RANK", "0") != "0":
        return model  # the first of torchrun's processes puts it there
    make_folder(model.parent)
    write_content(model.with_suffix(".jsonl"), (run / "log.jsonl").read_bytes(), overwrite=True)
    write_content(model, bundle.read_bytes(), overwrite=True)
    shutil.rmtree(run, ignore_errors=True)
    return model


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """Read a file that the study wrote; `InputError` where it is not what was written."""
    try:
        yield
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: is damaged ({error}); delete it, and --resume") from error


def write_tables(folder: Path, texts: Mapping[str, str]) -> Path:
    """Write the tables of a study; returns the folder of its results."""
    output = make_folder(folder / "results")
    for name, text in texts.items():
        write_content(output / name, text, overwrite=True)
    return output

"""A Dask cluster on this machine, and patience for what happens in other processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: Of a machine that has better things to do; a test that fails sooner fails for another reason.
PATIENCE = 600.0
HERE = ("--host", "127.0.0.1", "--no-dashboard")
#: In a cluster's folder: where its scheduler is found.
NOTE = "scheduler.json"


def wait_until(there: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@contextmanager
def dask_cluster(
    folder: Path, workers: int = 2, tasks: Path | None = None
) -> Iterator[tuple[str, subprocess.Popen]]:
    """A scheduler and workers of one thread, without nannies: a killed worker stays dead.

    Yields the scheduler's address and its process. ``tasks`` is where workers find a test's own.
    """
    pytest.importorskip("distributed")
    note = folder / NOTE
    scheduler = _dask(tasks, "scheduler", *HERE, "--port", "0", "--scheduler-file", str(note))
    started = [scheduler]
    try:
        wait_until(lambda: note.exists() and note.read_text().endswith("}"))
        started += [dask_worker(folder, tasks) for _ in range(workers)]
        yield json.loads(note.read_text())["address"], scheduler
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def dask_worker(folder: Path, tasks: Path | None = None) -> subprocess.Popen:
    """One more worker of the cluster that lives in a folder."""
    one = ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    return _dask(tasks, "worker", *HERE, *one, "--scheduler-file", str(folder / NOTE))


def importing(folder: Path | None) -> dict[str, str]:
    """The environment of a process that finds these helpers, and what is in a folder."""
    paths = [folder, Path(__file__).parent, os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(str(place) for place in paths if place)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def _dask(tasks: Path | None, *words: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *words],
        env=importing(tasks),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

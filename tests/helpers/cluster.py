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
    note = folder / "scheduler.json"
    here = ["--host", "127.0.0.1", "--no-dashboard"]
    one = ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    scheduler = _dask(tasks, "scheduler", *here, "--port", "0", "--scheduler-file", str(note))
    started = [scheduler]
    try:
        wait_until(lambda: note.exists() and note.read_text().endswith("}"))
        started += [
            _dask(tasks, "worker", *here, *one, "--scheduler-file", str(note))
            for _ in range(workers)
        ]
        yield json.loads(note.read_text())["address"], scheduler
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


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

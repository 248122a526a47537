"""Independent jobs on this machine's cores, on a Dask cluster, or as a share of a job array."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from typing import Any

from pellucid.errors import TemporaryError, UsageError, reason_of
from pellucid.workers import available_cores, processes


@dataclass(frozen=True)
class Failure:
    """A job that did not end well, and why."""

    job: str
    reason: str


def share(jobs: Sequence[Any], shard: str | None) -> list[Any]:
    """The jobs of one member of a job array: ``"2/8"`` takes every eighth, from the second.

    Raises
    ------
    UsageError
        When the text is not i/N with 1 ≤ i ≤ N.
    """
    if shard is None:
        return list(jobs)
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard {shard}: write it as i/N, from 1/N to N/N")
    return list(jobs[int(match[1]) - 1 :: int(match[2])])


def run_here(
    task: Callable[[Any], None], jobs: Sequence[Any], workers: int | None = None
) -> Iterator[Failure | None]:
    """Do ``task(job)`` for each job in a pool of processes; yields as they end.

    Workers end with the process that started them, even where that was killed.

    Raises
    ------
    TemporaryError
        When a worker is killed, e.g. for want of memory, or the disk is full.
    """
    workers = min(workers or available_cores(), max(len(jobs), 1))
    with processes(workers, "--resume goes on, --workers 1 needs less") as pool:
        futures = [pool.submit(_attempt, task, job) for job in jobs]
        for future in as_completed(futures):
            yield future.result()


def run_on_dask(
    task: Callable[[Any], None], jobs: Iterable[Any], address: str
) -> Iterator[Failure | None]:
    """The same on a running Dask cluster whose workers see the study's folder.

    A job whose worker dies goes to another one.

    Raises
    ------
    UsageError
        When dask is not installed.
    TemporaryError
        When no scheduler answers, or it goes away.
    """
    try:
        from distributed import Client
        from distributed import as_completed as dask_completed
    except ImportError:
        raise UsageError(
            "--scheduler needs dask, which is not installed: pip install 'pellucid[cluster]'"
        ) from None
    try:
        client = Client(address, timeout=10)
    except (OSError, TimeoutError, ValueError) as error:
        raise TemporaryError(f"{address}: no Dask scheduler answers there ({error})") from error
    with client:
        names = {
            client.submit(_attempt, task, job, key=f"{job.name}-{time.time_ns()}"): job.name
            for job in jobs
        }
        for future in dask_completed(names):
            if future.cancelled():
                raise TemporaryError(f"{address}: the Dask scheduler went away; --resume goes on")
            error = future.exception() if future.status == "error" else None
            if isinstance(error, (TemporaryError, OSError, MemoryError)):
                raise error
            yield Failure(names[future], str(error)) if error else future.result()


def _attempt(task: Callable[[Any], None], job: Any) -> Failure | None:
    """What goes wrong in one job does not stop the others, unless it is the machine's doing."""
    try:
        task(job)
    except Exception as error:  # of whatever kind: said, and the others go on
        return Failure(job.name, reason_of(error))
    return None

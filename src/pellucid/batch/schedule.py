"""Independent jobs on this machine's cores, on a Dask cluster, or as a share of a job array."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from pellucid.errors import PellucidError, TemporaryError, UsageError, reason_of
from pellucid.workers import available_cores, processes

#: Jobs a worker that are submitted at a time: one that it does, and one that waits for it.
IN_FLIGHT = 2
#: Seconds after which it is looked whether workers are there.
LOOK_EVERY = 5.0


class Job(Protocol):
    """What is done by one worker, and leaves its result in a file."""

    @property
    def name(self) -> str: ...


SomeJob = TypeVar("SomeJob", bound=Job)


@dataclass(frozen=True)
class Part(Generic[SomeJob]):
    """Jobs that one worker does one after the other, under a name of their own."""

    name: str
    jobs: tuple[SomeJob, ...]


@dataclass(frozen=True)
class Failure:
    """A job that did not end well, and why."""

    job: str
    error: PellucidError


def share(jobs: Sequence[Any], shard: str | None) -> list[Any]:
    """The jobs of one member of a job array: ``"2/8"`` takes every eighth, from the second."""
    if shard is None:
        return list(jobs)
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard {shard}: write it as i/N, from 1/N to N/N")
    return list(jobs[int(match[1]) - 1 :: int(match[2])])


def run_jobs(
    task: Callable[[SomeJob], None],
    jobs: Sequence[SomeJob],
    workers: int | None = None,
    scheduler: str | None = None,
) -> Iterator[Failure | None]:
    """Do ``task(job)`` for each job, yielding as they end; a job that fails stops no other.

    Parameters
    ----------
    workers
        Processes on this machine; None takes one a core. A single one is this process itself,
        others do their work on one thread each and end with it, even where it was killed.
    scheduler
        Address of a Dask scheduler whose workers do the jobs instead; they must see the same
        files. A job whose worker dies goes to another one.

    Raises
    ------
    TemporaryError
        When a worker is killed, e.g. for want of memory, the disk is full, no scheduler answers,
        or it goes away.
    """
    yield from run_parts(partial(each, task), alone(jobs), workers, scheduler)


def run_parts(
    task: Callable[[Part[SomeJob]], list[Failure | None]],
    parts: Sequence[Part[SomeJob]],
    workers: int | None = None,
    scheduler: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[Failure | None]:
    """Do ``task(part)`` for each part, yielding the outcomes of its jobs; else as `run_jobs`."""
    workers = min(workers or available_cores(), len(parts))
    if scheduler is not None:
        yield from _on_dask(task, parts, scheduler, say)
    elif workers > 1:
        advice, most = "--resume goes on, --workers 1 needs less", IN_FLIGHT * workers
        with processes(workers, advice, _use_one_thread) as pool:
            yield from _flow(lambda part: pool.submit(task, part), parts, lambda: most)
    else:
        for part in parts:
            yield from task(part)


def alone(jobs: Sequence[SomeJob]) -> list[Part[SomeJob]]:
    """Each job as a part."""
    return [Part(job.name, (job,)) for job in jobs]


def each(task: Callable[[SomeJob], None], part: Part[SomeJob]) -> list[Failure | None]:
    """Do ``task(job)`` for the jobs of a part; one that fails stops no other."""
    return [_attempt(task, job) for job in part.jobs]


def check_scheduler(address: str) -> None:
    """Refuse an address where no Dask scheduler is, or one with workers of another version.

    Raises
    ------
    UsageError
        When dask is not installed, or a worker has another version of pellucid, or none.
    TemporaryError
        When no scheduler answers there.
    """
    with _client(address) as client:
        _check_versions(client)


def _check_versions(client: Any) -> None:
    told = client.get_versions(packages=["pellucid"])
    ours = told["client"]["packages"]["pellucid"]
    for worker, known in told["workers"].items():
        theirs = known["packages"].get("pellucid")
        if theirs != ours:
            has = f"pellucid {theirs}" if theirs else "no pellucid"
            raise UsageError(f"{worker}: this worker has {has}, here is {ours}; install the same")


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise UsageError(
            "--scheduler needs dask, which is not installed: pip install 'pellucid[cluster]'"
        ) from None
    # That a scheduler went away is said in a line, and not by each of its connections.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        return Client(address, timeout=10)
    except (OSError, TimeoutError, ValueError) as error:
        raise TemporaryError(f"{address}: no Dask scheduler answers there ({error})") from error


def _on_dask(
    task: Callable[[Part[SomeJob]], list[Failure | None]],
    parts: Sequence[Part[SomeJob]],
    address: str,
    say: Callable[[str], None],
) -> Iterator[Failure | None]:
    gone = TemporaryError(f"{address}: the Dask scheduler went away; --resume goes on")
    with _client(address) as client:
        executor: Any = client.get_executor()
        missing, seen = False, set[str]()

        def submit(part: Part[SomeJob]) -> Future[list[Failure | None]]:
            return executor.submit(task, part, key=f"{part.name}-{time.time_ns()}")

        def room() -> int:
            nonlocal missing
            try:
                threads: Any = client.nthreads()
                if not seen.issuperset(threads):
                    _check_versions(client)
                    seen.update(threads)
            except (OSError, TimeoutError):
                raise gone from None
            if not threads and not missing:
                say(f"{address}: no worker is there; waits for one")
            missing = not threads
            return IN_FLIGHT * max(1, sum(threads.values()))

        try:
            yield from _flow(submit, parts, room)
        except CancelledError:
            raise gone from None


def _flow(
    submit: Callable[[Part[SomeJob]], Future[list[Failure | None]]],
    parts: Sequence[Part[SomeJob]],
    room: Callable[[], int],
) -> Iterator[Failure | None]:
    """Submit parts as others end, never more at a time than there is room for."""
    waiting = iter(parts)
    pending: dict[Future[list[Failure | None]], Part[SomeJob]] = {}
    while True:
        for part in islice(waiting, max(0, room() - len(pending))):
            pending[submit(part)] = part
        if not pending:
            return
        for future in wait(pending, LOOK_EVERY, return_when=FIRST_COMPLETED).done:
            part = pending.pop(future)
            error = future.exception()
            if error is None:
                yield from future.result()
            elif isinstance(error, (TemporaryError, OSError, MemoryError, BrokenProcessPool)):
                raise error
            else:  # dask gives up a part that took several workers with it
                yield from (Failure(job.name, PellucidError(str(error))) for job in part.jobs)


def _use_one_thread() -> None:
    """Beside other processes that is fastest; torch reads this when it is imported."""
    os.environ["OMP_NUM_THREADS"] = "1"


def _attempt(task: Callable[[SomeJob], None], job: SomeJob) -> Failure | None:
    """What goes wrong in one job does not stop the others, unless it is the machine's doing."""
    try:
        task(job)
    except TemporaryError:
        raise
    except Exception as error:  # of whatever kind: said, and the others go on
        known = isinstance(error, PellucidError)
        return Failure(job.name, error if known else PellucidError(reason_of(error)))
    return None

"""Processes that work for another one and end with it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from pellucid.ending import AGAIN, end_if_told, ending_cleanly, is_told
from pellucid.errors import TemporaryError

#: Seconds that a worker has to undo what it had begun.
UNDOING = 10.0


@contextmanager
def processes(
    count: int, advice: str, begin: Callable[..., None] | None = None, *given: Any
) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes, which end with this one, even where that is killed.

    Where this one is told to end, they leave their jobs, which may take hours, and undo what they
    had begun (but on Windows, which ends a process at once).

    Parameters
    ----------
    count
        Of the processes.
    advice
        What would help where one of them is killed.
    begin
        Called in each of them with what is ``given``, before its first job.

    Raises
    ------
    TemporaryError
        When one of them is killed, e.g. for want of memory.
    """
    context = _Spawning()
    theirs, ours = context.Pipe(duplex=False)
    pool = _Pool(count, context, _begin, (theirs, begin, *given))
    with theirs, ours:
        try:
            with _closing_when_told(ours):
                yield pool
        except BrokenProcessPool:
            raise TemporaryError(f"a worker was killed (out of memory?); {advice}") from None
        finally:
            with _closing_when_told(ours):  # this may wait long, too
                pool.shutdown(wait=True, cancel_futures=True)


def available_cores() -> int:
    """How many cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores or 1


@contextmanager
def _closing_when_told(ours: Connection) -> Iterator[None]:
    """Close the pipe when this process is on its way out."""
    try:
        yield
    except (SystemExit, KeyboardInterrupt):
        ours.close()
        raise


class _Worker(SpawnProcess):
    """Forked children would inherit the parent's threads in whatever state they are."""

    def run(self) -> None:
        with ending_cleanly():
            super().run()


class _Spawning(SpawnContext):
    Process = _Worker  # pyright: ignore[reportAssignmentType]


class _Pool(ProcessPoolExecutor):
    """One whose processes end when they are told to, not only the job that they are at."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(_do, fn, *args, **kwargs)


def _do(job: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        end_if_told()
        return job(*args, **kwargs)
    except SystemExit:
        if is_told():  # the executor would take it for the job's outcome
            raise BrokenProcessPool from None
        raise


def _begin(theirs: Connection, begin: Callable[..., None] | None, *given: Any) -> None:
    """Begin a process that ends when the pipe does, and with it the process that holds it."""

    def watch() -> None:
        with suppress(EOFError, OSError):
            theirs.recv_bytes()  # nothing comes but the end
        # A signal that comes just before a call that waits is not seen before another one.
        for _ in range(int(UNDOING / AGAIN)):
            if not is_told() and callable(signal.getsignal(signal.SIGTERM)):
                os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(AGAIN)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if begin is not None:
        begin(*given)

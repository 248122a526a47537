"""Processes that work for another one and end with it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.queues import SimpleQueue
from typing import Any

from pellucid.ending import AGAIN, end_if_told, ending_cleanly, is_told, uninterrupted, when_told
from pellucid.errors import TemporaryError, UsageError

#: Seconds that a worker has to undo what it had begun.
UNDOING = 10.0
#: Exit code of one that has not done so by then.
ENDED_LATE = 75


@contextmanager
def processes(
    count: int, advice: str, begin: Callable[..., None] | None = None, *given: Any
) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes, which end with this one, even where that is killed.

    Where this one is told to end, they leave their jobs, which may take hours, and have ten seconds
    to undo what they had begun (but on Windows, where they end at once).

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
    UsageError
        When they cannot begin: they import the script that is run.
    """
    context = _Spawning()
    theirs, ours = context.Pipe(duplex=False)
    pool = _Pool(count, context, _begin, (os.getpid(), theirs, begin, *given))
    broken = False
    with theirs, ours:
        try:
            with _telling(ours):
                yield pool
        except BrokenProcessPool:
            broken = True
        finally:
            with _telling(ours):  # this may wait long, too
                pool.shutdown(wait=True, cancel_futures=True)
    if broken and context.never_began():
        raise UsageError(
            "the workers could not begin: a script that wants several keeps what it does under"
            ' `if __name__ == "__main__":`, or asks for one'
        )
    if broken:
        raise TemporaryError(f"a worker was killed (out of memory?); {advice}")


def available_cores() -> int:
    """How many cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores or 1


@contextmanager
def _telling(ours: Connection) -> Iterator[None]:
    """Tell the processes when this one is told to end."""

    def tell() -> None:
        ours.send_bytes(b"end")  # which none takes out of the pipe, so that all see it

    with when_told(tell):
        try:
            yield
        except (SystemExit, KeyboardInterrupt):
            tell()
            raise


class _Worker(SpawnProcess):
    """Forked children would inherit the parent's threads in whatever state they are."""

    def run(self) -> None:
        with ending_cleanly():
            super().run()


class _Results(SimpleQueue[Any]):
    """Whose parent would wait for the rest of a result that was sent by half."""

    def put(self, obj: Any) -> None:
        with uninterrupted():
            super().put(obj)


class _Spawning(SpawnContext):
    """Begins workers, and remembers them."""

    def __init__(self) -> None:
        super().__init__()
        self._begun: list[_Worker] = []

    def Process(self, *args: Any, **kwargs: Any) -> _Worker:  # pyright: ignore
        self._begun.append(_Worker(*args, **kwargs))
        return self._begun[-1]

    def SimpleQueue(self) -> _Results:
        return _Results(ctx=self)

    def never_began(self) -> bool:
        """Whether one ended with an error before it was a worker."""
        return any(process.exitcode == 1 for process in self._begun)


class _Pool(ProcessPoolExecutor):
    """One whose processes end when they are told to, not only the job that they are at."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(_do, fn, *args, **kwargs)


def _do(job: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    try:
        end_if_told()
        return job(*args, **kwargs)
    except SystemExit:
        if is_told():  # the executor would take it for the job's outcome
            raise BrokenProcessPool from None
        raise


def _begin(parent: int, theirs: Connection, begin: Callable[..., None] | None, *given: Any) -> None:
    """Begin a process that ends when it is told to through the pipe, or its parent is gone."""

    def watch() -> None:
        while not is_told() and not theirs.poll(AGAIN) and os.getppid() == parent:
            pass
        until = time.monotonic() + UNDOING
        while time.monotonic() < until:
            # A signal that comes just before a call that waits is not seen before another one.
            if not is_told() and callable(signal.getsignal(signal.SIGTERM)):
                _signal_main_thread()
            time.sleep(AGAIN)
        os._exit(ENDED_LATE)

    threading.Thread(target=watch, daemon=True).start()
    try:
        if begin is not None:
            begin(*given)
    except SystemExit:
        if not is_told():  # the executor would tell of it at length
            raise


def _signal_main_thread() -> None:
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGTERM)
    else:
        os._exit(ENDED_LATE)

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
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from pellucid.ending import ENDED, ending_cleanly
from pellucid.errors import TemporaryError

#: What ends a process, or a loop over what its workers do.
ENDS = (SystemExit, KeyboardInterrupt, GeneratorExit)
#: Seconds that a worker has to undo what it had begun.
GRACE = 10.0


@contextmanager
def processes(
    count: int, advice: str, begin: Callable[..., None] | None = None, *given: Any
) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes, which end with this one, even where that is killed.

    Where this one is told to end, or nobody wants the rest, they leave their jobs, too, and undo
    what they had begun (but on Windows, which ends a process at once).

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
    pool = _Pool(count, context, _begin, (os.getpid(), begin, *given))
    try:
        yield pool
    except BrokenProcessPool:
        raise TemporaryError(f"a worker was killed (out of memory?); {advice}") from None
    except ENDS:
        context.end()
        raise
    finally:
        try:
            pool.shutdown(wait=True, cancel_futures=True)
        except ENDS:  # told while it waits for the last jobs
            context.end()
            raise


class _Spawning(SpawnContext):
    """Begins processes, and remembers them.

    Forked children would inherit the parent's threads in whatever state they are.
    """

    def __init__(self) -> None:
        super().__init__()
        self._begun: list[SpawnProcess] = []

    def Process(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, *args: Any, **kwargs: Any
    ) -> SpawnProcess:
        process = SpawnProcess(*args, **kwargs)
        self._begun.append(process)
        return process

    def end(self) -> None:
        """Let them leave their jobs, which may take hours; who does not is killed."""
        begun = [process for process in self._begun if process.pid is not None]
        for process in begun:
            process.terminate()
        for process in begun:
            process.join(GRACE)
            process.kill()


class _Pool(ProcessPoolExecutor):
    """One whose processes end when they are told to, not only the job that they are at."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(_do, fn, *args, **kwargs)


def _do(job: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        with ending_cleanly():
            return job(*args, **kwargs)
    except SystemExit as end:
        if end.code in ENDED:  # the executor would take it for the job's outcome
            os._exit(1)
        raise


def available_cores() -> int:
    """How many cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores or 1


def _begin(parent: int, begin: Callable[..., None] | None, *given: Any) -> None:
    """Begin a process that ends when its parent is gone."""
    # Ctrl-C reaches the workers, too: it ends those that wait for a job without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if begin is not None:
        begin(*given)

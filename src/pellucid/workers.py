"""Processes that work for another one and end with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from pellucid.errors import TemporaryError


@contextmanager
def processes(
    count: int, advice: str, begin: Callable[..., None] | None = None, *given: Any
) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes, which end with this one, even where that is killed.

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
    # Forked children would inherit the parent's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, context, _begin, (os.getpid(), begin, *given))
    try:
        yield pool
    except BrokenProcessPool:
        raise TemporaryError(f"a worker was killed (out of memory?); {advice}") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def available_cores() -> int:
    """How many cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores or 1


def _begin(parent: int, begin: Callable[..., None] | None, *given: Any) -> None:
    """Begin a process that ends when its parent is gone."""
    # Ctrl-C reaches the workers, too: it ends them, where Python's handler would end one job and
    # begin the next.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if begin is not None:
        begin(*given)

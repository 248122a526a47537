"""Processes that work for another one and end with it."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from pathlib import Path


def end_with_parent(parent: int) -> None:
    """Let this process end when the one that started it is gone, even where that was killed.

    Parameters
    ----------
    parent
        Its process id.
    """
    # Ctrl-C reaches the workers, too: it ends them, where Python's handler would end one job and
    # begin the next.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def available_cores() -> int:
    """How many cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores or 1


def fault(error: Exception) -> str:
    """One line for an error that is a fault of ours or of a library: what it is, and where."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"

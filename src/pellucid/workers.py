"""Processes that work for another one and end with it."""

from __future__ import annotations

import os
import signal
import threading
import time


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

"""How a process ends that is told to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Exit codes of a process that a signal ended: SIGHUP, SIGINT, SIGTERM.
ENDED = (129, 130, 143)


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Undo what was begun, such as a file half written, when the process is told to end.

    By SIGTERM, Ctrl-C, or SIGHUP where nobody ignores it, as nohup does.
    """

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

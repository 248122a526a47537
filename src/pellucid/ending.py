"""How a process ends that is told to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Exit codes of a process that a signal ended: SIGHUP, SIGINT, SIGTERM.
ENDED = (129, 130, 143)
#: Signals that wait until a library that may not be left in between is done; None where none is.
_waiting: list[int] | None = None


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Undo what was begun, such as a file half written, when the process is told to end.

    By SIGTERM, Ctrl-C, or SIGHUP where nobody ignores it, as nohup does.
    """

    def end(number: int, frame: object) -> None:
        if _waiting is None:
            raise SystemExit(128 + number)
        _waiting.append(number)

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


@contextmanager
def uninterrupted() -> Iterator[Callable[[], None]]:
    """Let a signal to end wait while a library calls us back that would not survive an exception.

    Yields what ends the process where a signal waits, to be called at moments that suit.
    """
    global _waiting
    if threading.current_thread() is not threading.main_thread() or _waiting is not None:
        yield lambda: None
        return
    waiting = _waiting = []

    def end_if_told() -> None:
        if waiting:
            raise SystemExit(128 + waiting[0])

    try:
        yield end_if_told
    finally:
        _waiting = None
        end_if_told()

"""How a process ends that is told to.

A signal becomes an exception, so that all that was begun is undone on its way out. Such a one can
come up anywhere, and some places take it for their own: the making of a class, an import, a
finalizer turn it into another error or drop it. So it is kept in mind that the end was asked for:
no error of ours is made (`pellucid.errors`) and no file put in its place (`pellucid.files`) after
it, and the exception is raised again until it is on its way.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Exit codes of a process that a signal ended: SIGHUP, SIGINT, SIGTERM.
ENDED = (129, 130, 143)
#: Seconds after which one that was dropped is raised again.
AGAIN = 0.5
#: The signal that told this process to end, and whether it waits until a library is done that may
#: not be left in between.
_told: int | None = None
_waits = False
#: What is done at once.
_acts: list[Callable[[], None]] = []


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Undo what was begun, such as a file half written, when the process is told to end.

    By SIGTERM, Ctrl-C, or SIGHUP where nobody ignores it, as nohup does.
    """
    global _told

    def end(number: int, frame: object) -> None:
        global _told
        if _told is None:
            _told = number
            for act in _acts:
                act()
            if hasattr(signal, "setitimer"):
                signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
        if not _on_its_way():
            end_if_told()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGTERM", "SIGHUP", "SIGINT", "SIGALRM") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, end)
    try:
        with ended_as_told():
            yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        _told = None
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def when_told(act: Callable[[], None]) -> Iterator[None]:
    """Let ``act`` be done as soon as the process is told to end, whoever runs at that moment."""
    _acts.append(act)
    try:
        yield
    finally:
        _acts.remove(act)


def is_told() -> bool:
    """Whether the process was told to end."""
    return _told is not None


def end_if_told() -> None:
    """End the process that was told to, where a library is not to be waited for."""
    if not _waits:
        _end()


@contextmanager
def ended_as_told() -> Iterator[None]:
    """Let what leaves this be the end that was asked for, whatever became of it on the way."""
    try:
        yield
    except Exception:
        end_if_told()
        raise


@contextmanager
def uninterrupted() -> Iterator[Callable[[], None]]:
    """Let a signal to end wait while a library calls us back that would not survive an exception.

    Yields what ends the process where a signal waits, to be called at moments that suit.
    """
    global _waits
    if threading.current_thread() is not threading.main_thread() or _waits:
        yield lambda: None
        return
    _waits = True
    try:
        yield _end
    finally:
        _waits = False
        _end()


def _end() -> None:
    if _told is not None and threading.current_thread() is threading.main_thread():
        raise SystemExit(128 + _told)


def _on_its_way() -> bool:
    """Whether what runs now is what is to be done before the end."""
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, SystemExit):
            return True
        error = error.__context__
    return False

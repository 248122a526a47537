"""One command in a process of its own, with little memory and time, and what became of it."""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

#: Address space beyond what the parent holds already, time of a processor, and time by the clock:
#: a busy machine is slow, and one that waits for ever uses no processor.
MEMORY, SECONDS, LONGEST = 2 * 1024**3, 20, 200.0
#: The exit code by which a child tells that an exception left the program.
ESCAPED = 70


class Outcome(NamedTuple):
    """What became of a command.

    Parameters
    ----------
    code
        Its exit code; negative, the signal that ended it.
    said
        Its stderr.
    hung
        Whether its time was over before it ended.
    """

    code: int
    said: str
    hung: bool


#: Words of a command line, or a call that does what one does and returns its exit code.
Task = Sequence[str] | Callable[[], int]


def guarded(
    task: Task, folder: Path, largest: int | None = None, seconds: int = SECONDS
) -> Outcome:
    """Run ``pellucid TASK`` in a fork of this process, its working folder being ``folder``.

    The program is loaded already, so that ten thousand of them take minutes. No file may grow to
    more than ``largest`` bytes; ``seconds`` are a processor's.
    """
    said = folder.parent / f"{folder.name}.stderr"
    child = os.fork()
    if child == 0:
        _run(task, folder, said, largest, seconds)
    ended = _wait(child, LONGEST)
    if ended is None:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    else:
        status = ended
    text = said.read_text(errors="replace")
    said.unlink()
    code = os.waitstatus_to_exitcode(status)
    return Outcome(code, text, ended is None or code == -signal.SIGXCPU)


def _run(task: Task, folder: Path, said: Path, largest: int | None, seconds: int) -> None:
    """What the child does; it never returns."""
    code = ESCAPED
    try:
        os.chdir(folder)
        with open(os.devnull, "r+b") as nothing, open(said, "wb") as told:
            os.dup2(nothing.fileno(), 0)
            os.dup2(nothing.fileno(), 1)
            os.dup2(told.fileno(), 2)
        used = _address_space()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        from pellucid.cli import main

        code = task() if callable(task) else main(list(task))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _wait(child: int, seconds: float) -> int | None:
    """The status with which a child ended; None where it did not in time."""
    watched = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        begun = time.monotonic()
        if not poll.poll(1000.0 * max(0.0, seconds - (time.monotonic() - begun))):
            return None
        return os.waitpid(child, 0)[1]
    finally:
        os.close(watched)

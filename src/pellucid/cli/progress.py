"""How far a work is: a bar on a terminal, a line every so often elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pellucid.cli.options import say
from pellucid.errors import printable

if TYPE_CHECKING:
    from pellucid.batch.schedule import Failure

#: Seconds between two lines, and up to the first.
EVERY, FIRST = 60.0, 10.0
#: So many images that failed are named, where there is a table that names them all.
NAMED = 20


def followed(ended: Iterable[Failure | None], total: int) -> Iterator[Failure | None]:
    """The outcomes as they come; what failed is said, and how fast it goes on stderr."""
    if total and sys.stderr.isatty():
        yield from _barred(ended, total)
        return
    told, failures = Lines(), _Failures(say)
    for done, failure in enumerate(ended, 1):
        failures.add(failure)
        if pace := told.due(done, total):
            say(f"{done} of {total}{pace}{failures}")
        yield failure


@contextmanager
def watched(what: str) -> Iterator[None]:
    """How many tiles of the work inside are done: a bar on a terminal, a line a minute elsewhere.

    Short works end before the first line.
    """
    from pellucid.tiling import listening

    if not sys.stderr.isatty():
        told = Lines()

        def line(done: int, total: int) -> None:
            if pace := told.due(done, total):
                say(f"{what}: {done} of {total} parts{pace}")

        with listening(line):
            yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    left, pace = TextColumn("{task.fields[pace]}"), Pace()
    with Progress(*columns, left, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, pace="")
        with listening(
            lambda done, total: bar.update(
                task, completed=done, total=total, pace=pace(done, total).removeprefix(", ")
            )
        ):
            yield


class Pace:
    """How fast a work goes on from what was done first, which waits for what begins it."""

    def __init__(self) -> None:
        self.first, self.total, self.since, self.now = 0, 0, 0.0, 0.0

    def __call__(self, done: int, total: int) -> str:
        """The rate and the time left, after a comma; nothing as long as they are not known."""
        self.now = time.monotonic()
        if total != self.total or done <= self.first:
            self.first, self.total, self.since = done, total, self.now
            return ""
        rate = (done - self.first) / max(self.now - self.since, 1e-3)
        speed = f"{rate:.3g} a second" if rate >= 1 else f"{1 / rate:.3g} s each"
        return f", {speed}, {duration((total - done) / rate)} left"


class Lines:
    """When a line is due, and what it says of the pace."""

    def __init__(self) -> None:
        self.pace, self.due_at = Pace(), time.monotonic() + FIRST

    def due(self, done: int, total: int) -> str:
        """The pace, where a line is due and it is known."""
        pace = self.pace(done, total)
        if not pace or self.pace.now < self.due_at or done == total:
            return ""
        self.due_at = self.pace.now + EVERY
        return pace


def duration(seconds: float) -> str:
    """A span of time in the unit that suits it."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _barred(ended: Iterable[Failure | None], total: int) -> Iterator[Failure | None]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    speed = TextColumn("{task.fields[pace]}")
    columns = TextColumn("restoring"), BarColumn(), MofNCompleteColumn(), speed
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task, pace = bar.add_task("restoring", total=total, pace=""), Pace()

        def tell(text: str) -> None:
            line = printable(f"pellucid: {text}")
            bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

        failures = _Failures(tell)
        for done, failure in enumerate(ended, 1):
            failures.add(failure)
            told = f"{pace(done, total)}{failures}".removeprefix(", ")
            bar.update(task, completed=done, pace=told)
            yield failure


class _Failures:
    """What failed: the first are said as they come."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell, self.count = tell, 0

    def add(self, failure: Failure | None) -> None:
        if failure is None:
            return
        self.count += 1
        if self.count <= NAMED:
            self.tell(f"failed: {failure.error}")
        elif self.count == NAMED + 1:
            self.tell("further ones that fail stand in the table")

    def __str__(self) -> str:
        return f", {self.count} failed" if self.count else ""

"""How far a run of many images is: a bar on a terminal, a line every so often elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator

from pellucid.batch.schedule import Failure
from pellucid.cli.options import say
from pellucid.errors import printable

#: Seconds between two lines, and up to the first.
EVERY, FIRST = 60.0, 10.0


def followed(ended: Iterable[Failure | None], total: int) -> Iterator[Failure | None]:
    """The outcomes as they come; each failure is said in a line, and how fast it goes on stderr."""
    if total and sys.stderr.isatty():
        yield from _barred(ended, total)
        return
    started = time.monotonic()
    due, failed = started + FIRST, 0
    for done, failure in enumerate(ended, 1):
        failed += _said(failure, say)
        now = time.monotonic()
        if now >= due and done < total:
            due = now + EVERY
            say(f"{done} of {total}, {pace(done, total, now - started)}{_failed(failed)}")
        yield failure


def pace(done: int, total: int, seconds: float) -> str:
    """Images a second, and how long the rest will take."""
    rate = done / max(seconds, 1e-3)
    speed = f"{rate:.3g} a second" if rate >= 1 else f"{1 / rate:.3g} s each"
    return f"{speed}, {duration((total - done) / rate)} left"


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
    started, failed = time.monotonic(), 0
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("restoring", total=total, pace="")

        def tell(text: str) -> None:
            line = printable(f"pellucid: {text}")
            bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

        for done, failure in enumerate(ended, 1):
            failed += _said(failure, tell)
            told = pace(done, total, time.monotonic() - started) + _failed(failed)
            bar.update(task, completed=done, pace=told)
            yield failure


def _said(failure: Failure | None, tell: Callable[[str], None]) -> bool:
    if failure is not None:
        tell(f"failed: {failure.error}")
    return failure is not None


def _failed(count: int) -> str:
    return f", {count} failed" if count else ""

"""restore, of many images or of a catalogue's objects."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from pellucid.batch.catalogue import Cutouts
from pellucid.batch.request import Request
from pellucid.batch.survey import Existing, Spread, restore_all
from pellucid.cli import options
from pellucid.cli.progress import duration, followed
from pellucid.cli.view import make_page
from pellucid.errors import UsageError
from pellucid.version import __version__

#: So many notes are said of a run.
MOST = 10


def objects_of(
    catalogue: Path,
    images: list[Path] | None,
    size: int | None,
    id_column: str | None,
    where: Sequence[str],
    inputs: list[Path] | None,
) -> Cutouts:
    """The objects of a catalogue that were asked for."""
    if inputs:
        raise UsageError(f"{inputs[0]}: mosaics of a --catalogue are named by --image")
    if not images or size is None:
        missing = "--image MOSAIC" if not images else "--size PIXELS"
        raise UsageError(f"--catalogue {catalogue}: needs {missing}, too")
    return Cutouts(catalogue, tuple(images), size, id_column or "id", tuple(where))


def restore_many(
    inputs: list[Path] | Cutouts,
    folder: Path,
    request: Request,
    group: str | None,
    existing: Existing,
    spread: Spread,
    as_json: bool,
    page: Path | None = None,
) -> None:
    """Restore images into a folder, make a page of them, and report."""
    started = time.perf_counter()
    outcome = restore_all(
        inputs, folder, request, group, existing, spread, followed, lambda text: options.say(text)
    )
    seconds = time.perf_counter() - started
    report = {
        "output": str(folder),
        **asdict(outcome),
        "table": str(outcome.table),
        "pellucid": __version__,
        "seconds": round(seconds, 3),
    }
    line = f"{outcome.table}: {outcome.done} of {outcome.images} restored in {duration(seconds)}"
    if outcome.failed:
        line += f", {outcome.failed} failed; --resume tries these again"
    _say_notes(outcome.notes)
    if page is not None and outcome.done:
        places = [Path(each) for each in inputs] if isinstance(inputs, list) else []
        make_page([folder], page, [path for path in places if path.is_dir()], (), True)
    options.report_result(report, as_json, line)
    if outcome.failed:
        raise typer.Exit(1)


def _say_notes(notes: Mapping[str, int]) -> None:
    """Each note once, with the number of images that it came for."""
    for note, count in list(notes.items())[:MOST]:
        options.say_notes([f"{note} ({count} image{'s' * (count > 1)})"])
    if len(notes) > MOST:
        others = len(notes) - MOST
        options.say(
            f"note: {others} other note{'s stand' if others > 1 else ' stands'} in the table"
        )

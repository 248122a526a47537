"""view: restorations as one page to look at, which needs no server and no network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import options
from pellucid.errors import UsageError
from pellucid.version import __version__

#: How a page may be called.
SUFFIXES = (".html", ".htm")


def view(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="Restored files, folders of them, a run's table (restored.ecsv) or its STORE.h5; "
            "other images are shown as they are.",
            metavar="RESTORED...",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page, PAGE.html.")],
    given: Annotated[
        list[Path] | None,
        typer.Option(
            "--input",
            help="What was restored, or a folder with it, where it lies no more where it was.",
        ),
    ] = None,
    truth: Annotated[
        list[Path] | None,
        typer.Option("--truth", help="What it should be: a file, or a folder of files by name."),
    ] = None,
    truth_hdu: Annotated[
        str | None, typer.Option("--truth-hdu", help="Extension of that, by number or name.")
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Show restorations beside what they were made of, on one page."""
    started = time.perf_counter()
    given, truth = given or [], truth or []
    check_page(output)
    options.check_outputs([output], [*inputs, *given, *truth], overwrite)
    for path in (*given, *truth):
        if not path.exists():
            raise UsageError(f"{path}: not found; check the path")
    if truth_hdu is not None and not truth:
        raise UsageError(f"--truth-hdu {truth_hdu}: is of the file that --truth names")
    hdu = options.hdu_choice(truth_hdu)
    count, failures, notes = make_page(inputs, output, given, truth, overwrite, hdu)
    report = {
        "output": str(output),
        "objects": count,
        "failed": len(failures),
        "notes": notes,
        "bytes": output.stat().st_size,
        "pellucid": __version__,
        "seconds": round(time.perf_counter() - started, 3),
    }
    options.report_result(report, as_json, said_of(output, count))
    if failures:
        raise typer.Exit(1)


def make_page(
    inputs: Sequence[Path],
    output: Path,
    given: Sequence[Path] = (),
    truth: Sequence[Path] = (),
    overwrite: bool = False,
    truth_hdu: int | str | None = None,
) -> tuple[int, dict[str, str], list[str]]:
    """Write a page, and tell how many objects it has, which failed and why, and notes of one."""
    from pellucid.view import write_page
    from pellucid.view.many import entries_of, told_entries

    entries = entries_of(inputs)
    if len(entries) > 1 and (file := next((path for path in truth if path.is_file()), None)):
        raise UsageError(f"--truth {file}: is one file for {len(entries)} objects; name a folder")
    subjects, failures, notes = [], dict[str, str](), list[str]()
    for subject, said in options.with_progress(
        told_entries(entries, given, truth, truth_hdu), len(entries), "reading"
    ):
        subjects.append(subject)
        notes += said if len(entries) == 1 else []
        if "reason" in subject:
            failures[subject["name"]] = subject["reason"]
    title = subjects[0]["name"] if len(subjects) == 1 else _title(inputs)
    write_page(subjects, title, output, overwrite)
    options.say_first("failed", failures)
    options.say_notes(note for note in notes if "not shown" in note or "residual" in note)
    return len(subjects), failures, notes


def said_of(page: Path, count: int) -> str:
    """One line about a page."""
    objects = f"{count} objects, " if count > 1 else ""
    return f"{page}: {objects}{page.stat().st_size / 1e6:.1f} MB; open it in a browser"


def check_page(page: Path) -> None:
    """Refuse a page whose name no browser would take for one."""
    if page.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{page}: is no name of a page; let it end with .html")


def _title(inputs: Sequence[Path]) -> str:
    first = inputs[0]
    name = first.name if first.is_dir() else first.parent.name
    return name or first.resolve().parent.name or "Restorations"

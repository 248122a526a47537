"""Many images: each restored into a folder, with a table of them all."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from pellucid.batch import journal
from pellucid.batch.catalogue import Cutouts
from pellucid.batch.cluster import from_anywhere, shares_of, where_it_loads
from pellucid.batch.item import Item
from pellucid.batch.journal import Row
from pellucid.batch.notes import counted
from pellucid.batch.one import restore_item
from pellucid.batch.request import Request
from pellucid.batch.schedule import Failure, alone, check_scheduler, each, run_parts, share
from pellucid.batch.shards import any_shard, parts_of, sweep_shards, write_shard
from pellucid.batch.table import ECSV, write_tables
from pellucid.batch.taken import take_files, take_objects
from pellucid.errors import UsageError
from pellucid.files import make_folder
from pellucid.workers import available_cores

Existing = Literal["refuse", "resume", "overwrite"]
Progress = Callable[[Iterable[Failure | None], int], Iterable[Failure | None]]
#: Images that a further process is worth starting for.
WORTH = 8
#: Seconds to wait for another member of a job array that is writing the tables.
_PATIENCE = 600.0


@dataclass(frozen=True)
class Spread:
    """Who does the work.

    Parameters
    ----------
    workers
        Processes on this machine; None takes one a core, fewer for a handful of images.
    scheduler
        Address of a Dask scheduler whose workers, which see the same files, do it instead.
    shard
        Which share of the images is done here, as ``"2/8"``.
    """

    workers: int | None = None
    scheduler: str | None = None
    shard: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Parameters
    ----------
    table
        The ECSV file.
    images
        How many there are in all, in the share that was done here.
    done, failed
        How many of these stand restored, and how many could not be.
    before
        How many an earlier run had done.
    failures
        Why each failed, by id.
    notes
        What was noted, with the number of images that it came for, the most frequent first.
    digest
        SHA-256 of the ids and the checksums of all that stands restored in the folder: equal
        where two runs gave the same bits.
    """

    table: Path
    images: int
    done: int
    failed: int
    before: int
    failures: dict[str, str]
    notes: dict[str, int]
    digest: str


def restore_all(
    inputs: Sequence[str | os.PathLike[str]] | Cutouts,
    output: str | os.PathLike[str],
    request: Request | None = None,
    group: str | None = None,
    existing: Existing = "refuse",
    spread: Spread | None = None,
    progress: Progress = lambda ended, total: ended,
    say: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Restore many images into a folder, each into a file named after it.

    Parameters
    ----------
    inputs
        Files, folders with all that is in them, and lists of files: a text with a name a line, or
        a table with a column of names. Or `Cutouts`: the objects of a catalogue in mosaics.
    output
        The folder. It gets a FITS file an image and a table of them (``restored.ecsv``).
    request
        How each is read and restored.
    group
        What is one image: ``"names"`` (the default), files whose names differ by nothing but the
        band, and those of a sub-folder whose headers name a band each; ``"folder"``, all that lie
        in one; ``"none"``, each file by itself; or a pattern, ``"{id}-{band}.fits"``.
    existing
        What becomes of the run that the folder holds: ``"resume"`` does what is left of it and
        what failed, ``"overwrite"`` begins anew.
    spread
        Who does the work.
    progress
        Shows how far it is: given the outcomes as they come and their number, it yields them.
    say
        Is told what was taken for what.

    Raises
    ------
    UsageError
        When the folder holds a run, another one, or an input that would be written over.
    InputError
        When there is no image, or a list cannot be read.
    TemporaryError
        When the machine is in the way; what is done stays done.
    """
    request, spread = request or Request(), spread or Spread()
    request.check()
    folder = Path(output)
    if isinstance(inputs, Cutouts):
        taken = take_objects(inputs, request)
    else:
        taken = take_files(inputs, folder, group, request)
    items = taken.items
    mine: list[Item] = share(items, spread.shard)
    options = {**request.words(), **taken.words}
    if not taken.shard:
        _check_targets(folder, items, taken.files)
    shard = f"shard-{spread.shard.replace('/', '-of-')}" if spread.shard else "run"
    busy = "another run is at work there; wait for it, or name another --output"
    joining = spread.shard is not None
    _check_run(folder, options, mine, existing, joining, taken.shard > 0)
    if spread.scheduler is not None:
        check_scheduler(spread.scheduler)  # before the folder holds a run
    with journal.locked(make_folder(folder), shard, busy):
        if existing == "overwrite" and spread.shard is None:
            journal.forget(folder)
        journal.record(folder, options)
        rows = journal.rows_of(folder)
        done = {
            item.name for item in mine if existing != "overwrite" and _stands(folder, item, rows)
        }
        todo = [item for item in mine if item.name not in done]
        for line in taken.said:
            say(line)
        if done:
            say(f"{len(done)} of {len(mine)} are done already")
        if taken.shard:
            sweep_shards(folder, rows.values(), spread.shard)
        else:
            _sweep(folder, todo)
        failures: dict[str, str] = {}
        try:
            workers = spread.workers or min(available_cores(), -(-len(todo) // WORTH))
            if spread.scheduler is not None:
                todo, request = [from_anywhere(item) for item in todo], request.from_anywhere()
            work = partial(write_shard, folder.absolute(), request)
            if taken.shard:
                size = min(taken.shard, -(-len(todo) // max(workers, 1)))
                parts = parts_of(todo, size if todo else 1, spread.shard)
            else:
                work = partial(each, partial(restore_item, folder.absolute(), request))
                parts = alone(todo) if spread.scheduler is None else shares_of(todo)
            if spread.scheduler is not None:
                work = partial(where_it_loads, request, work)
            ended = run_parts(work, parts, workers, spread.scheduler, say)
            for failure in progress(ended, len(todo)):
                if failure is not None:
                    failures[failure.job] = str(failure.error)
        finally:
            if not taken.shard:  # of workers that outlived a run before this one for a moment
                _sweep(folder, todo)
            with journal.locked(folder, "tables", "another run writes its tables", _PATIENCE):
                told = _table_rows(items, journal.rows_of(folder))
                write_tables(folder, told)
    names = {item.name for item in mine}
    return Outcome(
        table=folder / ECSV,
        images=len(mine),
        done=len(mine) - len(failures),
        failed=len(failures),
        before=len(done),
        failures=failures,
        notes=counted(row for row in told if row["state"] == "done" and row["id"] in names),
        digest=_digest(told),
    )


def _check_targets(folder: Path, items: Sequence[Item], files: Iterable[str]) -> None:
    """Refuse before any work is done to write over an input."""
    read = {os.path.realpath(file): file for file in files}
    for item in items:
        over = read.get(os.path.realpath(folder / item.output))
        if over is not None:
            raise UsageError(f"{over}: would be written over; name another --output")


def _check_run(
    folder: Path,
    options: dict[str, str],
    mine: Sequence[Item],
    existing: Existing,
    joining: bool,
    stored: bool,
) -> None:
    """Refuse a folder with a run that is not to be resumed, or with files in the way."""
    before = journal.recorded(folder) if existing != "overwrite" else None
    if existing == "overwrite":
        return
    if before is not None:
        rows = journal.rows_of(folder)
        begun = not joining or any(item.name in rows for item in mine)
        if existing != "resume" and begun:
            way = "--resume goes on with it, --overwrite begins anew"
            raise UsageError(f"{folder}: holds a run already; {way}")
        journal.check_same(folder, before, options)
        return
    paths = (folder / item.output for item in mine)
    path = any_shard(folder) if stored else next((path for path in paths if path.exists()), None)
    if path is not None:
        raise UsageError(f"{path}: exists already; --overwrite replaces it")


def _stands(folder: Path, item: Item, rows: dict[str, Row]) -> bool:
    row = rows.get(item.name)
    if row is None or row["state"] != "done" or not (folder / row["output"]).is_file():
        return False
    # An object that a later catalogue has elsewhere is another one.
    return item.cut is None or (row.get("ra"), row.get("dec")) == (item.cut.ra, item.cut.dec)


def _sweep(folder: Path, items: Iterable[Item]) -> None:
    """Delete what a process that was killed had half written of these."""
    names: dict[Path, set[str]] = defaultdict(set)
    for item in items:
        path = folder / item.output
        names[path.parent].add(f".{path.name}")
    for place, ours in names.items():
        for path in place.glob(".*.fits.*") if place.is_dir() else ():
            if path.name.rpartition(".")[0] in ours:
                with suppress(OSError):
                    path.unlink()


def _table_rows(items: Sequence[Item], rows: dict[str, Row]) -> list[Row]:
    """A row for each image, in their order; then those of images that are no longer asked for."""
    left = {"state": "skipped", "reason": "not reached; --resume goes on"}
    told = [rows.get(item.name, {"id": item.name, "input": item.files, **left}) for item in items]
    now = {item.name for item in items}
    return told + [r for name, r in rows.items() if name not in now and r["state"] == "done"]


def _digest(rows: Iterable[Row]) -> str:
    lines = sorted(f"{row['id']} {row['sha256']}\n" for row in rows if row["state"] == "done")
    return hashlib.sha256("".join(lines).encode()).hexdigest()

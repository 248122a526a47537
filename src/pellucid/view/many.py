"""Which objects a page shows: restored files, folders of them, and the table of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.batch.inputs import TABLE_LISTS
from pellucid.batch.store import RestoredStore, open_restored
from pellucid.batch.table import ECSV
from pellucid.data.catalogue import open_catalogue
from pellucid.data.names import is_image_name
from pellucid.errors import InputError, naming, reason_of
from pellucid.view.restored import subject_of_file, subject_of_result
from pellucid.view.subject import COARSE, FINE, Subject, told
from pellucid.workers import available_cores, processes

#: More objects than these are told in coarser steps.
FEW = 12
#: Objects that a further process is worth starting for.
WORTH = 12
#: Columns of a run's table by which its objects are sorted, and what they are called here.
_SORTED = {"doubt": "doubt", "chi2": "chi2", "unlike": "unlike", "psf_fwhm": "psf"}


@dataclass(frozen=True)
class Entry:
    """An object of a page before it is read.

    ``fault`` says why there is nothing to read; ``inputs`` are files that it was made of.
    """

    name: str
    path: Path | None = None
    store: RestoredStore | None = None
    inputs: tuple[Path, ...] = ()
    numbers: dict[str, float] = field(default_factory=dict)
    fault: str = ""


def entries_of(named: Sequence[Path]) -> list[Entry]:
    """The objects in files, folders, stores and tables.

    Raises
    ------
    InputError
        When something is not there, or holds no image.
    """
    found: list[Entry] = []
    for path in named:
        has_table, is_store = (path / ECSV).is_file(), any(path.glob("*.h5"))
        if path.is_dir() and is_store:
            store = open_restored(path)
            found += [Entry(name, store=store) for name in store]
            told_of = _of_table(path / ECSV) if has_table else []
            found += [each for each in told_of if each.fault and each.name not in store]
        elif path.is_dir() and has_table:
            found += _of_table(path / ECSV)
        elif path.is_dir():
            files = sorted(each for each in path.rglob("*") if is_image_name(each))
            if not files:
                raise InputError(f"{path}: holds no image; name restored FITS files")
            found += [Entry(str(each.relative_to(path)), each) for each in files]
        elif path.suffix.lower() in TABLE_LISTS:
            found += _of_table(path)
        else:
            found.append(_of_its_run(path) or Entry(path.name, path))
    return found


def told_entries(
    entries: Sequence[Entry],
    places: Sequence[Path],
    truths: Sequence[Path],
    truth_hdu: int | str | None = None,
) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """What a page is told of each, as JSON holds it, and notes; of what fails, why.

    Parameters
    ----------
    places
        Files of the inputs, and folders in which they lie.
    truths
        A file for one object; folders in which files are called as the objects are.
    truth_hdu
        Which extension of them.

    Raises
    ------
    PellucidError
        When there is one object alone, and it cannot be read.
    """
    find = partial(_subject, places=places, truths=truths, truth_hdu=truth_hdu)
    tell = partial(_told, steps=FINE if len(entries) <= FEW else COARSE, find=find)
    if len(entries) == 1:
        subject = find(entries[0])
        yield told(subject), list(subject.notes)
        return
    workers = min(available_cores(), len(entries) // WORTH)
    if workers < 2:
        yield from map(tell, entries)
        return
    with processes(workers, "give fewer objects") as pool:
        yield from pool.map(tell, entries, chunksize=4)


def _told(
    entry: Entry, steps: float, find: Callable[[Entry], Subject]
) -> tuple[dict[str, Any], list[str]]:
    """What a page is told of one of many."""
    try:
        subject = find(entry)
    except Exception as error:  # a fault of ours or of a library, too: the others are shown
        return {"name": entry.name, "numbers": entry.numbers, "reason": reason_of(error)}, []
    numbers = {**subject.numbers, **entry.numbers}
    return told(replace(subject, numbers=numbers), steps), list(subject.notes)


def _subject(
    entry: Entry,
    places: Sequence[Path],
    truths: Sequence[Path],
    truth_hdu: int | str | None,
) -> Subject:
    if entry.fault:
        raise InputError(entry.fault)
    if entry.store is not None:
        return subject_of_result(entry.store[entry.name], entry.name)
    assert entry.path is not None
    with naming(entry.path):
        near = [*places, *entry.inputs]
        truth = _truth(entry, truths)
        return subject_of_file(entry.path, near, truth, entry.name, truth_hdu)


def _truth(entry: Entry, truths: Sequence[Path]) -> Path | None:
    for place in truths:
        if not place.is_dir():
            return place
        assert entry.path is not None
        stem = entry.path.name.split(".")[0]
        for each in sorted(place.iterdir()):
            if each.name == entry.path.name or each.name.split(".")[0] == stem:
                return each
    return None


def _of_table(path: Path) -> list[Entry]:
    """The rows of the table that a run wrote, whatever became of them."""
    advice = f"; a run's table is called {ECSV}"
    table = open_catalogue(path, advice=advice)
    for needed in ("output", "state"):
        if table.find(needed) is None:
            raise InputError(f"{path}: no column {needed}: not the table of a run{advice}")
    ids, outputs, states = table.text("id"), table.text("output"), table.text("state")
    reasons = table.text("reason") if table.find("reason") else [""] * len(table)
    # What a catalogue's objects were cut out of is no input: it may be a night's mosaic.
    known = table.find("input") is not None and table.find("ra") is None
    inputs = table.text("input") if known else [""] * len(table)
    numbers = {
        ours: _worst(table.table[column]) for column, ours in _SORTED.items() if table.find(column)
    }
    stores: dict[Path, RestoredStore] = {}
    entries = []
    for row, (name, output, state) in enumerate(zip(ids, outputs, states, strict=True)):
        known = {key: float(each[row]) for key, each in numbers.items() if np.isfinite(each[row])}
        files = tuple(Path(each) for each in inputs[row].split(";") if each)
        entry = Entry(name, inputs=files, numbers=known)
        if state != "done":
            entry = replace(entry, fault=reasons[row] or f"was not restored ({state})")
        elif output.endswith(".h5"):
            folder = path.parent
            store = stores[folder] = stores.get(folder) or open_restored(folder)
            entry = replace(entry, store=store)
        else:
            entry = replace(entry, path=path.parent / output)
        entries.append(entry)
    return entries


def _of_its_run(path: Path) -> Entry | None:
    """What the table beside a file tells of it; None where there is none, or another's."""
    table = path.parent / ECSV
    try:
        rows = _of_table(table) if table.is_file() else []
    except InputError:
        return None
    return next((replace(each, name=path.name) for each in rows if each.path == path), None)


def _worst(column: Any) -> np.ndarray:
    """A number a row, the largest of several bands'."""
    rows = [np.ma.filled(np.ma.asarray(value, np.float64), np.nan).ravel() for value in column]
    return np.array([np.nanmax(row) if np.isfinite(row).any() else np.nan for row in rows])

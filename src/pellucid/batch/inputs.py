"""The files that were named: one by one, by their folder, or in a list."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pellucid.batch.journal import HIDDEN, rows_of
from pellucid.data.catalogue import Catalogue, read_catalogue
from pellucid.data.names import is_image_name
from pellucid.display import is_composite
from pellucid.errors import InputError
from pellucid.fits import COMPANIONS, role_of_file, roles_beside

TEXT_LISTS = (".txt", ".lst", ".list")
TABLE_LISTS = (".ecsv", ".csv", ".vot", ".votable", ".xml", ".parquet")
EARLIER = "results of an earlier run"
#: What a table may call its column of files.
COLUMNS = ("file", "path", "filename", "file_name", "filepath", "image", "input", "name")


@dataclass
class Found:
    """The images' files, and what else was there.

    Parameters
    ----------
    files
        Each with the folder that it lies in below the one that was named; "" for one that was
        named itself.
    passed
        How many files were passed over, by the reason.
    """

    files: dict[str, str] = field(default_factory=dict)
    passed: Counter[str] = field(default_factory=Counter)


def find_inputs(named: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str]) -> Found:
    """The files that were named, each once.

    Parameters
    ----------
    named
        Files, folders with all that is in them, patterns such as ``"*.fits"``, and lists: a text
        with a name a line, or a table with a column of names.
    output
        The folder that is written to. What lies in it is no input, but for the files of a folder
        that is input and output at once. Results of an earlier run are none anywhere, unless they
        are named one by one.

    Raises
    ------
    InputError
        When nothing is there of what was typed, or a list cannot be read.
    """
    found, seen = Found(), set[str]()
    own = os.path.realpath(output)
    results = _results(own)

    def add(path: str, place: str) -> None:
        real = os.path.realpath(path)
        if real in seen:
            found.passed["named twice"] += 1
        elif real in results:
            found.passed[EARLIER] += 1
        else:
            seen.add(real)
            found.files[path] = place

    for path in _expanded(named):
        if os.path.isdir(path):
            for file, place in _walked(path, own, found.passed):
                add(file, place)
        elif path.lower().endswith((*TEXT_LISTS, *TABLE_LISTS)):
            for file in _listed(Path(path)):
                add(file, "")
        else:
            add(path, "")
    beside = roles_beside([Path(file) for file in found.files])
    for file in list(found.files):
        told = beside.get(Path(file))
        if told and told[0] not in COMPANIONS and role_of_file(Path(file)) is None:
            del found.files[file]
            found.passed["models and maps of coverage by their names, beside an image"] += 1
    if not found.files:
        what = ", ".join(map(str, named[:3]))
        reason = f" ({in_words(found.passed)})" if found.passed else ""
        raise InputError(f"{what}: no image is there{reason}")
    return found


def in_words(passed: Counter[str]) -> str:
    """How many files were passed over, and why."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(passed.items()))


def _expanded(named: Sequence[str | os.PathLike[str]]) -> Iterator[str]:
    for given in named:
        path = os.fspath(given)
        if os.path.exists(path):
            yield path
            continue
        matching = sorted(glob.glob(path)) if glob.has_magic(path) else []
        if not matching:
            raise InputError(f"{path}: no such file")
        yield from matching


def _walked(root: str, output: str, passed: Counter[str]) -> Iterator[tuple[str, str]]:
    """The images below a folder, each with its folder's path from there; others are counted."""
    results = set[str]()
    for folder, folders, files in os.walk(root):
        if HIDDEN in folders:
            results |= _results(os.path.realpath(folder))
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(folder, name)) != output
        )
        place = os.path.relpath(folder, root)
        place = "" if place == os.curdir else place
        shown = [name for name in sorted(files) if not name.startswith(".")]
        passed.update({"hidden": len(files) - len(shown)} if len(shown) < len(files) else {})
        images = any(is_image_name(name) for name in shown)
        for name in shown:
            path = os.path.join(folder, name)
            reason = _no_image(name, images)
            if results and os.path.realpath(path) in results:
                reason = EARLIER
            if reason:
                passed[reason] += 1
            else:
                yield path, place


def _results(folder: str) -> set[str]:
    """The files that runs have written into a folder."""
    rows = rows_of(Path(folder)).values()
    return {os.path.join(folder, row["output"]) for row in rows if row["state"] == "done"}


def _no_image(name: str, images: bool) -> str | None:
    """Why a file of a folder is no image; pictures lie beside ``images`` to be looked at."""
    if is_composite(name):
        return "pictures beside FITS files" if images else None
    if not is_image_name(name):
        return "of no kind that is read"
    told = role_of_file(Path(name))
    return "PSFs by their names" if told and told[0] == "psf" else None


def _listed(path: Path) -> Iterator[str]:
    """The files that a list names: from here, or else from where the list lies."""
    for name in _names(path):
        beside = path.parent / name
        yield str(beside) if not os.path.exists(name) and beside.exists() else name


def _names(path: Path) -> list[str]:
    if path.suffix.lower() in TABLE_LISTS:
        table = Catalogue(path, read_catalogue(path))
        return [name for name in table.text(*COLUMNS) if name]
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a list of files ({error})") from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]

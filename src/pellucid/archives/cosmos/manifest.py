"""``fetched.ecsv``: which files of a folder are whole, where they came from, and their SHA-256."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pellucid.data.catalogue import read_catalogue, write_catalogue
from pellucid.errors import refusal

NAME = "fetched.ecsv"


class Entry(NamedTuple):
    """A whole file: its place below the folder, its origin, its bytes, its digest, the day."""

    file: str
    origin: str
    size: int
    sha256: str
    date: str


def read_manifest(folder: Path) -> dict[str, Entry]:
    """The entries of a folder by file; none where nothing was fetched yet."""
    path = folder / NAME
    if not path.exists():
        return {}
    table: Any = read_catalogue(path)
    if tuple(table.colnames) != Entry._fields:
        raise refusal(path, "is no list of fetched files", "delete it")
    return {entry.file: entry for entry in (Entry(*row) for row in table)}


def enter(folder: Path, entries: dict[str, Entry], file: str, origin: str) -> None:
    """Add a file that has just become whole to the entries of a folder, and write them."""
    from astropy.table import Table

    with (folder / file).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    size = (folder / file).stat().st_size
    entries[file] = Entry(
        file, origin, size, digest, datetime.now(UTC).isoformat(timespec="seconds")
    )
    table = Table(rows=sorted(entries.values()), names=Entry._fields)
    write_catalogue(folder / NAME, table, overwrite=True)


def is_whole(folder: Path, entry: Entry | None, origin: str) -> bool:
    """Whether a file that was fetched from there still has its length."""
    if entry is None or entry.origin != origin:
        return False
    path = folder / entry.file
    return path.is_file() and path.stat().st_size == entry.size

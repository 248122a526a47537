"""``fetched.ecsv``: which files of a folder are whole, where they came from, and their SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pellucid.data.catalogue import read_catalogue, write_catalogue
from pellucid.errors import InputError

NAME = "fetched.ecsv"


@dataclass(frozen=True)
class Entry:
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
    names = [field.name for field in fields(Entry)]
    try:
        rows = [[row[name] for name in names] for row in table]
        entries = [Entry(str(a), str(b), int(c), str(d), str(e)) for a, b, c, d, e in rows]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: is no list of fetched files; delete it") from error
    return {entry.file: entry for entry in entries}


def write_manifest(folder: Path, entries: Mapping[str, Entry]) -> None:
    """Write the entries of a folder."""
    from astropy.table import Table

    rows: Any = [asdict(entries[file]) for file in sorted(entries)]
    write_catalogue(folder / NAME, Table(rows=rows), overwrite=True)


def describe(folder: Path, file: str, origin: str) -> Entry:
    """The entry of a file that has just become whole."""
    with (folder / file).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Entry(file, origin, (folder / file).stat().st_size, digest, now)


def is_whole(folder: Path, entry: Entry | None, origin: str) -> bool:
    """Whether a file that was fetched from there still has its length."""
    if entry is None or entry.origin != origin:
        return False
    path = folder / entry.file
    return path.is_file() and path.stat().st_size == entry.size

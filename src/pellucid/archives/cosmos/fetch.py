"""A folder that fills with tiles and their catalogue, and goes on where it stopped.

``fetched.ecsv`` lists which files are whole, where they came from, and their SHA-256.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pellucid.archives.bring import Fetched, bring_each
from pellucid.archives.cosmos.addresses import Addresses
from pellucid.archives.cosmos.catalogue import catalogue_query, fetch_catalogue
from pellucid.archives.cosmos.tiles import TILES
from pellucid.archives.download import download, left_to_come
from pellucid.archives.http import Client, insist, name_of
from pellucid.data.catalogue import read_catalogue, write_catalogue
from pellucid.errors import TemporaryError, refusal
from pellucid.files import make_folder

CATALOGUE, MANIFEST = "catalogue.ecsv", "fetched.ecsv"
#: Of a tile: Hubble's image and weight, Subaru's image.
FILES = 3


class Entry(NamedTuple):
    """A line of ``fetched.ecsv``, a whole file: its place below the folder, where it came from."""

    file: str
    origin: str
    size: int
    sha256: str
    date: str


def missing_files(folder: Path, addresses: Addresses, tiles: Sequence[int]) -> dict[str, str]:
    """What a folder lacks of the catalogue and, per tile, `FILES` images.

    The catalogue is that of these tiles and of those that the folder has already.

    Returns
    -------
    dict
        Each file's address, or the catalogue's query, by its place below the folder.

    Raises
    ------
    InputError
        When the folder's ``fetched.ecsv`` is damaged.
    """
    entries = _read_manifest(folder)
    there = [tile for tile in TILES if next(iter(_images(addresses, tile))) in entries]
    wanted = {CATALOGUE: catalogue_query(addresses, sorted({*tiles, *there}))}
    for tile in tiles:
        wanted |= _images(addresses, tile)
    return {
        file: origin
        for file, origin in wanted.items()
        if not _is_whole(folder, entries.get(file), origin)
    }


def bytes_to_come(client: Client, folder: Path, missing: Mapping[str, str]) -> int:
    """How many bytes of images are still to come, as far as the archive says.

    Raises
    ------
    TemporaryError
        When they do not fit on the disk, or the archive does not answer at all.
    """
    sizes = []

    def measure(file: str, url: str) -> bool:
        sizes.append(left_to_come(client, url, folder / file))
        return True

    images = [(file, origin) for file, origin in missing.items() if file != CATALOGUE]
    for _ in bring_each({file: partial(measure, file, url)} for file, url in images):
        pass  # what has no size has its turn, and its reason, when it is fetched
    total, free = sum(sizes), shutil.disk_usage(folder).free
    if total > free:
        raise TemporaryError(
            f"{folder}: {total / 1e9:.2f} GB are to come and {free / 1e9:.2f} GB are free; "
            "make room, or ask for fewer tiles"
        )
    return total


def fetch_files(
    client: Client, folder: Path, addresses: Addresses, missing: Mapping[str, str]
) -> Iterator[Fetched]:
    """Bring files into a folder, one after the other, an entry of ``fetched.ecsv`` for each.

    Raises
    ------
    TemporaryError
        When the disk is full, or when the archive does not answer at all any more.
    """
    entries = _read_manifest(folder)

    def bring(file: str, origin: str) -> bool:
        target = folder / file
        if file == CATALOGUE:
            insist(client, lambda: fetch_catalogue(client, addresses, origin, target))
        else:
            make_folder(target.parent)
            insist(client, lambda: download(client, origin, target))
        _enter(folder, entries, file, origin)
        return True

    return bring_each({file: partial(bring, file, origin)} for file, origin in missing.items())


def _images(addresses: Addresses, tile: int) -> dict[str, str]:
    # Weights lie apart: a folder of tiles is read as the tiles of one mosaic.
    urls = {
        "acs": addresses.acs.format(tile=tile, kind="sci"),
        "acs_weight": addresses.acs.format(tile=tile, kind="wht"),
        "subaru": addresses.subaru.format(tile=tile, kind="sci"),
    }
    return {f"{below}/{name_of(url)}": url for below, url in urls.items()}


def _read_manifest(folder: Path) -> dict[str, Entry]:
    """The entries of a folder by file; none where nothing was fetched yet."""
    path = folder / MANIFEST
    if not path.exists():
        return {}
    table: Any = read_catalogue(path)
    if tuple(table.colnames) != Entry._fields:
        raise refusal(path, "is no list of fetched files", "delete it")
    return {entry.file: entry for entry in (Entry(*row) for row in table)}


def _enter(folder: Path, entries: dict[str, Entry], file: str, origin: str) -> None:
    """Add a file that has just become whole to the entries of a folder, and write them."""
    from astropy.table import Table

    with (folder / file).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    size = (folder / file).stat().st_size
    entries[file] = Entry(
        file, origin, size, digest, datetime.now(UTC).isoformat(timespec="seconds")
    )
    table = Table(rows=sorted(entries.values()), names=Entry._fields)
    write_catalogue(folder / MANIFEST, table, overwrite=True)


def _is_whole(folder: Path, entry: Entry | None, origin: str) -> bool:
    """Whether a file that was fetched from there still has its length."""
    if entry is None or entry.origin != origin:
        return False
    path = folder / entry.file
    return path.is_file() and path.stat().st_size == entry.size

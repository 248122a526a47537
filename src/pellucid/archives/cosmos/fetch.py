"""A folder that fills with tiles and their catalogue, and goes on where it stopped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pellucid.archives.bring import Fetched, bring_each
from pellucid.archives.cosmos.addresses import Addresses
from pellucid.archives.cosmos.catalogue import catalogue_query, fetch_catalogue
from pellucid.archives.cosmos.manifest import describe, is_whole, read_manifest, write_manifest
from pellucid.archives.cosmos.tiles import TILES
from pellucid.archives.download import ask, download, parted
from pellucid.archives.http import Client, insist, name_of
from pellucid.errors import TemporaryError
from pellucid.files import make_folder

CATALOGUE = "catalogue.ecsv"
#: Of a tile: Hubble's image and weight, Subaru's image.
FILES = 3


@dataclass(frozen=True)
class ArchiveFile:
    """A file to fetch: its place below the folder, and its address (or the catalogue's query)."""

    file: str
    origin: str


def missing_files(folder: Path, addresses: Addresses, tiles: Sequence[int]) -> list[ArchiveFile]:
    """What a folder lacks of the catalogue and, per tile, `FILES` images.

    The catalogue is that of these tiles and of those that the folder has already.

    Raises
    ------
    InputError
        When the folder's ``fetched.ecsv`` is damaged.
    """
    entries = read_manifest(folder)
    there = [tile for tile in TILES if _images(addresses, tile)[0].file in entries]
    query = catalogue_query(addresses, sorted({*tiles, *there}))
    images = [image for tile in tiles for image in _images(addresses, tile)]
    wanted = [ArchiveFile(CATALOGUE, query), *images]
    return [file for file in wanted if not is_whole(folder, entries.get(file.file), file.origin)]


def bytes_to_come(client: Client, folder: Path, missing: Sequence[ArchiveFile]) -> int:
    """How many bytes of images are still to come, as far as the archive says.

    Raises
    ------
    UnreachableError
        When the archive does not answer at all.
    TemporaryError
        When they do not fit on the disk.
    """
    sizes = []

    def measure(file: ArchiveFile) -> bool:
        remote = ask(client, file.origin)
        sizes.append((remote.size or 0) - parted(folder / file.file, remote))
        return True

    images = [file for file in missing if file.file != CATALOGUE]
    for _ in bring_each({file.file: partial(measure, file)} for file in images):
        pass  # what has no size has its turn, and its reason, when it is fetched
    total, free = sum(sizes), shutil.disk_usage(folder).free
    if total > free:
        raise TemporaryError(
            f"{folder}: {total / 1e9:.2f} GB are to come and {free / 1e9:.2f} GB are free; "
            "make room, or ask for fewer tiles"
        )
    return total


def fetch_files(
    client: Client, folder: Path, addresses: Addresses, missing: Sequence[ArchiveFile]
) -> Iterator[Fetched]:
    """Bring files into a folder, one after the other.

    The folder's ``fetched.ecsv`` gains an entry for each.

    Raises
    ------
    TemporaryError
        When the disk is full, or when the archive does not answer at all any more.
    """
    entries = read_manifest(folder)

    def bring(file: ArchiveFile) -> bool:
        target = folder / file.file
        if file.file == CATALOGUE:
            insist(client, lambda: fetch_catalogue(client, addresses, file.origin, target))
        else:
            make_folder(target.parent)
            insist(client, lambda: download(client, file.origin, target))
        entries[file.file] = describe(folder, file.file, file.origin)
        write_manifest(folder, entries)
        return True

    return bring_each({file.file: partial(bring, file)} for file in missing)


def _images(addresses: Addresses, tile: int) -> list[ArchiveFile]:
    # Weights lie apart: a folder of tiles is read as the tiles of one mosaic.
    urls = {
        addresses.acs_url(tile, "sci"): "acs",
        addresses.acs_url(tile, "wht"): "acs_weight",
        addresses.subaru_url(tile): "subaru",
    }
    return [ArchiveFile(f"{below}/{name_of(url)}", url) for url, below in urls.items()]

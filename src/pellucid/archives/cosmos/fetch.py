"""A folder that fills with tiles and their catalogue, and goes on where it stopped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from pellucid.archives.bring import Fetched, bring_each
from pellucid.archives.cosmos.addresses import Addresses
from pellucid.archives.cosmos.catalogue import catalogue_query, fetch_catalogue
from pellucid.archives.cosmos.manifest import enter, is_whole, read_manifest
from pellucid.archives.cosmos.tiles import TILES
from pellucid.archives.download import download, left_to_come
from pellucid.archives.http import Client, insist, name_of
from pellucid.errors import TemporaryError
from pellucid.files import make_folder

CATALOGUE = "catalogue.ecsv"
#: Of a tile: Hubble's image and weight, Subaru's image.
FILES = 3


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
    entries = read_manifest(folder)
    there = [tile for tile in TILES if next(iter(_images(addresses, tile))) in entries]
    wanted = {CATALOGUE: catalogue_query(addresses, sorted({*tiles, *there}))}
    for tile in tiles:
        wanted |= _images(addresses, tile)
    return {
        file: origin
        for file, origin in wanted.items()
        if not is_whole(folder, entries.get(file), origin)
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
    entries = read_manifest(folder)

    def bring(file: str, origin: str) -> bool:
        target = folder / file
        if file == CATALOGUE:
            insist(client, lambda: fetch_catalogue(client, addresses, origin, target))
        else:
            make_folder(target.parent)
            insist(client, lambda: download(client, origin, target))
        enter(folder, entries, file, origin)
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

"""A folder that fills with tiles and their catalogue, and goes on where it stopped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.archives.cosmos.addresses import Addresses
from pellucid.archives.cosmos.catalogue import catalogue_query, fetch_catalogue
from pellucid.archives.cosmos.manifest import describe, is_whole, read_manifest, write_manifest
from pellucid.archives.cosmos.tiles import TILES
from pellucid.archives.download import ask, download, parted
from pellucid.archives.http import (
    ArchiveError,
    MissingError,
    Outcome,
    Patience,
    Silence,
    UnreachableError,
    name_of,
    patiently,
)
from pellucid.errors import InputError, TemporaryError
from pellucid.files import make_folder
from pellucid.fits import check_sums

CATALOGUE = "catalogue.ecsv"


@dataclass(frozen=True)
class Wanted:
    """A file to fetch: its place below the folder, and its address (or the catalogue's query)."""

    file: str
    origin: str


def wanted_files(folder: Path, addresses: Addresses, tiles: Sequence[int]) -> list[Wanted]:
    """The catalogue, and per tile Hubble's image and weight and Subaru's image.

    The catalogue is that of these tiles and of those that the folder has already.

    Raises
    ------
    InputError
        When the folder's ``fetched.ecsv`` is damaged.
    """
    entries = read_manifest(folder)
    there = [tile for tile in TILES if _images(addresses, tile)[0].file in entries]
    query = catalogue_query(addresses, sorted({*tiles, *there}))
    images = [each for tile in tiles for each in _images(addresses, tile)]
    return [Wanted(CATALOGUE, query), *images]


def missing_files(folder: Path, wanted: Sequence[Wanted]) -> list[Wanted]:
    """Those that are not in the folder, whole.

    Raises
    ------
    InputError
        When the folder's ``fetched.ecsv`` is damaged.
    """
    entries = read_manifest(folder)
    return [each for each in wanted if not is_whole(folder, entries.get(each.file), each.origin)]


def bytes_to_come(folder: Path, missing: Sequence[Wanted], patience: Patience) -> int:
    """How many bytes of images are still to come, as far as the archive says.

    Raises
    ------
    UnreachableError
        When the archive does not answer at all.
    TemporaryError
        When they do not fit on the disk.
    """
    total, silence = 0, Silence()
    for each in missing:
        if each.file == CATALOGUE:
            continue
        try:
            remote = patiently(lambda url=each.origin: ask(url), patience)
        except UnreachableError as error:
            silence.note(str(error))
        except (ArchiveError, MissingError):
            silence.note("")  # it has its turn, and its reason, when it is fetched
        else:
            silence.note("")
            total += (remote.size or 0) - parted(folder / each.file, remote)
    silence.end()
    free = shutil.disk_usage(folder).free
    if total > free:
        raise TemporaryError(
            f"{folder}: {total / 1e9:.2f} GB are to come and {free / 1e9:.2f} GB are free; "
            "make room, or ask for fewer tiles"
        )
    return total


def fetch_files(
    folder: Path, addresses: Addresses, missing: Sequence[Wanted], patience: Patience
) -> Iterator[Outcome]:
    """Bring files into a folder, one after the other.

    Parameters
    ----------
    folder
        Gains the files, and in its ``fetched.ecsv`` an entry for each.
    addresses
        Those that ``missing`` was made with.
    missing
        From `missing_files`.
    patience
        For each file.

    Raises
    ------
    TemporaryError
        When the disk is full, or when the archive does not answer at all any more.
    """
    entries = read_manifest(folder)
    silence = Silence()
    for each in missing:
        target = folder / each.file
        try:
            patiently(lambda each=each, target=target: _bring(each, addresses, target), patience)
        except (ArchiveError, InputError) as error:
            silence.note(str(error) if isinstance(error, UnreachableError) else "")
            yield Outcome(each.file, "failed", str(error))
            continue
        silence.note("")
        entries[each.file] = describe(folder, each.file, each.origin)
        write_manifest(folder, entries)
        yield Outcome(each.file, "fetched")
    silence.end()


def _images(addresses: Addresses, tile: int) -> list[Wanted]:
    # Weights lie apart: a folder of tiles is read as the tiles of one mosaic.
    urls = {
        addresses.acs_url(tile, "sci"): "acs",
        addresses.acs_url(tile, "wht"): "acs_weight",
        addresses.subaru_url(tile): "subaru",
    }
    return [Wanted(f"{below}/{name_of(url)}", url) for url, below in urls.items()]


def _bring(each: Wanted, addresses: Addresses, target: Path) -> None:
    if each.file == CATALOGUE:
        fetch_catalogue(addresses, each.origin, target)
        return
    make_folder(target.parent)
    if not _is_there(each.origin, target):
        download(each.origin, target)


def _is_there(url: str, target: Path) -> bool:
    """Whether a file that no entry speaks of is the archive's: a run may die between the two."""
    if not target.exists() or target.stat().st_size != ask(url).size:
        return False
    try:
        check_sums(target)
    except InputError:
        return False
    return True

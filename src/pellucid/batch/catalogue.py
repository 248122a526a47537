"""The objects of a catalogue as images: windows of mosaics."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from pellucid.batch.item import Cut, Item
from pellucid.data.catalogue import open_catalogue
from pellucid.data.mosaics.mosaic import boxes, open_tiles
from pellucid.data.mosaics.tile import Tile
from pellucid.errors import InputError, PellucidError, UsageError
from pellucid.fits import cut_out, open_fits

#: Pixels a side of the smallest cutout.
LEAST = 8
#: Bytes of the longest id that names a file everywhere.
LONGEST = 200
_ADVICE = "; objects need ra and dec in degrees (ICRS)"


@dataclass(frozen=True)
class Cutouts:
    """The objects of a catalogue, each cut out of mosaics.

    Parameters
    ----------
    catalogue
        A table with an id and a place (``ra`` and ``dec``, deg, ICRS) an object.
    images
        The mosaics, one a band (or with all bands in one), each a FITS file or a folder of tiles;
        and what belongs to them (masks, weights, errors).
    size
        Side of a cutout, pixels.
    id_column
        Of the catalogue.
    where
        Which of its rows, e.g. ``"mag_r < 22"``.
    shard
        How many cutouts an HDF5 file holds, see `open_restored`; 0 writes a FITS file an object.
    """

    catalogue: str | os.PathLike[str]
    images: Sequence[str | os.PathLike[str]]
    size: int
    id_column: str = "id"
    where: Sequence[str] = ()
    shard: int = 0

    def words(self) -> dict[str, str]:
        """What a run is known by: more rows may join it, other pixels may not."""
        images = " ".join(os.path.realpath(path) for path in self.images)
        store = {"--output": "STORE.h5"} if self.shard else {}
        return {"--image": images, "--size": str(self.size), **store}


def cutout_items(asked: Cutouts, hdu: int | str | None = None) -> tuple[list[Item], list[str]]:
    """The objects of a catalogue as items, and the files that they are read from.

    An object of which its row tells that nothing can be made is an item with a fault.

    Raises
    ------
    InputError
        When the catalogue or a mosaic cannot be read, or no row is left.
    """
    from pellucid.data.mosaics.selection import (
        Columns,
        fault_of_id,
        fault_of_place,
        printable_id,
    )

    if asked.size < LEAST:
        raise UsageError(f"--size {asked.size}: a cutout has {LEAST} pixels a side or more")
    if not asked.images:
        raise UsageError("--catalogue needs mosaics to cut its objects from: --image MOSAIC")
    mosaics = tuple(os.fspath(path) for path in asked.images)
    read = [str(asked.catalogue)]
    for path in mosaics:
        read += [str(tile.path) for tile in _tiles(path, hdu)]
    table = open_catalogue(os.fspath(asked.catalogue), asked.id_column, _ADVICE)
    columns = Columns()
    ids = table.text(asked.id_column)
    ra, dec = (table.numbers(*names, unit="deg") for names in (columns.ra, columns.dec))
    rows = np.flatnonzero(table.meets(asked.where))
    if not rows.size:
        cut = f" meets {', '.join(asked.where)}" if asked.where and len(table) else ""
        raise InputError(f"{asked.catalogue}: none of its {len(table)} rows{cut or ' is there'}")
    catalogue, seen, items = Path(asked.catalogue).name, set[str](), []
    for row in map(int, rows):
        name = ids[row]
        fault = fault_of_id(name, seen) or _fault_of_name(name)
        if fault is None:
            seen.add(name)
            fault = fault_of_place(ra[row], dec[row]) or ""
        else:
            shown = printable_id(name, row)
            name, fault = f"(row {row + 1})", f"{fault} ({shown})"
        cut = Cut(catalogue, float(ra[row]), float(dec[row]), asked.size, asked.id_column)
        items.append(Item(name, mosaics, fault=fault, cut=cut))
    return items, read


@contextmanager
def cut_files(item: Item, hdu: int | str | None) -> Iterator[tuple[list[str], list[str]]]:
    """Files that hold an object alone, as long as it lasts, and a line of each: where it was cut.

    What goes wrong meanwhile is told of the mosaics.
    """
    cut = item.cut
    assert cut is not None
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        files, told = [], []
        try:
            for number, mosaic in enumerate(item.files):
                tile, rows, columns = _best(boxes(_tiles(mosaic, hdu), cut.ra, cut.dec, cut.size))
                path = Path(folder, str(number), tile.path.name)
                path.parent.mkdir()
                with open_fits(tile.unpacked or tile.path) as file:
                    wanted = hdu if isinstance(hdu, int) else 0
                    path.write_bytes(cut_out(file, tile.shape, rows, columns, wanted))
                section = f"{columns.start + 1}:{columns.stop},{rows.start + 1}:{rows.stop}"
                told.append(f"cut from {tile.path.name}[{section}]")
                files.append(str(path))
            yield files, told
        except PellucidError as error:
            text = str(error)
            for number, mosaic in enumerate(item.files):
                inside = mosaic if os.path.isdir(mosaic) else os.path.dirname(mosaic)
                text = text.replace(os.path.join(folder, str(number)), inside or os.curdir)
            raise type(error)(text) from error


def _fault_of_name(name: str) -> str | None:
    """Why an id is no name for a file."""
    if name.startswith(".") or len(name.encode()) > LONGEST:
        return "its id is no name for a file"
    return None


def _best(found: list[tuple[Tile, slice, slice]]) -> tuple[Tile, slice, slice]:
    """The first of several windows that has the most data."""
    if len(found) == 1:
        return found[0]
    return max(found, key=lambda box: np.isfinite(box[0].read(*box[1:])).sum())


def _tiles(path: str, hdu: int | str | None) -> list[Tile]:
    """The tiles of a mosaic, whose headers each process reads once, and again where it changed."""
    status = os.stat(path) if os.path.exists(path) else None
    return _kept(path, hdu, status and (status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=32)
def _kept(path: str, hdu: int | str | None, stamp: object) -> list[Tile]:
    return open_tiles([path], hdu, bands=True)

"""Which galaxies a folder is to hold: two tables that say which query they answer.

``catalogue.ecsv`` lists the galaxies that are there or are to come, ``rejected.ecsv`` those that
cannot be had, and why.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.archives.http import Patience, patiently
from pellucid.archives.sdss.query import COLUMNS, Galaxy, galaxy_from, query_sample
from pellucid.data.catalogue import read_catalogue
from pellucid.errors import InputError, one_line
from pellucid.files import write_content

_CATALOGUE: dict[str, type] = {
    "id": str,
    "ra": float,
    "dec": float,
    "z": float,
    **dict.fromkeys(("run", "rerun", "camcol", "field"), int),
}
_REJECTED: dict[str, type] = {"id": str, "reason": str}


@dataclass
class Sample:
    """The galaxies that a folder is to hold, and the reasons of those it cannot, by id.

    ``origin`` is what the answer depends on: the query, and the size in pixels.
    """

    folder: Path
    galaxies: list[Galaxy]
    rejected: dict[str, str]
    origin: dict[str, Any]

    def save(self) -> None:
        """Write both tables; a galaxy that was rejected leaves the catalogue."""
        kept = [galaxy for galaxy in self.galaxies if galaxy.id not in self.rejected]
        rows = [(each.id, each.ra, each.dec, each.z, *each.field) for each in kept]
        # In this order: no galaxy may be in neither table, should the run die between them.
        self._write("rejected.ecsv", list(self.rejected.items()), _REJECTED)
        self._write("catalogue.ecsv", rows, _CATALOGUE)

    def _write(self, name: str, rows: Sequence[Any], columns: Mapping[str, type[Any]]) -> None:
        from astropy.table import Table

        types: Any = list(columns.values())
        table = Table(rows=rows or None, names=list(columns), dtype=types, meta=self.origin)
        text = io.StringIO()
        table.write(text, format="ascii.ecsv")
        data = text.getvalue().encode()
        write_content(self.folder / name, data, overwrite=True)


def open_sample(folder: Path, sql: str, size: int, patience: Patience) -> Sample:
    """The sample that a folder already lists, or the archive's answer to the query.

    Parameters
    ----------
    folder
        Where the tables are or will be.
    sql
        See `pellucid.archives.sdss.query.sample_query`; an answer to another one is not taken.
    size
        Pixels a side; reasons found for another size do not hold.
    patience
        For the query.

    Raises
    ------
    TemporaryError
        When SkyServer does not answer.
    InputError
        When the sample is empty.
    """
    origin = {"query": sql, "size": size}
    paths = [folder / name for name in ("catalogue.ecsv", "rejected.ecsv")]
    if all(path.exists() for path in paths):
        tables: list[Any] = [read_catalogue(path) for path in paths]
        if all(table.meta == origin for table in tables):
            rejected = {str(row["id"]): str(row["reason"]) for row in tables[1]}
            listed = _listed(paths[0], tables[0])
            kept = [galaxy for galaxy in listed if galaxy.id not in rejected]
            return Sample(folder, kept, rejected, origin)
    galaxies, rejected = patiently(lambda: query_sample(sql), patience)
    if not (galaxies or rejected):
        raise InputError("the archive has no such galaxy; widen --z-min and --z-max")
    sample = Sample(folder, galaxies, rejected, origin)
    sample.save()
    return sample


def _listed(path: Path, catalogue: Any) -> list[Galaxy]:
    try:
        return [galaxy_from({name: str(row[name]) for name in COLUMNS}) for row in catalogue]
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{path}: is no catalogue of fetched galaxies ({one_line(error)}); delete it"
        ) from error

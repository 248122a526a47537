"""Which galaxies a folder is to hold: two tables that say which query they answer.

``catalogue.ecsv`` lists the galaxies that are there or are to come, ``rejected.ecsv`` those that
cannot be had, and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pellucid.archives.http import Client, insist
from pellucid.archives.sdss.query import COLUMNS, SdssGalaxy, query_sample
from pellucid.data.catalogue import read_catalogue, write_catalogue
from pellucid.data.rejection import Rejection, write_rejected
from pellucid.errors import InputError, refusal

_TYPES = (str, float, float, float, int, int, int, int)


@dataclass
class Listing:
    """The galaxies that a folder is to hold, and the reasons of those it cannot, by id.

    ``origin`` is what the answer depends on: the query, and the size in pixels.
    """

    folder: Path
    galaxies: list[SdssGalaxy]
    rejected: dict[str, str]
    origin: dict[str, Any]

    def save(self) -> None:
        """Write both tables; a galaxy that was rejected leaves the catalogue."""
        from astropy.table import Table

        kept = [g.model_dump() for g in self.galaxies if g.id not in self.rejected]
        catalogue = Table(rows=kept or None, names=COLUMNS, dtype=_TYPES, meta=self.origin)
        rejected = [Rejection(id, reason) for id, reason in self.rejected.items()]
        # In this order: no galaxy may be in neither table, should the run die between them.
        write_rejected(self.folder / "rejected.ecsv", rejected, True, self.origin)
        write_catalogue(self.folder / "catalogue.ecsv", catalogue, overwrite=True)


def open_listing(client: Client, folder: Path, sql: str, size: int) -> Listing:
    """What a folder already lists, or the archive's answer to the query.

    Parameters
    ----------
    client, folder
        Who asks the archive, and where the tables are or will be.
    sql
        See `pellucid.archives.sdss.query.sample_query`; an answer to another one is not taken.
    size
        Pixels a side; reasons found for another size do not hold.

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
            try:
                galaxies = [
                    SdssGalaxy.model_validate({name: str(row[name]) for name in COLUMNS})
                    for row in tables[0]
                ]
            except (KeyError, ValidationError) as error:
                raise refusal(
                    paths[0], "is no catalogue of fetched galaxies", "delete it"
                ) from error
            kept = [galaxy for galaxy in galaxies if galaxy.id not in rejected]
            return Listing(folder, kept, rejected, origin)
    galaxies, rejected = insist(client, lambda: query_sample(client, sql))
    if not (galaxies or rejected):
        raise InputError("the archive has no such galaxy; widen --z-min and --z-max")
    listing = Listing(folder, galaxies, rejected, origin)
    listing.save()
    return listing

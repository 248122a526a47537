"""The galaxies of COSMOS2015 on some tiles, from the archive's TAP service."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from requests import RequestException

from pellucid.archives.cosmos.addresses import Addresses
from pellucid.archives.cosmos.tiles import tile_box
from pellucid.archives.http import ArchiveError, Client, holding, unreachable
from pellucid.data.catalogue import Catalogue, write_catalogue
from pellucid.data.votable import elsewhere
from pellucid.errors import InputError, one_line
from pellucid.quiet import quiet

#: Of each column: unit, and what it is.
COLUMNS: dict[str, tuple[str | None, str]] = {
    "id": (None, "object in COSMOS2015"),
    "ra": ("deg", "right ascension (ICRS)"),
    "dec": ("deg", "declination (ICRS)"),
    "redshift": (None, "photometric redshift"),
    "log_stellar_mass": (None, "log10 of the stellar mass in solar masses"),
    "r_mag": ("mag", "Subaru r+ magnitude (AB, MAG_AUTO)"),
}
#: COSMOS2015 has 1.2 million rows.
_MOST = 2_000_000
#: Bytes of an answer with all of them.
_LARGEST = 2**29


def catalogue_query(addresses: Addresses, tiles: Sequence[int]) -> str:
    """The ADQL of the galaxies with a photometric redshift on some tiles.

    References
    ----------
    Laigle et al. 2016, ApJS 224, 24, doi:10.3847/0067-0049/224/2/24
    """
    here = {name: getattr(addresses, name) for name in COLUMNS}
    boxes = []
    for tile in tiles:
        west, east, south, north = tile_box(tile)
        boxes.append(
            f"({here['ra']} BETWEEN {west:.6f} AND {east:.6f} "
            f"AND {here['dec']} BETWEEN {south:.6f} AND {north:.6f})"
        )
    columns = ", ".join(f"{there} AS {name}" for name, there in here.items())
    return (
        f"SELECT {columns} FROM {addresses.table} WHERE {addresses.type} = 0 "
        f"AND {here['redshift']} > 0 AND ({' OR '.join(boxes)})"
    )


def fetch_catalogue(client: Client, addresses: Addresses, query: str, target: Path) -> None:
    """Write the archive's answer as ECSV.

    The columns are `COLUMNS`. COSMOS2015 holds neither morphologies nor R90, the radius of 90 %
    of the light: `pellucid pairs-observed` takes both from a catalogue that these rows are joined
    with, or measures R90 itself. What has no value (−99, 99) is NaN.

    Raises
    ------
    ArchiveError
        When the archive does not answer, or not with all of the table that was asked for.
    InputError
        When there is no galaxy.
    """
    table = _galaxies(addresses.table, _ask(client, addresses.tap, query))
    if not len(table):
        raise InputError(f"{addresses.table} has no galaxy on these tiles; ask for others")
    table.meta["query"] = query
    write_catalogue(target, table, overwrite=True)


def _check(body: bytes) -> None:
    """Refuse a table whose data lie elsewhere, before it is read from there."""
    place = elsewhere(io.BytesIO(body))
    if place is not None:
        raise ArchiveError(f"the archive answers with a table that lies elsewhere ({place[:60]})")


def _ask(client: Client, tap: str, query: str) -> Any:
    """The table that a TAP service (IVOA Table Access Protocol) answers with, whole."""
    from pyvo.dal import DALProtocolError, DALQueryError, TAPService

    try:
        with quiet(), holding(client, _LARGEST, _check):
            results = TAPService(tap.rstrip("/"), session=client).run_sync(query, maxrec=_MOST)
    except DALQueryError as error:
        raise ArchiveError(f"the archive refuses the query ({one_line(error)})") from error
    except DALProtocolError as error:
        if isinstance(error.cause, RequestException):
            raise unreachable(tap, error.cause) from error
        raise ArchiveError(f"the archive answers without a table ({one_line(error)})") from error
    if results.status[0].upper() == "OVERFLOW":
        raise ArchiveError("the archive does not send all galaxies at once; ask for fewer tiles")
    return results.to_table()


def _galaxies(source: str, found: Any) -> Any:
    """The archive's table, its columns named and typed as `COLUMNS`."""
    from astropy.table import Table

    answer = Catalogue(Path(source), found)
    try:
        table: Any = Table(
            {name: (answer.text if name == "id" else answer.numbers)(name) for name in COLUMNS}
        )
    except InputError as error:
        raise ArchiveError(
            f"the archive answers without the columns that were asked for ({one_line(error)})"
        ) from error
    for name, (unit, description) in COLUMNS.items():
        table[name].unit, table[name].description = unit, description
    for name in ("redshift", "log_stellar_mass", "r_mag"):
        table[name][np.abs(table[name]) >= 90] = np.nan
    return table[np.isfinite(table["ra"]) & np.isfinite(table["dec"])]

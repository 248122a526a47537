"""Which galaxies a folder is to hold: two tables that say which query of SkyServer they answer.

``catalogue.ecsv`` lists the galaxies that are there or are to come, ``rejected.ecsv`` those that
cannot be had, and why.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pydantic
from pydantic import FiniteFloat, NonNegativeInt, ValidationError

from pellucid.archives.http import QUERY_SECONDS, ArchiveError, Client, answer, body_of, insist
from pellucid.data.catalogue import read_catalogue, write_catalogue
from pellucid.data.rejection import Rejection, write_rejected
from pellucid.errors import InputError, one_line, refusal

SKYSERVER = "https://skyserver.sdss.org/dr12/en/tools/search/x_results.aspx"


class Field(NamedTuple):
    """A field of the imaging survey: ``number`` counts along the scan of a run and camcol."""

    run: int
    rerun: int
    camcol: int
    number: int


class SdssGalaxy(pydantic.BaseModel, frozen=True):
    """A row of the sample: position in deg (ICRS), redshift, and the field that shows it."""

    #: It becomes the name of a folder.
    id: Annotated[str, pydantic.Field(pattern=r"^[0-9]{1,20}$")]
    ra: Annotated[float, pydantic.Field(ge=0, le=360)]
    dec: Annotated[float, pydantic.Field(ge=-90, le=90)]
    z: FiniteFloat
    run: NonNegativeInt
    rerun: NonNegativeInt
    camcol: NonNegativeInt
    field: NonNegativeInt

    @property
    def shown_in(self) -> Field:
        return Field(self.run, self.rerun, self.camcol, self.field)


COLUMNS = tuple(SdssGalaxy.model_fields)
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


def sample_query(z_min: float, z_max: float, limit: int | None = None) -> str:
    """The SQL of the sample of GalaxyGAN: the first ``limit`` with ``z_min`` < z < ``z_max``.

    They stand in the order of objID; z is spectroscopic. The views PhotoPrimary and SpecObj hold
    primary photometry (mode = 1) and each object's best spectrum (sciencePrimary = 1).

    References
    ----------
    Schawinski et al. 2017, MNRAS 467, L110, doi:10.1093/mnrasl/slx008
    """
    top = "" if limit is None else f"top {limit} "
    return (
        f"select {top}p.objID as id, p.ra, p.dec, s.z, p.run, p.rerun, p.camcol, p.field "
        "from PhotoPrimary as p join SpecObj as s on s.bestObjID = p.objID "
        f"where s.class = 'GALAXY' and s.zWarning = 0 and s.z > {z_min} and s.z < {z_max} "
        "order by p.objID"
    )


def open_listing(client: Client, folder: Path, sql: str, size: int) -> Listing:
    """What a folder already lists, or the archive's answer to the query.

    An answer to another query than ``sql``, from `sample_query`, is not taken, nor reasons that
    were found for windows of another ``size`` in pixels.

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
    galaxies, rejected = insist(client, lambda: _ask(client, sql))
    if not (galaxies or rejected):
        raise InputError("the archive has no such galaxy; widen --z-min and --z-max")
    listing = Listing(folder, galaxies, rejected, origin)
    listing.save()
    return listing


def _ask(client: Client, sql: str) -> tuple[list[SdssGalaxy], dict[str, str]]:
    """SkyServer's answer: the galaxies, and the rows that are none with what is wrong."""
    words = {"cmd": sql, "format": "csv", "searchtool": "SQL"}
    with answer(client, SKYSERVER, params=words, seconds=QUERY_SECONDS) as response:
        page = body_of(response).decode("utf-8", "replace")
    galaxies: dict[str, SdssGalaxy] = {}
    rejected: dict[str, str] = {}
    for row in _rows(page):
        try:
            galaxy = SdssGalaxy.model_validate(row)
        except ValidationError as error:
            (column, *_), id = error.errors()[0]["loc"], ascii(row["id"])[1:-1]
            rejected[id] = f"its {column} is no number, or out of range"
        else:
            galaxies.setdefault(galaxy.id, galaxy)
    return list(galaxies.values()), rejected


def _rows(text: str) -> list[dict[str, str]]:
    """The rows of SkyServer's CSV, which begins with ``#Table1``."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    table = csv.DictReader(lines)
    if set(COLUMNS) - set(table.fieldnames or ()):
        start = one_line(ValueError(lines[0])) if lines else "nothing"
        raise ArchiveError(f"SkyServer answered without a table ({start}); try again later")
    rows = list(table)
    if any(None in row or None in row.values() for row in rows):
        raise ArchiveError("SkyServer's table is cut off; try again later")
    return rows

"""The archive of SDSS: which galaxies a sample holds."""

from __future__ import annotations

import csv
from typing import Annotated, NamedTuple

import pydantic
from pydantic import FiniteFloat, NonNegativeInt, ValidationError

from pellucid.archives.http import QUERY_SECONDS, ArchiveError, Client, answer
from pellucid.errors import one_line

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


def query_sample(client: Client, sql: str) -> tuple[list[SdssGalaxy], dict[str, str]]:
    """Ask SkyServer for a sample: its galaxies, and the rows that are none with what is wrong.

    Raises
    ------
    ArchiveError
        When SkyServer does not answer, or not with the table that was asked for.
    """
    words = {"cmd": sql, "format": "csv", "searchtool": "SQL"}
    with answer(client, SKYSERVER, params=words, seconds=QUERY_SECONDS) as response:
        page = response.content.decode("utf-8", "replace")
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

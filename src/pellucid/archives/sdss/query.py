"""The archive of SDSS: which galaxies a sample holds."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from pellucid.archives.http import QUERY_SECONDS, ArchiveError, Client, answer
from pellucid.errors import one_line

SKYSERVER = "https://skyserver.sdss.org/dr12/en/tools/search/x_results.aspx"
COLUMNS = ("id", "ra", "dec", "z", "run", "rerun", "camcol", "field")


class Field(NamedTuple):
    """A field of the imaging survey: ``number`` counts along the scan of a run and camcol."""

    run: int
    rerun: int
    camcol: int
    number: int


@dataclass(frozen=True)
class SdssGalaxy:
    """A row of the sample: position in deg (ICRS), redshift, and the field that shows it."""

    id: str
    ra: float
    dec: float
    z: float
    field: Field


def sample_query(z_min: float, z_max: float, limit: int | None = None) -> str:
    """The SQL of the sample of GalaxyGAN: ``z_min`` < z < ``z_max``, in the order of objID.

    The views PhotoPrimary and SpecObj hold primary photometry (mode = 1) and each object's best
    spectrum (sciencePrimary = 1).

    Parameters
    ----------
    z_min, z_max
        Spectroscopic redshift.
    limit
        Take the first so many.

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
            galaxy = galaxy_from(row)
        except ValueError as error:
            rejected[ascii(row["id"])[1:-1]] = str(error)
        else:
            galaxies.setdefault(galaxy.id, galaxy)
    return list(galaxies.values()), rejected


def galaxy_from(row: Mapping[str, str]) -> SdssGalaxy:
    """A galaxy from the text of its columns.

    Raises
    ------
    ValueError
        When its values are not what they should be.
    """
    # The id becomes the name of a folder.
    if not re.fullmatch(r"[0-9]{1,20}", row["id"]):
        raise ValueError("its id is no number")
    try:
        ra, dec, z = (float(row[name]) for name in ("ra", "dec", "z"))
        field = Field(*(int(row[name]) for name in ("run", "rerun", "camcol", "field")))
    except ValueError:
        raise ValueError("its position, redshift or field is no number") from None
    if not (0 <= ra <= 360 and -90 <= dec <= 90 and isfinite(z) and min(field) >= 0):
        raise ValueError("its position, redshift or field is out of range")
    return SdssGalaxy(row["id"], ra, dec, z, field)


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

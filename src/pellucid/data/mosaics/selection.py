"""Which galaxies of a catalogue become pairs: cuts, classes of one size, ids that are safe."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pellucid.data.catalogue import Catalogue, open_catalogue
from pellucid.data.mosaics.cutouts import Source
from pellucid.data.rejection import Rejection
from pellucid.errors import InputError
from pellucid.settings import read_named, shipped_files

#: Longer ids are no names, and file systems refuse names of more than 255 bytes.
LONGEST_ID = 128
_NO_LOGARITHM = 20.0
_ADVICE = "; --selection all does without it, one of your own may name another"

#: What a column or a class may be called.
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda names: (names,) if isinstance(names, str) else names),
    Field(min_length=1),
]


class Columns(BaseModel):
    """Where a catalogue holds what; positions in deg, R90 in arcsec where no unit is stated.

    Of several names the first that is there counts, in capitals or not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = "id"
    ra: Names = ("ra", "alpha_j2000", "raj2000", "ra_icrs")
    dec: Names = ("dec", "delta_j2000", "dej2000", "de_icrs")
    redshift: Names = ("redshift", "photoz", "zbest", "z")
    #: log10 of solar masses, or solar masses: what exceeds 20 is no logarithm.
    stellar_mass: Names = ("log_stellar_mass", "stellar_mass", "mass_med", "log_mass", "mass")
    morphology: Names = ("morphology", "class", "type")
    #: None measures R90 on the blurred image.
    r90: Names | None = ("r90",)


class Selection(BaseModel):
    """Which rows of a catalogue to take, the paper's unless said; a cut that is null is off.

    Gan, Bekki & Hashemizadeh, section 2.9.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    description: str = ""
    max_redshift: Annotated[float, Field(gt=0)] | None = 0.6
    #: log10 of solar masses.
    min_log_stellar_mass: float | None = 9.0
    #: Each class with the values that mean it; capitals, blanks and signs do not matter.
    classes: dict[str, Names] | None = {
        "bulge+disk": ("bulge+disk", "BD"),
        "pure disk": ("pure disk", "disk", "D"),
        "elliptical": ("elliptical", "E"),
        "irregular/merger": ("irregular/merger", "irregular", "merger", "Irr"),
    }
    #: The same number of each class. If false, a catalogue without classes will do.
    balance: bool = True
    #: At most so many objects, over all classes.
    count: Annotated[int, Field(gt=0)] | None = 700
    #: Of the draw.
    seed: int = 0
    columns: Columns = Columns()

    @model_validator(mode="after")
    def _classes_to_balance(self) -> Selection:
        if self.balance and not self.classes:
            raise ValueError("balance: true needs classes")
        return self


@dataclass(frozen=True)
class Selected:
    """What a selection takes from a catalogue.

    Parameters
    ----------
    sources
        In the catalogue's order.
    rejected
        Rows that pass the cuts but have no usable id, position or R90.
    rows
        Of the catalogue.
    excluded
        How many of them each cut takes out, in the order of the cuts.
    classes
        How many sources there are of each class.
    origin
        The catalogue, the selection and the conditions, for the store's provenance.
    """

    sources: list[Source]
    rejected: list[Rejection]
    rows: int
    excluded: dict[str, int]
    classes: dict[str, int]
    origin: dict[str, Any]


def read_selection(name: str | Path) -> Selection:
    """A selection that comes with pellucid, by name, or a YAML file; errors as `read_named`."""
    return read_named(name, shipped_files("data", "mosaics", "selections"), Selection)


def select_sources(
    path: str | Path, selection: Selection, where: Sequence[str] = (), id_column: str | None = None
) -> Selected:
    """The objects of a catalogue that pass every cut.

    A row without a value passes no cut. Who is drawn, where there are more than wanted, is decided
    by a hash of seed and id: the order of rows plays no part, and further rows displace few.

    Parameters
    ----------
    path
        Of the catalogue.
    selection
        The cuts.
    where
        Further ones, e.g. ``"mag_r < 22"``.
    id_column
        Instead of the selection's own.
    """
    columns = selection.columns
    if id_column is not None:
        columns = columns.model_copy(update={"id": id_column})
        selection = selection.model_copy(update={"columns": columns})
    table = open_catalogue(path, columns.id, _ADVICE)
    ids = table.text(columns.id)
    ra, dec = (table.numbers(*names, unit="deg") for names in (columns.ra, columns.dec))
    r90 = None if columns.r90 is None else table.numbers(*columns.r90, unit="arcsec")
    left = np.ones(len(table), dtype=bool)
    excluded: dict[str, int] = {}

    def cut(name: str, passes: NDArray[np.bool_]) -> None:
        excluded[name] = int((left & ~passes).sum())
        left[:] &= passes

    if where:
        cut("where", table.meets(where))
    if selection.max_redshift is not None:
        cut("max_redshift", table.numbers(*columns.redshift) < selection.max_redshift)
    if selection.min_log_stellar_mass is not None:
        mass = _log_mass(table.numbers(*columns.stellar_mass))
        cut("min_log_stellar_mass", mass > selection.min_log_stellar_mass)
    classes = _classes(table, selection)
    if classes is not None:
        cut("classes", classes != "")

    rejected: list[Rejection] = []
    seen: set[str] = set()
    for row in np.flatnonzero(left):
        radius = None if r90 is None else r90[row]
        fault = fault_of_id(ids[row], seen) or fault_of_place(ra[row], dec[row], radius)
        if fault is None:
            seen.add(ids[row])
        else:
            rejected.append(Rejection(printable_id(ids[row], int(row)), fault))
            left[row] = False

    drawn = _drawn(path, selection, ids, np.flatnonzero(left), classes)
    excluded["balance and count"] = int(left.sum()) - len(drawn)
    if not drawn and not rejected:
        cuts = ", ".join(f"{name} {count}" for name, count in excluded.items() if count)
        raise InputError(f"{path}: none of its {len(ids)} rows is left ({cuts or 'it is empty'})")
    sources = [
        Source(ids[row], float(ra[row]), float(dec[row]), None if r90 is None else float(r90[row]))
        for row in drawn
    ]
    members = {} if classes is None else dict(Counter(str(classes[row]) for row in drawn))
    origin = {
        "catalogue": Path(path).name,
        "selection": selection.model_dump(mode="json"),
        "where": list(where),
    }
    return Selected(sources, rejected, len(table), excluded, members, origin)


def _drawn(
    path: str | Path,
    selection: Selection,
    ids: list[str],
    rows: NDArray[np.integer],
    classes: NDArray[np.str_] | None,
) -> list[int]:
    """The rows that are taken of those that could be."""

    def lot(row: int) -> bytes:
        return hashlib.sha256(f"{selection.seed}:{ids[row]}".encode()).digest()

    order = sorted(rows.tolist(), key=lot)
    if not selection.balance:
        return sorted(order[: selection.count])
    assert classes is not None
    assert selection.classes is not None
    members = {name: [row for row in order if classes[row] == name] for name in selection.classes}
    smallest = min(map(len, members.values()))
    if not smallest:
        empty = ", ".join(name for name, some in members.items() if not some)
        raise InputError(
            f"{path}: no object of class {empty} passes the cuts; "
            "balance: false in a --selection of your own does without"
        )
    share = min(smallest, (selection.count or len(ids)) // len(members))
    return sorted(row for some in members.values() for row in some[:share])


def _log_mass(mass: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stellar masses as log10 of solar masses, which they are already or not."""
    known = mass[np.isfinite(mass)]
    if not known.size or np.median(known) < _NO_LOGARITHM:
        return mass
    return np.log10(np.where(mass > 0, mass, np.nan))


def _classes(table: Catalogue, selection: Selection) -> NDArray[np.str_] | None:
    """The class of each row, "" where it is none of those wanted; None where none are."""
    names = selection.columns.morphology
    if selection.classes is None or not (selection.balance or table.find(*names)):
        return None
    meaning = {_bare(value): name for name, values in selection.classes.items() for value in values}
    return np.array([meaning.get(_bare(value), "") for value in table.text(*names)], dtype=str)


def fault_of_id(name: str, seen: set[str]) -> str | None:
    """Why an id must not enter a store, whose users make file names of it."""
    if not name.strip():
        return "has no id"
    if len(name) > LONGEST_ID:
        return f"its id has more than {LONGEST_ID} characters"
    if not name.isprintable():
        return "its id has control characters"
    if name == "." or ".." in name or re.search(r"[/\\]", name):
        return "its id could be a path"
    return "an object of this id came before" if name in seen else None


def fault_of_place(ra: float, dec: float, r90: float | None = None) -> str | None:
    """Why a position or a R90 cannot be one."""
    if np.isnan(ra + dec):
        return "has no position"
    if not (-360.0 <= ra <= 360.0 and -90.0 <= dec <= 90.0):
        return f"its position {ra:g}, {dec:g} is no sky"
    if r90 is not None and not 0 < r90 < np.inf:
        return f"its R90 in the catalogue is {r90:g} arcsec"
    return None


def printable_id(name: str, row: int) -> str:
    """An id, or what stands for one, as it can be shown."""
    shown = name.encode("unicode_escape").decode()
    return shown[:LONGEST_ID] if shown.strip() else f"row {row + 1}"


def _bare(value: str) -> str:
    return re.sub(r"[^a-z0-9]", "", value.lower())

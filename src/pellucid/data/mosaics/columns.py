"""The columns of a catalogue that decide which galaxies become pairs, whatever their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pellucid.data.catalogue import read_catalogue
from pellucid.errors import InputError

#: What a column may be called; the first that is there counts, in capitals or not.
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda names: (names,) if isinstance(names, str) else names),
    Field(min_length=1),
]
Values = NDArray[np.float64]
_NO_LOGARITHM = 20.0


class Columns(BaseModel):
    """Where a catalogue holds what; positions in deg, R90 in arcsec where no unit is stated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = "id"
    ra: Names = ("ra", "alpha_j2000", "raj2000")
    dec: Names = ("dec", "delta_j2000", "dej2000")
    redshift: Names = ("redshift", "photoz", "zbest", "z")
    #: log10 of solar masses, or solar masses: what exceeds 20 is no logarithm.
    stellar_mass: Names = ("log_stellar_mass", "stellar_mass", "mass_med", "log_mass", "mass")
    morphology: Names = ("morphology", "class", "type")
    #: None measures R90 on the blurred image.
    r90: Names | None = ("r90",)


@dataclass(frozen=True, eq=False)
class Rows:
    """A catalogue, column by column.

    Parameters
    ----------
    path
        Its file.
    table
        What it holds.
    """

    path: Path
    table: Any

    def __len__(self) -> int:
        return len(self.table)

    def has(self, names: Sequence[str]) -> bool:
        """Whether there is a column of one of these names."""
        return self._find(names) is not None

    def text(self, names: Sequence[str]) -> list[str]:
        """A column as the catalogue writes it, "" where it has no value.

        Raises
        ------
        InputError
            When there is none.
        """
        return [_text(value) for value in self.table[self._found(names)]]

    def numbers(self, names: Sequence[str], unit: str | None = None) -> Values:
        """A column as numbers, in ``unit`` where it states one, NaN where it has no value.

        Raises
        ------
        InputError
            When there is none, it holds no numbers or is in a unit of another kind.
        """
        from astropy.units import UnitConversionError

        name = self._found(names)
        column = self.table[name]
        stated = getattr(column, "unit", None)
        try:
            factor = stated.to(unit) if stated is not None and unit is not None else 1.0
            values = np.ma.filled(np.ma.masked_array(column, dtype=np.float64), np.nan)
        except UnitConversionError:
            raise InputError(
                f"{self.path}: column {name} is in {stated}; {unit} is needed"
            ) from None
        except (TypeError, ValueError):
            raise InputError(f"{self.path}: column {name} holds no numbers") from None
        return factor * np.asarray(values)

    def log_mass(self, names: Sequence[str]) -> Values:
        """A column of stellar masses as log10 of solar masses, which it holds itself or not.

        Raises
        ------
        InputError
            As `numbers`.
        """
        mass = self.numbers(names)
        known = mass[np.isfinite(mass)]
        if not known.size or np.median(known) < _NO_LOGARITHM:
            return mass
        return np.log10(np.where(mass > 0, mass, np.nan))

    def _find(self, names: Sequence[str]) -> str | None:
        there = {name.lower(): name for name in reversed(self.table.colnames)}
        return next((there[name.lower()] for name in names if name.lower() in there), None)

    def _found(self, names: Sequence[str]) -> str:
        found = self._find(names)
        if found is None:
            raise InputError(
                f"{self.path}: has no column {' or '.join(names)}; there are "
                f"{', '.join(self.table.colnames)}; a --selection of your own does without it "
                "or names another"
            )
        return found


def read_rows(path: str | Path, identifier: str) -> Rows:
    """Read a catalogue whose column ``identifier`` holds the ids, digits or not.

    Raises
    ------
    InputError
        When it is missing, no table or has no such column.
    """
    table: Any = read_catalogue(path, text=identifier)
    if identifier not in table.colnames:
        raise InputError(
            f"{path}: has no column {identifier}; there are {', '.join(table.colnames)}; "
            "--id-column names the one with the objects' ids"
        )
    return Rows(Path(path), table)


def _text(value: Any) -> str:
    if value is np.ma.masked:
        return ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

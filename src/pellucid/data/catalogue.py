"""Catalogues: tables of objects, whatever their format and their columns' names."""

from __future__ import annotations

import io
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.votable import check_votable
from pellucid.errors import InputError, UsageError
from pellucid.files import write_content
from pellucid.quiet import quiet

if TYPE_CHECKING:
    from astropy.table import Table

_COMPARE = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|==|!=|<|>)\s*([-+.\w]+)\s*")


@dataclass(frozen=True, eq=False)
class Catalogue:
    """A table of objects; where a column may have several names, the first that is there counts.

    Parameters
    ----------
    path
        Its file.
    table
        What it holds.
    advice
        What would help where a column is missing.
    """

    path: Path
    table: Any
    advice: str = ""

    def __len__(self) -> int:
        return len(self.table)

    def find(self, *names: str) -> str | None:
        """What the column of one of these names, in capitals or not, is called; None without."""
        there = {name.lower(): name for name in reversed(self.table.colnames)}
        there |= {name: name for name in self.table.colnames}
        found = (there.get(name, there.get(name.lower())) for name in names)
        return next(filter(None, found), None)

    def text(self, *names: str) -> list[str]:
        """A column as the catalogue writes it, "" where it has no value."""
        return [_text(value) for value in self.table[self._found(names)]]

    def numbers(self, *names: str, unit: str | None = None) -> NDArray[np.float64]:
        """A column as numbers, in ``unit`` where it states one, NaN where it has no value."""
        from astropy.units import UnitConversionError

        name = self._found(names)
        column = self.table[name]
        stated = getattr(column, "unit", None)
        try:
            factor = stated.to(unit) if stated is not None and unit is not None else 1.0
            values = np.ma.filled(np.ma.masked_array(column, dtype=np.float64), np.nan)
        except UnitConversionError:
            fault = f"is in {stated}; {unit} is needed"
        except (TypeError, ValueError):
            fault = "holds no numbers"
        else:
            return factor * np.asarray(values)
        raise InputError(f"{self.path}: column {name} {fault}")

    def meets(self, conditions: Sequence[str]) -> NDArray[np.bool_]:
        """Which rows meet every condition, e.g. ``"redshift < 0.02"``; one without a value none."""
        passing = np.ones(len(self), dtype=bool)
        for condition in conditions:
            match = _CONDITION.fullmatch(condition)
            if match is None:
                raise UsageError(f"--where {condition!r}: write it as COLUMN <= NUMBER")
            name, compare, value = match.groups()
            column = self.table[self._found([name])]
            try:
                passing &= np.ma.filled(_COMPARE[compare](column, float(value)), False)
            except (TypeError, ValueError):
                raise UsageError(f"--where {condition!r}: column {name} holds no numbers") from None
        return passing

    def _found(self, names: Sequence[str]) -> str:
        found = self.find(*names)
        if found is None:
            raise _without(self.path, self.table, names, self.advice)
        return found


def open_catalogue(path: str | Path, id_column: str = "id", advice: str = "") -> Catalogue:
    """The catalogue in a file, its ids as they are written there, digits or not."""
    table = read_catalogue(path, text=id_column)
    if id_column not in table.colnames:
        which = "; --id-column names the one with the objects' ids"
        raise _without(path, table, [id_column], which)
    return Catalogue(Path(path), table, advice)


def read_catalogue(path: str | Path, text: str | None = None) -> Table:
    """A table from CSV, ECSV, VOTable, FITS or Parquet.

    Parameters
    ----------
    path
        The catalogue's file.
    text
        A column to take from a CSV as it is written there, digits or not: an id.
    """
    from astropy.table import Table

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with quiet():  # what astropy remarks on a header shows it as it is, control characters, too
            if path.suffix == ".csv":
                return Table.read(path, format="ascii.csv", converters={text: str} if text else {})
            if path.suffix == ".parquet":
                return Table(_parquet_columns(path))
            check_votable(path)
            return Table.read(path)
    except InputError:
        raise
    except Exception as error:  # each of the readers has errors of its own
        why = str(error).partition("\n")[0].partition(". ")[0]
        raise InputError(f"{path}: cannot be read as a table ({why})") from error


def _parquet_columns(path: Path) -> dict[str, Any]:
    """What astropy would ask pandas for."""
    try:
        from pyarrow.parquet import read_table
    except ImportError:
        raise InputError("pyarrow is not installed: pip install 'pellucid[parquet]'") from None
    found: dict[str, Any] = {}
    for name, values in read_table(path).to_pydict().items():
        missing = [value is None for value in values]
        blank = "" if any(isinstance(value, str) for value in values) else 0
        filled = [blank if value is None else value for value in values]
        found[name] = np.ma.array(filled, mask=missing)
    return found


def write_catalogue(path: Path, table: Table, overwrite: bool = False) -> None:
    """Write a table as ECSV; raises as `pellucid.files.write_atomically`."""
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    write_content(path, text.getvalue(), overwrite)


def select_ids(path: str | Path, conditions: Sequence[str] = (), column: str = "id") -> list[str]:
    """The ids of the rows of a catalogue that meet every condition; errors as `Catalogue`'s."""
    catalogue = open_catalogue(path, column)
    ids = catalogue.text(column)
    return [ids[row] for row in np.flatnonzero(catalogue.meets(conditions))]


def _without(path: str | Path, table: Table, names: Sequence[str], advice: str) -> InputError:
    wanted, there = " or ".join(map(repr, names)), ", ".join(table.colnames)
    return InputError(f"{path}: has no column {wanted}; there are {there}{advice}")


def _text(value: Any) -> str:
    if value is np.ma.masked:
        return ""
    if isinstance(value, (float, np.floating)):  # such as whole ids beside one that is missing
        if np.isnan(value):
            return ""
        return str(int(value)) if value == np.floor(value) and np.isfinite(value) else str(value)
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

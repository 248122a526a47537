"""Catalogues: which objects of a folder to take."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import InputError, UsageError

if TYPE_CHECKING:
    from astropy.table import Table

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|==|!=|<|>)\s*([-+.\w]+)\s*")


def read_catalogue(path: str | Path, text: str | None = None) -> Table:
    """A table from CSV, ECSV, VOTable, FITS or Parquet.

    Parameters
    ----------
    path
        The catalogue's file.
    text
        A column to take from a CSV as it is written there, digits or not: an id.

    Raises
    ------
    InputError
        When the file is missing or no table.
    """
    from astropy.table import Table

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        if path.suffix == ".csv":
            return Table.read(path, format="ascii.csv", converters={text: str} if text else {})
        return Table.read(path)
    except Exception as error:  # each of the readers has errors of its own
        why = str(error).partition("\n")[0].partition(". ")[0]
        raise InputError(f"{path}: cannot be read as a table ({why})") from error


def select_ids(path: str | Path, conditions: Sequence[str] = (), column: str = "id") -> list[str]:
    """The ids of the rows of a catalogue that meet every condition, e.g. ``"redshift < 0.02"``.

    Raises
    ------
    InputError
        When a column is missing.
    UsageError
        When a condition cannot be read.
    """
    table: Any = read_catalogue(path, text=column)
    _require(path, table, column)
    for condition in conditions:
        match = _CONDITION.fullmatch(condition)
        if match is None:
            raise UsageError(f"--where {condition!r}: write it as COLUMN <= NUMBER")
        name, compare, value = match.groups()
        _require(path, table, name)
        try:
            meets = _COMPARE[compare](table[name], float(value))
        except (TypeError, ValueError):
            raise UsageError(f"--where {condition!r}: column {name} holds no numbers") from None
        # A row without a value meets no condition.
        table = table[np.ma.filled(meets, False)]
    return [str(value) for value in table[column]]


def _require(path: str | Path, table: Any, column: str) -> None:
    if column not in table.colnames:
        raise InputError(f"{path}: has no column {column!r}; there are {', '.join(table.colnames)}")

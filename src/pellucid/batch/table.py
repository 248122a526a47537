"""The table of a run: a row an image, as ECSV and, where pyarrow is there, as Parquet."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.batch.journal import Row
from pellucid.data.catalogue import write_catalogue
from pellucid.files import write_content

ECSV, PARQUET = "restored.ecsv", "restored.parquet"
_WORDS = ("id", "input", "output", "sha256", "model", "bands")
_BY_BAND = ("noise", "flux", "chi2")
_UNITS = {"ra": "deg", "dec": "deg", "psf_fwhm": "arcsec", "seconds": "s"}


def write_tables(folder: Path, rows: Sequence[Row]) -> Path:
    """Write what is known of each image; raises as `pellucid.files.write_atomically`."""
    columns = _columns(rows)
    if find_spec("pyarrow") is not None:
        write_content(folder / PARQUET, _parquet(columns), overwrite=True)
    from astropy.table import Table

    arrays = {name: _column(values) for name, values in columns.items()}
    table = Table(arrays, units={name: unit for name, unit in _UNITS.items() if name in arrays})
    write_catalogue(folder / ECSV, table, overwrite=True)
    return folder / ECSV


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Words as texts, numbers as floats or None; those of a band each, where there are several,
    as lists in the order of ``bands``."""
    joined = {"input": ";", "bands": ","}
    columns: dict[str, list[Any]] = {}
    for name in _WORDS:
        values = [row.get(name) or "" for row in rows]
        mark = joined.get(name)
        columns[name] = [mark.join(value) for value in values] if mark else values
    if any("ra" in row for row in rows):
        columns |= {name: [row.get(name) for row in rows] for name in ("ra", "dec")}
    columns["psf_fwhm"] = [row.get("psf_fwhm") for row in rows]
    most = max((len(row.get("bands") or ()) for row in rows), default=1)
    for name in _BY_BAND:
        values = [list(row.get(name) or ()) for row in rows]
        padded = [value + [None] * (most - len(value)) for value in values]
        columns[name] = padded if most > 1 else [value[0] if value else None for value in padded]
    for name in ("doubt", "unlike", "seconds"):
        columns[name] = [row.get(name) for row in rows]
    for name in ("state", "reason"):
        columns[name] = [row.get(name) or "" for row in rows]
    columns["notes"] = [" | ".join(row.get("notes") or ()) for row in rows]
    return columns


def _column(values: list[Any]) -> Any:
    if any(isinstance(value, str) for value in values):
        return np.array(values, dtype=str)
    return np.array(values, dtype=np.float64)  # None is NaN


def _parquet(columns: dict[str, list[Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet

    def typed(values: list[Any]) -> Any:
        if any(isinstance(value, str) for value in values):
            return pa.array(values, pa.string())
        several = any(isinstance(value, list) for value in values)
        return pa.array(values, pa.list_(pa.float64()) if several else pa.float64())

    stream = io.BytesIO()
    table = pa.table({name: typed(values) for name, values in columns.items()})
    pyarrow.parquet.write_table(table, stream)
    return stream.getvalue()

"""Restored cutouts as shards of a store: HDF5 files of some thousand each."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.batch.item import Item
from pellucid.batch.journal import Row, note_rows
from pellucid.batch.one import attempt_item
from pellucid.batch.request import Request
from pellucid.batch.schedule import Failure, Part
from pellucid.data.hdf5 import append_image, write_hdf5
from pellucid.quiet import quiet
from pellucid.restoration.result import Restoration, restoration_history
from pellucid.version import __version__

#: What the attribute ``format`` of a shard is.
FORMAT = "pellucid-restored-1"
#: Planes that a restorer may offer beside the result.
LAYERS = ("uncertainty", "range_95", "doubt", "chi2", "samples")
#: Cutouts of a shard, unless said.
USUAL = 2000
_NAME = re.compile(r"\.?(restored(?:-\d+of\d+)?)-[0-9a-f]+-\d{5,}\.h5(\..*)?")


def parts_of(items: Sequence[Item], size: int, shard: str | None) -> list[Part[Item]]:
    """The items in shards with names that no run before had: a task of it may still be at work."""
    name = f"{_prefix(shard)}-{time.time_ns() // 1_000_000:x}"
    return [
        Part(f"{name}-{k:05d}", tuple(items[start : start + size]))
        for k, start in enumerate(range(0, len(items), size))
    ]


def any_shard(folder: Path) -> Path | None:
    """A shard that is in a folder, if there is one."""
    return next((folder / match[0] for match in _matches(folder) if not match[2]), None)


def sweep_shards(folder: Path, rows: Iterable[Row], shard: str | None) -> None:
    """Delete what processes that were killed have left, and what no row tells of."""
    told = {row["output"] for row in rows if row["state"] == "done"}
    for match in _matches(folder):
        if match[1] == _prefix(shard) and match[0] not in told:
            with suppress(OSError):
                (folder / match[0]).unlink()


def write_shard(folder: Path, request: Request, part: Part[Item]) -> list[Failure | None]:
    """Restore the items of a part into its shard, then write their rows into the journal.

    Memory holds one at a time. What fails has a row and is in no shard.
    """
    rows: list[Row] = []
    outcomes: list[Failure | None] = []
    name = f"{part.name}.h5"

    def fill(file: Any, raise_error: Callable[[], None]) -> None:
        file.attrs["format"], file.attrs["pellucid"] = FORMAT, __version__
        shard = _Shard(file)
        for item in part.jobs:

            def put(restored: Restoration, history: Sequence[str], item: Item = item) -> Row:
                digest = shard.add(item, restored, history)
                raise_error()
                return {"output": name, "sha256": digest}

            row, error = attempt_item(item, request, put)
            rows.append(row)
            outcomes.append(None if error is None else Failure(item.name, error))
        if not any(row["state"] == "done" for row in rows):
            raise _Nothing
        shard.finish()

    with suppress(_Nothing):
        write_hdf5(folder / name, fill, overwrite=True)
    note_rows(folder, rows)
    return outcomes


class _Nothing(Exception):
    """All of a shard failed: there is no file to write."""


@dataclass
class _Shard:
    """An HDF5 file that is being filled: a group for each shape and kind of cutouts."""

    file: Any
    groups: dict[Any, Any] = field(default_factory=dict)
    columns: dict[Any, dict[str, list[Any]]] = field(default_factory=dict)

    def add(self, item: Item, restored: Restoration, history: Sequence[str]) -> str:
        """Put a cutout in; returns the SHA-256 of all that is held of it."""
        image = restored.image
        layers = {name: getattr(restored, name) for name in LAYERS}
        planes: dict[str, NDArray[Any]] = {"restored": image.flux, "mask": image.holes}
        planes |= {name: layer for name, layer in layers.items() if layer is not None}
        key = (image.bands, image.unit, tuple((n, p.shape) for n, p in planes.items()))
        if key not in self.groups:
            group = self.file.create_group(f"images-{len(self.groups)}")
            group.attrs["bands"], group.attrs["unit"] = json.dumps(image.bands), image.unit or ""
            self.groups[key], self.columns[key] = group, {}
        told = "\n".join([*history, *restoration_history(restored)])
        values = {
            "id": item.name.encode(),
            "ra": float("nan") if item.cut is None else item.cut.ra,
            "dec": float("nan") if item.cut is None else item.cut.dec,
            "pixel_scale": image.pixel_scale or float("nan"),
            "wcs": b"" if image.wcs is None else _header_of(image.wcs),
            "history": told.encode(),
        }
        digest = hashlib.sha256(repr(values).encode())
        for name, plane in planes.items():
            append_image(self.groups[key], name, plane, "bool" if name == "mask" else "float32")
            digest.update(np.ascontiguousarray(plane).tobytes())
        for name, value in values.items():
            self.columns[key].setdefault(name, []).append(value)
        return digest.hexdigest()

    def finish(self) -> None:
        """Write what is one value a cutout."""
        for key, group in self.groups.items():
            for name, values in self.columns[key].items():
                group[name] = np.array(values)


def _header_of(wcs: Any) -> bytes:
    with quiet():
        return wcs.to_header(relax=True).tostring().encode("ascii", "replace")


def _prefix(shard: str | None) -> str:
    return f"restored-{shard.replace('/', 'of')}" if shard else "restored"


def _matches(folder: Path) -> list[re.Match[str]]:
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [match for name in names if (match := _NAME.fullmatch(name))]

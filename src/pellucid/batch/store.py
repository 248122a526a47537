"""A store of restored cutouts, read by id."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.batch.journal import rows_of
from pellucid.batch.shards import FORMAT, LAYERS
from pellucid.data.hdf5 import read_hdf5
from pellucid.errors import InputError
from pellucid.quiet import quiet
from pellucid.restoration.result import Restoration
from pellucid.sky.image import SkyImage


class _Place(NamedTuple):
    file: str
    group: str
    row: int


@dataclass
class RestoredStore:
    """Restored cutouts by their ids, read when they are asked for.

    ``store["id"]`` is a `Restoration`, ``for name in store`` goes over the ids in the order in
    which they are stored, which is the fastest to read in. Each process opens the files for itself.

    Parameters
    ----------
    path
        The folder of its shards.
    places
        Where each cutout lies.
    """

    path: Path
    places: dict[str, _Place] = field(repr=False)
    _opened: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_opened": {}}

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __contains__(self, name: object) -> bool:
        return str(name) in self.places

    def __getitem__(self, name: str | int) -> Restoration:
        group, row = self._row(name)
        flux, mask = self._planes(name, "restored"), self._planes(name, "mask")
        scale = float(group["pixel_scale"][row])
        image = SkyImage(
            flux,
            bands=tuple(json.loads(group.attrs["bands"])),
            unit=str(group.attrs["unit"]) or None,
            mask=mask if mask.any() else None,
            wcs=_wcs(bytes(group["wcs"][row])),
            pixel_scale=None if np.isnan(scale) else scale,
        )
        layers = {layer: self._planes(name, layer) for layer in LAYERS if layer in group}
        history = bytes(group["history"][row]).decode()
        told = dict(_MADE_BY.findall(history)[:1])
        return Restoration(image, provenance={**told, "history": history.splitlines()}, **layers)

    def stack(self, names: Sequence[str | int], plane: str = "restored") -> NDArray[Any]:
        """A plane of several cutouts of one shape, in the order of ``names``: rows joined by id.

        Parameters
        ----------
        names
            Ids, such as a column of a catalogue, of text or of integers.
        plane
            ``restored``, ``mask`` (what is not restored), and, of models that tell,
            ``uncertainty``, ``range_95``, ``doubt``, ``chi2`` or ``samples``.

        Returns
        -------
        NDArray
            Shape (id, band, y, x); samples (id, sample, band, y, x).

        Raises
        ------
        KeyError
            When one is not there, and why where the run's journal tells it.
        """
        planes = [self._planes(name, plane) for name in names]
        shapes = {values.shape for values in planes}
        if len(shapes) > 1:
            raise InputError(f"{self.path}: {plane} has several shapes among these ids")
        return np.stack(planes) if planes else np.zeros((0, 0, 0, 0), dtype=np.float32)

    def _planes(self, name: str | int, plane: str) -> NDArray[Any]:
        group, row = self._row(name)
        if plane not in group:
            raise InputError(f"{self.path}: holds no {plane}; it holds {', '.join(group)}")
        try:
            return group[plane][row]
        except OSError as error:  # a chunk does not fit its checksum
            file = self.path / self.places[str(name)].file
            raise InputError(f"{file}: {name} is damaged ({error})") from error

    def _row(self, name: str | int) -> tuple[Any, int]:
        import h5py

        place = self.places.get(str(name))
        if place is None:
            reason = rows_of(self.path).get(str(name), {}).get("reason")
            raise KeyError(f"{name}: failed ({reason})" if reason else str(name))
        if place.file not in self._opened:
            while len(self._opened) >= _OPEN:
                self._opened.pop(next(iter(self._opened))).close()
            try:
                self._opened[place.file] = h5py.File(self.path / place.file, "r")
            except OSError as error:
                fault = f"{self.path / place.file}: is gone or damaged ({error})"
                raise InputError(fault) from error
        return self._opened[place.file][place.group], place.row


#: The line of a history that tells by what pixels were restored.
_MADE_BY = re.compile(r"^(model|method) ([^,\n]+)", re.MULTILINE)
#: Files that are open at a time.
_OPEN = 32


def open_restored(path: str | os.PathLike[str]) -> RestoredStore:
    """Open the store that `restore --catalogue … --output STORE.h5` has written.

    What the run's journal, where it is there, does not tell of is passed over.

    Raises
    ------
    InputError
        When there is no such folder, or a shard of it is damaged.
    """
    folder = Path(path)
    files = sorted(folder.glob("*.h5")) if folder.is_dir() else []
    if not files:
        raise InputError(f"{folder}: is no folder of restored cutouts (*.h5)")
    rows = rows_of(folder)
    places: dict[str, _Place] = {}

    def ids_of(file: Any) -> list[tuple[str, list[bytes]]]:
        if file.attrs.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        return [(group, list(file[group]["id"][:])) for group in file]

    for file in files:
        for group, ids in read_hdf5(file, ids_of, "store of restored cutouts"):
            for row, raw in enumerate(ids):
                name = bytes(raw).decode()
                told = rows.get(name)
                if not rows or (told and told.get("output") == file.name):
                    places[name] = _Place(file.name, group, row)
    return RestoredStore(folder, places)


def _wcs(text: bytes) -> Any:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    if not text:
        return None
    with quiet():
        return WCS(Header.fromstring(text.decode()))

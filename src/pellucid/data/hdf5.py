"""Pair stores as HDF5 files, which are complete or absent."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from pellucid.ending import uninterrupted
from pellucid.errors import InputError, one_line
from pellucid.files import write_atomically

T = TypeVar("T")

#: What h5py, json and numpy raise where a file's parts are not what they are called; a link that
#: leads to itself and text that is nested without end are a RuntimeError.
FAULTS = (
    *(OSError, KeyError, IndexError, TypeError, ValueError, AttributeError),
    *(RuntimeError, OverflowError),
)


def write_hdf5(
    path: str | Path, fill: Callable[[Any, Callable[[], None]], None], overwrite: bool = False
) -> Path:
    """Write an HDF5 file beside its target and move it into place.

    Parameters
    ----------
    path
        The file.
    fill
        Called with the open `h5py.File` and a function that raises what the disk said so far, or
        ends where the process was told to; to be called after each large write, as HDF5 itself
        would crash.
    overwrite
        Replace a file that is there.
    """
    import h5py

    def write(disk: BinaryIO) -> None:
        stream = _Stream(disk)
        with uninterrupted() as end_if_told:

            def raise_error() -> None:
                stream.raise_error()
                end_if_told()

            try:
                with h5py.File(stream, "w") as file:
                    fill(file, raise_error)
            finally:
                stream.raise_error()

    return write_atomically(path, write, overwrite)


def read_hdf5(path: Path, read: Callable[[Any], T], what: str, advice: str = "") -> T:
    """What ``read`` makes of an HDF5 file, which shall be a store of this kind.

    Raises
    ------
    InputError
        When the file is missing, damaged or no such store.
    """
    import h5py

    if not path.is_file():
        raise InputError(f"{path}: no such file{advice}")
    try:
        with h5py.File(path, "r") as file:
            return read(file)
    except FAULTS as error:
        raise InputError(f"{path}: is damaged or no {what} ({one_line(error)})") from error


def append_image(file: Any, name: str, flux: NDArray[np.generic], kind: str = "float32") -> None:
    """Add to a data set of images, one chunk each, compressed and with a checksum."""
    if name not in file:
        file.create_dataset(
            name,
            shape=(0, *flux.shape),
            maxshape=(None, *flux.shape),
            chunks=(1, *flux.shape),
            dtype=kind,
            compression="lzf",
            shuffle=True,
            fletcher32=True,
        )
    images = file[name]
    images.resize(len(images) + 1, axis=0)
    images[-1] = flux


@dataclass
class Store:
    """What both kinds of store have; each process opens the file for itself when it first reads.

    An open handle survives neither a fork nor a pickle.
    """

    path: Path
    ids: list[str]
    bands: tuple[str, ...]
    unit: str | None
    pixel_scale: float
    _opened: Any = field(default=None, init=False, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_opened": None}

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int, read: Callable[[Any], T]) -> T:
        """What ``read`` takes of the open `h5py.File` for an object; a checksum tells of damage."""
        try:
            if self._opened is None:
                import h5py

                self._opened = h5py.File(self.path, "r")
            return read(self._opened)
        except (InputError, *FAULTS) as error:
            text = f"object {index} is damaged ({one_line(error)})"
            raise InputError(f"{self.path}: {text}") from error


def write_header(
    file: Any,
    form: str,
    ids: Sequence[str],
    bands: tuple[str, ...],
    unit: str | None,
    pixel_scale: float,
) -> None:
    """Write what `read_header` reads, and the form by which a store is known."""
    file["id"] = np.array([name.encode() for name in ids])
    file.attrs["format"] = form
    file.attrs["bands"] = json.dumps(bands)
    file.attrs["unit"] = unit or ""
    file.attrs["pixel_scale"] = pixel_scale


def read_header(
    path: Path, file: Any, *names: str
) -> tuple[Path, list[str], tuple[str, ...], str | None, float]:
    """The fields of `Store`, of an open file whose image sets ``names`` hold one image an id."""
    ids = [identifier.decode() for identifier in file["id"][:]]
    for name in names:
        if len(ids) != len(file[name]):
            raise InputError(f"{path}: has {len(ids)} ids for {len(file[name])} {name} images")
    bands, scale = json.loads(file.attrs["bands"]), float(file.attrs["pixel_scale"])
    if not (isinstance(bands, list) and bands and all(isinstance(name, str) for name in bands)):
        raise InputError(f"{path}: its bands have no names")
    if not 0.0 < scale < np.inf:
        raise InputError(f'{path}: its pixels are {scale}" wide')
    return path, ids, tuple(bands), str(file.attrs["unit"]) or None, scale


class _Stream:
    """A file for h5py, which crashes where one of its calls raises (a full disk).

    The first error is kept, nothing is done after it, and `raise_error` raises it from outside.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read = file.read  # by which h5py knows a file; it reads with readinto
        self._error: OSError | None = None

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _attempt(self, call: Callable[..., int], instead: int, *arguments: Any) -> int:
        if self._error is None:
            try:
                return call(*arguments)
            except OSError as error:
                self._error = error
        return instead

    def write(self, data: Any) -> int:
        return self._attempt(self._file.write, len(data), data)

    def readinto(self, data: Any) -> int:
        return self._attempt(self._file.readinto, len(data), data)  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._attempt(self._file.seek, offset, offset, whence)

    def tell(self) -> int:
        return self._attempt(self._file.tell, 0)

    def truncate(self, size: int) -> int:
        return self._attempt(self._file.truncate, size, size)

    def flush(self) -> None:
        self._attempt(self._file.flush, 0)  # type: ignore[arg-type]

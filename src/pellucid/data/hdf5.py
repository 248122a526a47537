"""HDF5 files that are complete or absent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pellucid.errors import InputError
from pellucid.files import write_atomically

T = TypeVar("T")


def write_hdf5(
    path: str | Path, fill: Callable[[Any, Callable[[], None]], None], overwrite: bool = False
) -> Path:
    """Write an HDF5 file beside its target and move it into place.

    Parameters
    ----------
    path
        The file.
    fill
        Called with the open `h5py.File` and a function that raises what the disk said so far;
        to be called after each large write, as h5py itself would crash.
    overwrite
        Replace a file that is there.
    """
    import h5py

    def write(disk: BinaryIO) -> None:
        stream = _Stream(disk)
        try:
            with h5py.File(stream, "w") as file:
                fill(file, stream.raise_error)
        finally:
            stream.raise_error()

    return write_atomically(path, write, overwrite)


def create_images(file: Any, name: str, shape: tuple[int, int, int]) -> None:
    """A data set of images, one chunk each, compressed and with a checksum; it grows."""
    file.create_dataset(
        name,
        shape=(0, *shape),
        maxshape=(None, *shape),
        chunks=(1, *shape),
        dtype="float32",
        compression="lzf",
        shuffle=True,
        fletcher32=True,
    )


def read_ids(path: Path, file: Any, *names: str) -> list[str]:
    """The objects' ids in an open file whose image sets ``names`` must hold one image each.

    Raises
    ------
    InputError
        When one does not.
    """
    ids = [identifier.decode() for identifier in file["id"][:]]
    for name in names:
        if len(ids) != len(file[name]):
            raise InputError(f"{path}: has {len(ids)} ids for {len(file[name])} {name} images")
    return ids


@dataclass
class ImageFile:
    """An HDF5 file of images that each process opens for itself, once, when it first reads.

    An open handle survives neither a fork nor a pickle.
    """

    path: Path
    _opened: Any = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_opened": None}

    def read(self, index: int, read: Callable[[Any], T]) -> T:
        """What ``read`` takes of the open `h5py.File` for an object.

        Raises
        ------
        InputError
            When the object's data are damaged; a checksum tells.
        """
        try:
            if self._opened is None:
                import h5py

                self._opened = h5py.File(self.path, "r")
            return read(self._opened)
        except (InputError, OSError, KeyError, ValueError) as error:
            raise InputError(f"{self.path}: object {index} is damaged ({error})") from error


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

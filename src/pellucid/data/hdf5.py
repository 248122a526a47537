"""HDF5 files that are complete or absent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from pellucid.files import write_atomically


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

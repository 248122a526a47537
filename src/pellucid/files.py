"""Atomic writing: a target is the whole old file or the whole new one, never a part."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from pellucid.errors import TemporaryError, UsageError


def check_target(path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Refuse an output that cannot be written, before any work is done for it.

    Raises
    ------
    UsageError
        When the file exists and ``overwrite`` is off, or when its folder does not exist.
    """
    target = Path(path)
    if target.is_dir():
        raise UsageError(f"{target}: is a folder; name a file")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: the folder {target.parent} does not exist")
    if target.exists() and not overwrite:
        raise UsageError(f"{target}: exists already; --overwrite replaces it")
    return target


def make_folder(path: str | os.PathLike[str]) -> Path:
    """The folder of that name, made with those above it where it is not there yet.

    Raises
    ------
    UsageError
        When a file is in its place.
    TemporaryError
        When it cannot be made.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder}: is a file, or lies below one; name a folder") from None
    except OSError as error:
        raise TemporaryError(f"{folder}: cannot be made ({error.strerror})") from error
    return folder


def write_atomically(
    path: str | os.PathLike[str], write: Callable[[BinaryIO], object], overwrite: bool = False
) -> Path:
    """Let ``write`` fill a temporary file beside ``path``, then move it into place.

    Raises
    ------
    UsageError
        As `check_target`.
    TemporaryError
        When the folder is read-only or the disk is full; an older file stays as it was.
    """
    target = check_target(path, overwrite)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "w+b") as stream:
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        fault = f"could not be written ({error.strerror or error})"
        # numpy's own writing names no number for a disk that takes a part.
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, None):
            fault = "the disk is full; nothing was written"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            fault = "the folder cannot be written to"
        raise TemporaryError(f"{target}: {fault}") from error
    return target


def write_content(
    path: str | os.PathLike[str], content: str | bytes, overwrite: bool = False
) -> Path:
    """Write a text (UTF-8) or bytes atomically; raises as `write_atomically`."""
    data = content.encode() if isinstance(content, str) else content
    return write_atomically(path, lambda stream: stream.write(data), overwrite)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

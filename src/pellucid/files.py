"""Atomic writing: a target is the whole old file or the whole new one, never a part.

And folders in which one process works at a time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from pellucid.ending import end_if_told
from pellucid.errors import TemporaryError, UsageError

#: Bytes of the longest name that file systems take.
LONGEST_NAME = 255
_BINARY = getattr(os, "O_BINARY", 0)
#: How temporary files are called, before the host and the process that they are of.
_TEMPORARY = ".pellucid-"
_HOST = re.sub(r"[^A-Za-z0-9]", "", os.uname().nodename if hasattr(os, "uname") else "")[:40]


class BusyError(TemporaryError):
    """Another process is at it."""


@contextlib.contextmanager
def one_at_a_time(path: str | os.PathLike[str], busy: str, patience: float = 0.0) -> Iterator[None]:
    """Hold a lock on a file; only one process does at a time.

    The lock ends with its process, however that ends. The file stays: deleted while another waits
    for it, it would let two in.

    Parameters
    ----------
    path
        Of the file; its folder is made.
    busy
        What to say when another process is at it.
    patience
        Seconds to wait for that one to end; below zero for as long as it takes.

    Raises
    ------
    BusyError
        When it does not end.
    TemporaryError
        When the folder cannot be written to.
    """
    from filelock import FileLock, Timeout

    folder = make_folder(Path(path).parent)
    lock = FileLock(path, timeout=patience)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(busy) from None
    except OSError as error:
        raise TemporaryError(f"{folder}: cannot be written to ({error.strerror})") from error
    try:
        yield
    finally:
        lock.release()


def check_target(path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Refuse an output that cannot be written, before any work is done for it.

    Raises
    ------
    UsageError
        When the file exists and ``overwrite`` is off, when it is a folder, a device or a pipe, when
        its folder does not exist, or its name is too long.
    """
    target = Path(path)
    if len(os.fsencode(target.name)) > LONGEST_NAME:
        shown = f"{str(target)[:60]}…"
        raise UsageError(f"{shown}: the name has more than {LONGEST_NAME} bytes; shorten it")
    if target.is_dir():
        raise UsageError(f"{target}: is a folder; name a file")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: the folder {target.parent} does not exist")
    if target.exists() and not target.is_file():
        raise UsageError(f"{target}: is a device or a pipe; name a file")
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
    path: str | os.PathLike[str],
    write: Callable[[BinaryIO], object],
    overwrite: bool = False,
    part: Path | None = None,
) -> Path:
    """Let ``write`` fill a temporary file beside ``path``, then move it into place.

    Parameters
    ----------
    part
        A name for the temporary file. It stays where the work ends early, and ``write`` finds it as
        it was.

    Raises
    ------
    UsageError
        As `check_target`.
    TemporaryError
        When the folder is read-only or the disk is full; an older file stays as it was.
    """
    named = check_target(path, overwrite)
    # A link stays, and what it leads to is replaced.
    target = Path(os.path.realpath(named)) if named.is_symlink() else named
    try:
        temporary = _beside(target) if part is None else part
        new = os.O_EXCL if part is None else 0
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | new | _BINARY, 0o666)
        try:
            with os.fdopen(descriptor, "r+b") as stream:
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            end_if_told()
            _as_before(temporary, target)
            os.replace(temporary, target)
        except BaseException:
            if part is None:
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        fault = f"could not be written ({error.strerror or error})"
        # numpy's own writing names no number for a disk that takes a part.
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, None):
            fault = "the disk is full; nothing was written"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            fault = "the folder cannot be written to"
        raise TemporaryError(f"{named}: {fault}") from error
    return named


def write_content(
    path: str | os.PathLike[str], content: str | bytes, overwrite: bool = False
) -> Path:
    """Write a text (UTF-8) or bytes atomically; raises as `write_atomically`."""
    data = content.encode() if isinstance(content, str) else content
    return write_atomically(path, lambda stream: stream.write(data), overwrite)


def _beside(target: Path) -> Path:
    """The name of a temporary file in the folder of a target, from which killed runs are swept."""
    for left in target.parent.glob(f"{_TEMPORARY}{_HOST}-*"):
        owner = left.name.removeprefix(f"{_TEMPORARY}{_HOST}-").partition("-")[0]
        if owner.isdecimal() and not _is_alive(int(owner)):
            left.unlink(missing_ok=True)
    return target.parent / f"{_TEMPORARY}{_HOST}-{os.getpid()}-{secrets.token_hex(6)}"


def _is_alive(process: int) -> bool:
    if os.name != "posix":  # where to ask would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def _as_before(temporary: Path, target: Path) -> None:
    """Give a file the mode of the one that it replaces, and its owner where it may."""
    try:
        before = target.stat()
    except FileNotFoundError:
        return
    os.chmod(temporary, stat.S_IMODE(before.st_mode))
    now = temporary.stat()
    if hasattr(os, "chown") and (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        with contextlib.suppress(PermissionError):
            os.chown(temporary, before.st_uid, before.st_gid)

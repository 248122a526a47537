"""A FITS file from an archive: goes on where it stopped, is checked, and appears as a whole.

What has arrived lies beside the target in a file ``.part`` that is named after the version it is
of, so a part is never continued with another version of the file.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

from pellucid.archives.http import ArchiveError, answer, chunks, name_of
from pellucid.errors import InputError, TemporaryError
from pellucid.fits import check_sums


@dataclass(frozen=True)
class Remote:
    """What an archive says of a file: bytes, and what tells its versions apart ("": nothing)."""

    size: int | None
    version: str


def ask(url: str) -> Remote:
    """What the archive says of a file, without its content.

    Raises
    ------
    MissingError
        When there is none.
    ArchiveError
        When the archive does not answer.
    """
    with answer(url, method="HEAD") as response:
        length = response.headers.get("Content-Length", "")
        return Remote(int(length) if length.isdigit() else None, _version(response))


def download(url: str, target: Path) -> None:
    """Bring a FITS file, plain or gzipped, to its place, or as much of it as arrives.

    Parameters
    ----------
    url
        The file's address.
    target
        Where it goes, once its length is what the archive says and `check_sums` finds no fault.

    Raises
    ------
    MissingError
        When there is no such file.
    ArchiveError
        When the archive falls silent or what it sends is damaged; what arrived whole is kept for
        the next attempt.
    TemporaryError
        When the disk is full or read-only.
    """
    remote = ask(url)
    part = _part(target, remote)
    try:
        have = part.stat().st_size if part.exists() else 0
        if not (remote.version and remote.size and have <= remote.size):
            have = 0  # nothing says that the rest belongs to it
        size = remote.size if have and have == remote.size else _pour(url, remote, part, have)
        got = part.stat().st_size
        if size not in (None, got):
            raise ArchiveError(f"{name_of(url)}: cut off after {got} of {size} bytes; run again")
        try:
            check_sums(part)
        except InputError as error:
            part.unlink()
            fault = str(error).removeprefix(f"{part}: ").partition(";")[0]
            raise ArchiveError(f"{name_of(url)}: arrived damaged ({fault}); try again") from error
        os.replace(part, target)
        for old in target.parent.glob(f"{target.name}.*.part"):
            old.unlink()
    except OSError as error:
        raise TemporaryError(
            f"{target}: could not be written ({error.strerror or error}); what arrived is kept"
        ) from error


def parted(target: Path, remote: Remote) -> int:
    """How many bytes of a file have arrived already."""
    part = _part(target, remote)
    return part.stat().st_size if remote.version and part.exists() else 0


def _pour(url: str, remote: Remote, part: Path, have: int) -> int | None:
    """Write what is still to come behind the ``have`` bytes that are there.

    Returns how many bytes the archive says that there are in all.
    """
    asked = {"Range": f"bytes={have}-", "If-Range": remote.version} if have else {}
    with answer(url, asked) as response:
        # A server that knows no ranges, or has a new version, sends all of it with status 200.
        start, total = _span(response)
        size = total if remote.size is None else remote.size
        if start not in (0, have) or total not in (None, size):
            part.unlink(missing_ok=True)
            raise ArchiveError(
                f"{name_of(url)}: the archive promises {size} bytes, then sends others; run again"
            )
        with part.open("ab" if start else "wb") as stream:
            for chunk in chunks(url, response):
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
    return size


def _span(response: HTTPResponse) -> tuple[int, int | None]:
    """Which byte an answer begins with, and how many the whole file has."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        return (int(match[1]), int(match[2])) if match else (-1, None)
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _version(response: HTTPResponse) -> str:
    """A strong ETag or the date: a weak ETag says nothing about single bytes (RFC 9110, 8.8)."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _part(target: Path, remote: Remote) -> Path:
    mark = hashlib.sha256(f"{remote.version} {remote.size}".encode()).hexdigest()[:12]
    return target.with_name(f"{target.name}.{mark}.part")

"""A FITS file from an archive: goes on where it stopped, is checked, and appears as a whole.

What has arrived lies beside the target in a file ``.part`` that is named after the version it is
of, so a part is never continued with another version of the file.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from requests import Response

from pellucid.archives.http import (
    SLOWEST,
    WHOLE_SECONDS,
    ArchiveError,
    Client,
    answer,
    name_of,
    promised_length,
)
from pellucid.errors import InputError, TemporaryError
from pellucid.fits import check_sums

_CHUNK = 2**20
#: The most bytes of a file of which no length was promised.
LARGEST = 2**34


@dataclass(frozen=True)
class _Remote:
    """What an archive says of a file: bytes, and what tells its versions apart ("": nothing).

    ``part`` is where what has arrived of this version lies.
    """

    url: str
    size: int | None
    version: str
    part: Path

    @property
    def have(self) -> int:
        """Bytes that are there; 0 where nothing says that the rest belongs to them."""
        have = self.part.stat().st_size if self.part.exists() else 0
        return have if self.version and self.size and have <= self.size else 0


def left_to_come(client: Client, url: str, target: Path) -> int:
    """How many bytes of a file have not arrived yet, as far as the archive says."""
    remote = _ask(client, url, target)
    return (remote.size or 0) - remote.have


def download(client: Client, url: str, target: Path) -> None:
    """Bring a FITS file, plain or gzipped, to its place, or as much of it as arrives.

    It gets there once its length is what the archive says and `check_sums` finds no fault; one
    that is there already stays.

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
    remote = _ask(client, url, target)
    size, part = remote.size, remote.part
    try:
        if target.exists() and target.stat().st_size == size and not _fault(target):
            return
        if not remote.have or remote.have != size:
            size = _pour(client, remote)
        got = part.stat().st_size
        if size not in (None, got):
            raise ArchiveError(f"{name_of(url)}: cut off after {got} of {size} bytes; run again")
        if fault := _fault(part):
            part.unlink()
            raise ArchiveError(f"{name_of(url)}: arrived damaged ({fault}); try again")
        os.replace(part, target)
        for old in target.parent.glob(f"{target.name}.*.part"):
            old.unlink()
    except OSError as error:
        raise TemporaryError(
            f"{target}: could not be written ({error.strerror or error}); what arrived is kept"
        ) from error


def _ask(client: Client, url: str, target: Path) -> _Remote:
    with answer(client, url, method="HEAD") as response:
        size, tag = promised_length(response), response.headers.get("ETag", "")
        # A weak ETag says nothing about single bytes (RFC 9110, 8.8).
        version = tag if tag.startswith('"') else response.headers.get("Last-Modified", "")
    mark = hashlib.sha256(f"{version} {size}".encode()).hexdigest()[:12]
    return _Remote(url, size, version, target.with_name(f"{target.name}.{mark}.part"))


def _fault(path: Path) -> str:
    """What is wrong with a FITS file, or nothing."""
    try:
        check_sums(path)
    except InputError as error:
        return str(error).removeprefix(f"{path}: ").partition(";")[0]
    return ""


def _pour(client: Client, remote: _Remote) -> int | None:
    """Write what is still to come behind what is there.

    Returns how many bytes the archive says that there are in all.
    """
    have, part = remote.have, remote.part
    asked = {"Range": f"bytes={have}-", "If-Range": remote.version} if have else {}
    whole = WHOLE_SECONDS + (remote.size or LARGEST) / SLOWEST
    with answer(client, remote.url, headers=asked, whole=whole) as response:
        # A server that knows no ranges, or has a new version, sends all of it with status 200.
        start, total = _span(response)
        size = total if remote.size is None else remote.size
        if start not in (0, have) or total not in (None, size):
            part.unlink(missing_ok=True)
            name = name_of(remote.url)
            raise ArchiveError(
                f"{name}: the archive promises {size} bytes, then sends others; run again"
            )
        most = LARGEST if size is None else size
        with part.open("ab" if start else "wb") as stream:
            # As it was sent, and at once, so that a killed run loses little.
            while chunk := response.raw.read1(_CHUNK, decode_content=False):
                start += len(chunk)
                if start > most:
                    break
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        if start > most:
            part.unlink()
            raise ArchiveError(f"{name_of(remote.url)}: the archive sends more than it promised")
    return size


def _span(response: Response) -> tuple[int, int | None]:
    """Which byte an answer begins with, and how many the whole file has."""
    if response.status_code == 206:
        match = re.fullmatch(
            r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})",
            response.headers.get("Content-Range", ""),
        )
        return (int(match[1]), int(match[2])) if match else (-1, None)
    return 0, promised_length(response)

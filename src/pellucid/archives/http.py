"""How to speak with an archive on the net: how long to wait, what its silence means."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Literal, TypeVar
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from pellucid.errors import InputError, TemporaryError, one_line
from pellucid.version import __version__

#: After so many objects in a row without an answer the archive counts as gone.
GONE = 5
_SECONDS = 60
_CHUNK = 2**20
_T = TypeVar("_T")


class ArchiveError(TemporaryError):
    """The archive answered with something else than what was asked for."""


class UnreachableError(ArchiveError):
    """The archive did not answer."""


class MissingError(InputError):
    """The archive says that it has no such file: trying again cannot help."""


@dataclass(frozen=True)
class Patience:
    """How often a failed download is tried again; the first ``pause`` in s doubles each time."""

    retries: int = 3
    pause: float = 5.0


@dataclass(frozen=True)
class Outcome:
    """What became of an object, and why where it is not there."""

    id: str
    status: Literal["fetched", "present", "rejected", "failed"]
    reason: str = ""


def patiently(attempt: Callable[[], _T], patience: Patience) -> _T:
    """What ``attempt`` returns, trying again while the archive fails."""
    for number in range(patience.retries):
        try:
            return attempt()
        except ArchiveError:
            time.sleep(patience.pause * 2**number)
    return attempt()


class Silence:
    """Tells an archive that is gone from one that lacks an object."""

    def __init__(self) -> None:
        self.row, self.last, self.answered = 0, "", False

    def note(self, reason: str) -> None:
        """Why an object had no answer, or nothing where it had one.

        Raises
        ------
        UnreachableError
            When too many in a row had none.
        """
        self.row = self.row + 1 if reason else 0
        self.last = reason or self.last
        self.answered = self.answered or not reason
        if self.row == GONE:
            raise UnreachableError(reason)

    def end(self) -> None:
        """After the last object.

        Raises
        ------
        UnreachableError
            When none had an answer.
        """
        if self.last and not self.answered:
            raise UnreachableError(self.last)


@contextmanager
def answer(
    url: str,
    headers: Mapping[str, str] | None = None,
    form: bytes | None = None,
    method: str | None = None,
    seconds: float = _SECONDS,
) -> Iterator[HTTPResponse]:
    """The archive's answer to a request, its body still to be read with `chunks`.

    Parameters
    ----------
    url
        What to ask for.
    headers
        Of the request, beside those that every request has.
    form
        What to send, as a web form.
    method
        ``HEAD`` and the like; GET, or POST where there is a form.
    seconds
        How long the archive may be silent.

    Raises
    ------
    MissingError
        When it says that there is no such thing.
    UnreachableError
        When it does not answer, or answers that it cannot.
    ArchiveError
        When it refuses the request.
    """
    name = f"{name_of(url)} of {urlsplit(url).netloc}"
    request = Request(quote(url, safe=":/?&=%+,"), data=form, method=method)
    for key, value in {"User-Agent": f"pellucid/{__version__}", **(headers or {})}.items():
        request.add_header(key, value)
    try:
        response: HTTPResponse = urlopen(request, timeout=seconds)
    except HTTPError as error:
        with error:
            words = _text(error) if error.code == 400 else ""
        if error.code == 400:
            raise ArchiveError(f"{name}: the archive refuses the request ({words})") from error
        if error.code in (404, 410):
            raise MissingError(f"{url}: the archive has no such file") from error
        raise UnreachableError(silence(name, f"HTTP {error.code}")) from error
    except (OSError, HTTPException) as error:
        raise UnreachableError(silence(name, one_line(error))) from error
    with response:
        yield response


def chunks(url: str, response: HTTPResponse) -> Iterator[bytes]:
    """The body of an answer; it may end before its time, without a word.

    Raises
    ------
    UnreachableError
        When the archive falls silent.
    """
    while True:
        try:
            chunk = response.read1(_CHUNK)  # what is there, so that a killed run loses little
        except (OSError, HTTPException) as error:
            raise UnreachableError(silence(name_of(url), one_line(error))) from error
        if not chunk:
            return
        yield chunk


def _text(error: HTTPError) -> str:
    """What a page of an error says, on one line."""
    try:
        page = error.read(_CHUNK).decode("utf-8", "replace")
    except (OSError, HTTPException):
        page = ""
    return one_line(ValueError(re.sub(r"<[^>]*>", " ", page) or f"HTTP {error.code}"))


def name_of(url: str) -> str:
    """The last part of an address, by which its file goes."""
    return url.partition("?")[0].rstrip("/").rpartition("/")[-1]


def silence(what: str, reason: str) -> str:
    """The words of an `UnreachableError`."""
    return f"{what}: cannot be reached ({reason}); check the connection and run again"

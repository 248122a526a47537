"""How to speak with an archive on the net: what is asked again, and what its silence means."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from pellucid.errors import InputError, TemporaryError, one_line
from pellucid.version import __version__

#: Statuses that an archive may get over: too many requests, and its own faults.
_PASSING = (429, *range(500, 600))
#: The most that a ``Retry-After`` may ask of a user who waits, in s.
_LONGEST = 600
#: How long a file, and how long the answer to a query, may keep silent, in s.
FILE_SECONDS, QUERY_SECONDS = 60, 600
_T = TypeVar("_T")


class ArchiveError(TemporaryError):
    """The archive answered with something else than what was asked for."""


class BrokenOffError(ArchiveError):
    """The archive fell silent in the middle of its answer."""


class UnreachableError(ArchiveError):
    """The archive did not answer, however often it was asked."""


class MissingError(InputError):
    """The archive says that it has no such file: trying again cannot help."""


class Client(requests.Session):
    """Asks archives, and asks again where the connection fails or the archive says that it cannot.

    Parameters
    ----------
    retries
        How often a request is repeated.
    pause
        Before the first repetition, in s; doubles each time. A ``Retry-After`` goes before it.
    """

    def __init__(self, retries: int = 3, pause: float = 5.0) -> None:
        super().__init__()
        self.retries, self.pause = retries, pause
        self.stream = True  # a mosaic is not held in memory
        # A range counts the bytes of the file, not of a packed answer.
        self.headers["Accept-Encoding"] = "identity"
        self.headers["User-Agent"] = f"pellucid/{__version__}"
        retry = _Retry(
            retries,
            allowed_methods=None,
            status_forcelist=_PASSING,
            backoff_factor=pause,
            raise_on_status=False,
            retry_after_max=_LONGEST,
        )
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(max_retries=retry))


class _Retry(Retry):
    """Pauses before the first repetition, too."""

    def get_backoff_time(self) -> float:
        return self.backoff_factor * 2 ** (len(self.history) - 1)


class _Adapter(HTTPAdapter):
    """Gives up in the end where whoever asks names no time, as pyvo does."""

    def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):
        return super().send(request, stream, timeout or QUERY_SECONDS, verify, cert, proxies)


def insist(client: Client, attempt: Callable[[], _T]) -> _T:
    """What ``attempt`` returns, repeated while what arrives is cut off, damaged or something else.

    The client itself repeats a request until it is answered; this is for what follows.
    """
    for number in range(client.retries):
        try:
            return attempt()
        except UnreachableError:
            raise
        except ArchiveError:
            time.sleep(client.pause * 2**number)
    return attempt()


@contextmanager
def answer(
    client: Client,
    url: str,
    method: str = "GET",
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = FILE_SECONDS,
) -> Iterator[requests.Response]:
    """The archive's answer to a request, its body still to come; it may be silent for ``seconds``.

    Raises
    ------
    MissingError
        When it says that there is no such thing.
    UnreachableError
        When it does not answer, or answers that it cannot.
    BrokenOffError
        When it falls silent while the body is read.
    """
    name = f"{name_of(url)} of {urlsplit(url).netloc}"
    try:
        response = client.request(method, url, params, headers=headers, timeout=seconds)
    except requests.RequestException as error:
        raise unreachable(name, error) from error
    with response:
        if response.status_code in (404, 410):
            raise MissingError(f"{url}: the archive has no such file")
        if not response.ok:
            raise unreachable(name, requests.HTTPError(response=response))
        try:
            yield response
        except (requests.RequestException, HTTPError) as error:
            raise BrokenOffError(f"{name}: breaks off ({one_line(error)}); run again") from error


def name_of(url: str) -> str:
    """The last part of an address, by which its file goes."""
    return url.partition("?")[0].rstrip("/").rpartition("/")[-1]


def unreachable(what: str, error: requests.RequestException) -> UnreachableError:
    """The error of an archive that said nothing, or said that it cannot."""
    if error.response is not None:
        reason = f"HTTP {error.response.status_code}"
    else:
        cause = error.args[0] if error.args else error
        reason = one_line(getattr(cause, "reason", cause))  # of the last of the repetitions
    return UnreachableError(
        f"{what}: cannot be reached ({reason}); check the connection and run again"
    )

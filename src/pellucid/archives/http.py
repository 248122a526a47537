"""How to speak with an archive on the net: what is asked again, and what its silence means."""

from __future__ import annotations

import io
import re
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from pellucid.archives.watch import Watch, WatchedAdapter
from pellucid.errors import InputError, TemporaryError, one_line, printable
from pellucid.version import __version__

#: Statuses that an archive may get over: too many requests, and its own faults.
_PASSING = (429, *range(500, 600))
#: The most that a ``Retry-After`` may ask of a user who waits, in s.
_LONGEST = 600
#: How long a file, and how long the answer to a query, may keep silent, in s.
FILE_SECONDS, QUERY_SECONDS = 60, 600
#: How long an answer may take in all, in s, beside the time for its bytes at the slowest, in 1/s.
WHOLE_SECONDS, SLOWEST = 1800, 50_000
#: The most bytes of an answer that is held in memory.
HELD = 2**28
#: The most redirections of a request.
_TURNS = 5
_CHUNK = 2**20
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
    hosts
        To which an archive may send on a request, beside its own.
    """

    def __init__(self, retries: int = 3, pause: float = 5.0, hosts: Collection[str] = ()) -> None:
        super().__init__()
        self.retries, self.pause, self.hosts = retries, pause, hosts
        self.max_redirects = _TURNS
        self.watch = Watch(WHOLE_SECONDS)
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
            self.mount(scheme, _Adapter(self.watch, max_retries=retry))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where an answer sends a request on to; refused where that is not the same archive's."""
        asked = urlsplit(resp.url or "")
        try:
            found = super().get_redirect_target(resp)
            if found is None:
                return None
            sent = urlsplit(urljoin(asked.geturl(), found))
            known = _is_known(asked, sent, self.hosts)
        except ValueError:  # no text, no address, no port
            sent, known, found = urlsplit("what is no address"), False, ""
        if not known:
            raise UnreachableError(
                f"{name_of(asked.path)} of {asked.netloc}: the archive sends us on to "
                f"{printable(sent.geturl())[:100]}; if you trust that host, name it with --host"
            )
        # What stands in its page is of no use, and could be without end.
        resp.close()
        resp._content = b""
        return found


class _Retry(Retry):
    """Pauses before the first repetition, too."""

    def get_backoff_time(self) -> float:
        return self.backoff_factor * 2 ** (len(self.history) - 1)


class _Adapter(WatchedAdapter):
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
    seconds: float | None = None,
    whole: float | None = None,
) -> Iterator[requests.Response]:
    """The archive's answer to a request, its body still to come.

    It may be silent for ``seconds``, and take ``whole`` seconds in all; `FILE_SECONDS` and
    `WHOLE_SECONDS` where they are not said.

    Raises
    ------
    MissingError
        When it says that there is no such thing.
    UnreachableError
        When it does not answer, or answers that it cannot.
    BrokenOffError
        When it falls silent while the body is read, or takes too long.
    """
    name = f"{name_of(url)} of {urlsplit(url).netloc}"
    client.watch.seconds = WHOLE_SECONDS if whole is None else whole
    late = f"{name}: takes longer than {client.watch.seconds:.0f} s; run again"
    try:
        timeout = FILE_SECONDS if seconds is None else seconds
        response = client.request(method, url, params, headers=headers, timeout=timeout)
    except (requests.RequestException, HTTPError) as error:
        raise BrokenOffError(late) if client.watch.over else unreachable(name, error) from error
    with response, closing(client.watch):
        if response.status_code in (404, 410):
            raise MissingError(f"{url}: the archive has no such file")
        if not response.ok:
            raise unreachable(name, requests.HTTPError(response=response))
        try:
            yield response
        except (requests.RequestException, HTTPError) as error:
            fault = f"{name}: breaks off ({one_line(error)}); run again"
            raise BrokenOffError(late if client.watch.over else fault) from error
        if client.watch.over:  # an end that looks like that of a body whose length nobody said
            raise BrokenOffError(late)


def body_of(response: requests.Response, most: int | None = None) -> bytes:
    """All of an answer, unpacked where it is packed, to be held in memory.

    Raises
    ------
    BrokenOffError
        When it ends before the length that it promised.
    ArchiveError
        When it has more than ``most`` bytes, or `HELD`, or is damaged.
    """
    most = HELD if most is None else most
    name, pieces, size = name_of(response.url), [], 0
    while piece := response.raw.read1(_CHUNK, decode_content=False):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise ArchiveError(f"{name}: the answer has more than {most / 1e6:.0f} MB")
    if size < (promised_length(response) or 0):
        raise BrokenOffError(f"{name}: breaks off after {size} bytes; run again")
    body = b"".join(pieces)
    if response.headers.get("Content-Encoding", "").lower() in ("gzip", "x-gzip", "deflate"):
        try:
            body = zlib.decompressobj(zlib.MAX_WBITS + 32).decompress(body, most + 1)
        except zlib.error as error:
            raise ArchiveError(f"{name}: arrived damaged ({error}); try again") from error
        if len(body) > most:
            raise ArchiveError(f"{name}: the answer expands to more than {most / 1e6:.0f} MB")
    return body


@contextmanager
def holding(client: Client, most: int, check: Callable[[bytes], None]) -> Iterator[None]:
    """Within, answers to whoever uses the client are in memory, as `body_of` reads and bounds them.

    ``check`` refuses what nobody shall read.
    """

    def hold(response: requests.Response, *_: Any, **__: Any) -> None:
        if not response.is_redirect:
            try:
                body = body_of(response, most)
            except HTTPError as error:
                fault = f"breaks off ({one_line(error)}); run again"
                raise BrokenOffError(f"{name_of(response.url)}: {fault}") from error
            finally:
                client.watch.close()
            check(body)
            response.raw = _Held(body)

    client.watch.seconds = WHOLE_SECONDS
    client.hooks["response"].append(hold)
    try:
        yield
    finally:
        client.hooks["response"].remove(hold)


class _Held(io.BytesIO):
    """Bytes that are read as urllib3's answers are."""

    def read(self, amt: int | None = -1, decode_content: bool | None = None) -> bytes:
        return super().read(amt)


def promised_length(response: requests.Response) -> int | None:
    """How many bytes an answer says that it has."""
    length = response.headers.get("Content-Length", "")
    return int(length) if re.fullmatch("[0-9]{1,18}", length) else None


def _is_known(asked: SplitResult, sent: SplitResult, hosts: Collection[str]) -> bool:
    """Whether an address is of the same archive as another one, and as safe, or of a named host."""
    ports = {"http": 80, "https": 443}
    if sent.scheme not in ports or (asked.scheme, sent.scheme) == ("https", "http"):
        return False
    if sent.hostname in hosts:
        return True
    own, other = (part.port or ports[part.scheme] for part in (asked, sent))
    usual = own == ports[asked.scheme] and other == ports[sent.scheme]
    return sent.hostname == asked.hostname and (own == other or usual)


def name_of(url: str) -> str:
    """The last part of an address, by which its file goes."""
    return url.partition("?")[0].rstrip("/").rpartition("/")[-1]


def unreachable(what: str, error: requests.RequestException | HTTPError) -> UnreachableError:
    """The error of an archive that said nothing, or said that it cannot."""
    if isinstance(error, requests.RequestException) and error.response is not None:
        reason = f"HTTP {error.response.status_code}"
    else:
        cause = error.args[0] if error.args else error
        reason = one_line(getattr(cause, "reason", cause))  # of the last of the repetitions
    return UnreachableError(
        f"{what}: cannot be reached ({reason}); check the connection and run again"
    )

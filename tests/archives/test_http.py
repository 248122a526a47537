"""What a client asks again, how long it waits, and what it makes of the answers."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler

import pytest
from local_server import serving

from pellucid.archives.http import (
    ArchiveError,
    BrokenOffError,
    Client,
    MissingError,
    UnreachableError,
    answer,
    body_of,
    insist,
)

Answer = tuple[int, dict[str, str], bytes]


class Script:
    """A server that answers each request with the next of its lines, the last for ever."""

    def __init__(self) -> None:
        self.lines: list[Answer] = []
        self.asked: list[str] = []
        self.url = ""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                script.asked.append(self.command)
                lines = script.lines
                status, headers, body = lines.pop(0) if len(lines) > 1 else lines[0]
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    with serving(script.handler()) as base:
        script.url = f"{base}/a.fits"
        yield script


@pytest.fixture
def waited(monkeypatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def content(client: Client, url: str, method: str = "GET") -> bytes:
    with answer(client, url, method) as response:
        return response.content


def test_it_waits_longer_each_time(script, waited):
    script.lines = [(500, {}, b""), (429, {}, b""), (503, {}, b""), (200, {}, b"yes")]
    with Client(retries=3, pause=2) as client:
        assert content(client, script.url, "POST") == b"yes"
    assert waited == [2, 4, 8]
    assert script.asked == ["POST"] * 4


def test_it_waits_as_long_as_it_is_told_within_reason(script, waited):
    script.lines = [
        (503, {"Retry-After": "7"}, b""),
        (429, {"Retry-After": "86400"}, b""),
        (200, {}, b"yes"),
    ]
    with Client(retries=3, pause=2) as client:
        assert content(client, script.url) == b"yes"
    assert waited == [7, 600]


@pytest.mark.parametrize(
    ("status", "error", "count"),
    [
        (404, MissingError, 1),
        (410, MissingError, 1),
        (403, UnreachableError, 1),
        (503, UnreachableError, 3),
    ],
)
def test_what_cannot_help_is_not_asked_again(script, waited, status, error, count):
    script.lines = [(status, {}, b"")]
    with Client(retries=2) as client, pytest.raises(error):
        insist(client, lambda: content(client, script.url))
    assert len(script.asked) == count


def test_nobody_there_is_told_in_one_line(waited):
    with Client(retries=1) as client, pytest.raises(UnreachableError, match="refused") as caught:
        content(client, "http://127.0.0.1:9/a.fits")
    assert "\n" not in str(caught.value)
    assert waited == [5.0]


def test_an_answer_that_breaks_off_is_asked_for_again(script, waited):
    script.lines = [(200, {"Content-Length": "9"}, b"ye"), (200, {}, b"yes")]
    with Client(retries=1) as client:
        assert insist(client, lambda: content(client, script.url)) == b"yes"
        script.lines = [(200, {"Content-Length": "9"}, b"ye")]
        with pytest.raises(BrokenOffError, match=r"a\.fits of .*: breaks off"):
            insist(client, lambda: content(client, script.url))
    assert len(script.asked) == 4


def test_what_else_goes_wrong_is_tried_so_often_and_not_more(waited):
    left = [3]

    def attempt() -> str:
        left[0] -= 1
        if left[0]:
            raise ArchiveError("no")
        return "yes"

    assert insist(Client(retries=3, pause=2), attempt) == "yes"
    assert waited == [2, 4]
    left[0] = 9
    with pytest.raises(ArchiveError):
        insist(Client(retries=3), attempt)
    assert left == [5]


def test_it_is_sent_on_within_the_archive_and_to_hosts_that_were_named(script):
    other = Script()
    other.lines = [(200, {}, b"yes")]
    with serving(other.handler()) as base:
        port = base.rpartition(":")[2]
        script.lines = [(302, {"Location": "/b.fits"}, b""), (200, {}, b"here")]
        with Client(retries=0) as client:
            assert content(client, script.url) == b"here"
        script.lines = [(302, {"Location": f"http://localhost:{port}/a.fits"}, b"")]
        with Client(retries=0) as client, pytest.raises(UnreachableError, match="sends us on to"):
            content(client, script.url)
        assert not other.asked
        with Client(retries=0, hosts=["localhost"]) as client:
            assert content(client, script.url) == b"yes"


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/a", "file:///etc/passwd", "http://[", "//:x/"])
def test_it_is_not_sent_to_what_is_no_archive(script, place):
    script.lines = [(302, {"Location": place}, b"")]
    client, told = Client(retries=0, hosts=["127.0.0.1"]), "the archive sends us on to"
    with client, pytest.raises(UnreachableError, match=told) as error:
        content(client, script.url)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("head", [True, False])
def test_an_answer_that_trickles_in_has_an_end(head):
    """Each byte comes before any time-out of the connection."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not head:
                self.send_response(200)
                self.end_headers()
            try:
                for _ in range(500):
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n"[:1])
                    time.sleep(0.02)
            except OSError:
                pass

        def log_message(self, format: str, *args: object) -> None:
            pass

    late = pytest.raises(BrokenOffError, match=r"a\.fits of .*: takes longer than 0 s")
    with serving(Handler) as base, Client(retries=0) as client, late, ExitStack() as stack:
        url = f"{base}/a.fits"
        body_of(stack.enter_context(answer(client, url, seconds=5.0, whole=0.3)))


def test_a_body_is_held_up_to_a_size_and_unpacked_up_to_it(script):
    packed = gzip.compress(bytes(10**6))
    script.lines = [(200, {"Content-Encoding": "gzip"}, packed)]
    with Client(retries=0) as client:
        with answer(client, script.url) as response:
            assert body_of(response) == bytes(10**6)
        with answer(client, script.url) as response, pytest.raises(ArchiveError, match="expands"):
            body_of(response, 999_999)
        script.lines = [(200, {}, bytes(1000))]
        with answer(client, script.url) as response, pytest.raises(ArchiveError, match="more than"):
            body_of(response, 999)
        script.lines = [(200, {"Content-Length": "1001"}, bytes(1000))]
        with pytest.raises(BrokenOffError, match="breaks off"), answer(client, script.url) as short:
            body_of(short)

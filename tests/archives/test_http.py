"""What a client asks again, how long it waits, and what it makes of the answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
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

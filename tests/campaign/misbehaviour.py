"""What a server can do wrong: an archive of one tile and a table, and a way to answer for each."""

from __future__ import annotations

import contextlib
import gzip
import io
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

IMAGE, WEIGHT, SUBARU = "/acs_077_sci.fits.gz", "/acs_077_wht.fits.gz", "/rp_077_sci.fits"
TABLE = "/TAP/sync"
#: A server stops by itself after so many seconds, and endless answers are that long.
ENDLESS = 60.0


class Line:
    """A request, and the connection on which it is answered."""

    def __init__(self, wire: socket.socket) -> None:
        self.wire = wire
        head = b""
        while b"\r\n\r\n" not in head:
            piece = wire.recv(65536)
            if not piece:
                raise ConnectionError
            head += piece
        head, _, rest = head.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = first.split(" ", 2)
        self.path = self.path.partition("?")[0]
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        missing = int(self.headers.get("content-length", 0)) - len(rest)
        while missing > 0:
            missing -= len(wire.recv(65536))

    def send(self, content: bytes | str) -> None:
        self.wire.sendall(content.encode("latin-1") if isinstance(content, str) else content)

    def answer(self, body: bytes, status: str = "200 OK", **headers: object) -> None:
        """A whole answer, whose ``headers`` replace the right ones; "_" is written as "-"."""
        self.head(status, **{"Content_Length": len(body), "ETag": '"1"', **headers})
        if self.method != "HEAD":
            self.send(body)

    def head(self, status: str = "200 OK", **headers: object) -> None:
        lines = [f"HTTP/1.1 {status}", "Connection: close"]
        lines += [f"{k.replace('_', '-')}: {v}" for k, v in headers.items() if v is not None]
        self.send("\r\n".join(lines) + "\r\n\r\n")

    def forever(self, piece: bytes | str, pause: float = 0.0) -> None:
        """Send the same again and again."""
        until = time.monotonic() + ENDLESS
        while time.monotonic() < until:
            self.send(piece)
            time.sleep(pause)


@dataclass(frozen=True)
class Fault:
    """How to answer wrongly when asked for a path: ``act`` gets the request and the right body.

    ``codes`` are the exit codes that tell so; 0 where all that was asked for can be had yet.
    """

    path: str
    act: Callable[[Line, bytes], None]
    codes: tuple[int, ...] = (1,)


def tile(number: int) -> bytes:
    """A small image that nothing compresses."""
    from astropy.io import fits

    stream = io.BytesIO()
    flux = np.random.default_rng(number).normal(size=(64, 64)).astype("f4")
    fits.PrimaryHDU(flux).writeto(stream, checksum=True)
    return stream.getvalue()


def table() -> bytes:
    """A catalogue of two galaxies, as a service of tables answers."""
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Info
    from astropy.table import Table

    names = ("id", "ra", "dec", "redshift", "log_stellar_mass", "r_mag")
    votable = from_table(Table(rows=[(1, 150.1, 2.3, 0.5, 9.5, 20.0)] * 2, names=names))
    votable.resources[0].infos.append(Info(name="QUERY_STATUS", value="OK"))
    stream = io.BytesIO()
    votable.to_xml(stream)
    return stream.getvalue()


@dataclass
class Archive:
    """What is served, and the fault with which it is."""

    fault: Fault | None = None
    pages: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, path in enumerate((IMAGE, WEIGHT, SUBARU)):
            content = tile(number)
            self.pages[path] = gzip.compress(content) if path.endswith(".gz") else content
        self.pages[TABLE] = table()

    def words(self, address: str, folder: Path) -> list[str]:
        """A command that fetches all of it."""
        lines = [f"acs: '{address}/acs_{{tile:03d}}_{{kind}}.fits.gz'"]
        lines += [f"subaru: '{address}/rp_{{tile:03d}}_{{kind}}.fits'", f"tap: '{address}/TAP'"]
        (folder / "addresses.yaml").write_text("\n".join(lines))
        names = ["--addresses", str(folder / "addresses.yaml"), "--output", str(folder / "out")]
        return ["fetch", "cosmos", "--tiles", "77", "--retries", "1", "--pause", "0", *names]

    def files(self, folder: Path) -> dict[Path, bytes]:
        """What shall lie where."""
        places = {IMAGE: "acs", WEIGHT: "acs_weight", SUBARU: "subaru"}
        return {
            folder / "out" / below / path.strip("/"): self.pages[path]
            for path, below in places.items()
        }

    def answer(self, wire: socket.socket) -> None:
        line = Line(wire)
        body = self.pages.get(line.path)
        if self.fault is not None and self.fault.path == line.path:
            self.fault.act(line, body or b"")
        elif body is None:
            line.answer(b"", "404 Not Found")
        else:
            line.answer(body)


@contextmanager
def serving(archive: Archive) -> Iterator[str]:
    """The address of an archive."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):  # whoever asked has hung up
                archive.answer(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def on_get(act: Callable[[Line, bytes], None]) -> Callable[[Line, bytes], None]:
    """Right where only the head is asked for."""
    return lambda line, body: line.answer(body) if line.method == "HEAD" else act(line, body)


def chunked(line: Line) -> None:
    line.head(Transfer_Encoding="chunked", ETag='"1"')


def _too_much(line: Line, body: bytes) -> None:
    chunked(line)
    line.forever(b"10000\r\n" + body.ljust(65536)[:65536] + b"\r\n")


def _short(line: Line, body: bytes) -> None:
    line.answer(body[:-99], Content_Length=len(body))


def _less(line: Line, body: bytes) -> None:
    line.answer(body[:-99])


def _more(line: Line, body: bytes) -> None:
    line.answer(body + bytes(10**6))


def _a_part(line: Line, body: bytes) -> None:
    span = f"bytes 9-{len(body) - 1}/{len(body)}"
    line.answer(body[9:], "206 Partial Content", Content_Range=span)


def _packed_table(line: Line, body: bytes) -> None:
    line.answer(_packed_zeros(), Content_Encoding="gzip")


def _no_length(line: Line, body: bytes) -> None:
    line.head()
    if line.method != "HEAD":
        line.forever(bytes(65536))


def _trickle(line: Line, body: bytes) -> None:
    line.head(Content_Length=len(body), ETag='"1"')
    for byte in body:
        line.send(bytes([byte]))
        time.sleep(0.2)


def _slow_head(line: Line, body: bytes) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Some: thing\r\n" * 999:
        line.send(bytes([byte]))
        time.sleep(0.2)


def _after(head: str, piece: str, pause: float = 0.0) -> Callable[[Line, bytes], None]:
    """A beginning, and then the same for ever."""

    def act(line: Line, body: bytes) -> None:
        line.send(head)
        line.forever(piece, pause)

    return act


def _in_chunks(first: str, piece: str) -> Callable[[Line, bytes], None]:
    def act(line: Line, body: bytes) -> None:
        chunked(line)
        line.send(first)
        line.forever(piece)

    return act


def _reset(line: Line, body: bytes) -> None:
    line.head(Content_Length=len(body), ETag='"1"')
    line.send(body[:100])
    line.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.wire.close()


def _sent_on(place: str | Callable[[Line], str]) -> Callable[[Line, bytes], None]:
    """Look elsewhere."""

    def act(line: Line, body: bytes) -> None:
        line.answer(b"", "302 Found", Location=place(line) if callable(place) else place)

    return act


def _elsewhere(line: Line) -> str:
    return f"http://localhost:{line.wire.getsockname()[1]}{WEIGHT}"


def _endless_turn(line: Line, body: bytes) -> None:
    line.head("302 Found", Location=line.path)
    line.forever(bytes(65536))


def _two_versions(line: Line, body: bytes) -> None:
    """Half of it, and then the rest of another version under the same name."""
    if "range" in line.headers:
        rest = len(body) - len(body) // 2
        span = f"bytes {len(body) - rest}-{len(body) - 1}/{len(body)}"
        line.answer(bytes(rest), "206 Partial Content", Content_Range=span)
    elif line.method == "HEAD":
        line.answer(body)
    else:
        line.head(Content_Length=len(body), ETag='"1"')
        line.send(body[: len(body) // 2])


def _bomb(line: Line, body: bytes) -> None:
    """Gigabytes of nothing, gzipped."""
    line.answer(_packed_zeros(), ETag='"bomb"')


def _packed_zeros() -> bytes:
    return gzip.compress(bytes(2**28), 1) * 12


def _laughs(line: Line, body: bytes) -> None:
    """An entity of entities of entities."""
    entities = "".join(
        f'<!ENTITY e{k} "{f"&e{k - 1};" * 12}">' if k else '<!ENTITY e0 "ha">' for k in range(12)
    )
    text = (
        f'<?xml version="1.0"?><!DOCTYPE VOTABLE [{entities}]><VOTABLE><INFO>&e11;</INFO></VOTABLE>'
    )
    line.answer(text.encode())


def _href(line: Line, body: bytes) -> None:
    """A table whose data are a file of the one who asks."""
    start, _, rest = body.partition(b"<DATA>")
    end = rest.partition(b"</DATA>")[2]
    stream = b'<DATA><BINARY><STREAM href="file:///etc/passwd"/></BINARY></DATA>'
    line.answer(start + stream + end)


def _static(**headers: object) -> Callable[[Line, bytes], None]:
    return lambda line, body: line.answer(body, **headers)  # type: ignore[arg-type]


def _page(content: bytes, status: str = "200 OK") -> Callable[[Line, bytes], None]:
    return lambda line, body: line.answer(content, status)


OK = "HTTP/1.1 200 OK\r\n"
HTML = b"<html><body>Down for maintenance</body></html>"
FAULTS: dict[str, Fault] = {
    "promises more than it sends": Fault(IMAGE, on_get(_short)),
    "sends less than it promised before": Fault(IMAGE, on_get(_less)),
    "sends more than it promised": Fault(IMAGE, on_get(_more)),
    "sends without end what had a length": Fault(IMAGE, on_get(_too_much)),
    "sends without end what had none": Fault(IMAGE, _no_length),
    "promises more than any disk holds": Fault(IMAGE, _static(Content_Length=10**17), (75,)),
    "promises a length of 5,000 digits": Fault(IMAGE, _static(Content_Length="9" * 5000), (0, 1)),
    "promises a length below zero": Fault(IMAGE, _static(Content_Length=-1), (0, 1)),
    "drips a byte at a time": Fault(IMAGE, on_get(_trickle)),
    "drips its headers": Fault(IMAGE, _slow_head),
    "sends headers without end": Fault(IMAGE, _after(OK, "X-A: b\r\n")),
    "sends a header line without end": Fault(IMAGE, _after(f"{OK}X-A: ", "b" * 4096)),
    "says for ever that it will go on": Fault(
        IMAGE, _after("", "HTTP/1.1 100 Continue\r\n\r\n", 0.01)
    ),
    "keeps silent": Fault(IMAGE, _after("", "", 0.1)),
    "keeps silent in the middle": Fault(
        IMAGE, on_get(_after(f"{OK}Content-Length: 9999\r\n\r\n", "", 0.1))
    ),
    "hangs up at once": Fault(IMAGE, lambda line, body: line.wire.close()),
    "resets the connection": Fault(IMAGE, on_get(_reset)),
    "does not speak HTTP": Fault(IMAGE, lambda line, body: line.send(b"SSH-2.0-x\r\n\0\xff" * 9)),
    "has chunks of no length": Fault(IMAGE, on_get(_in_chunks("zz\r\n", "zz\r\n"))),
    "has a length of a chunk without end": Fault(IMAGE, on_get(_in_chunks("", "0" * 4096))),
    "has trailers without end": Fault(IMAGE, on_get(_in_chunks("1\r\na\r\n0\r\n", "X-A: b\r\n"))),
    "sends on to another host": Fault(IMAGE, _sent_on(_elsewhere)),
    "sends on to ftp": Fault(IMAGE, _sent_on("ftp://127.0.0.1/tile.fits.gz")),
    "sends on to a file of ours": Fault(IMAGE, _sent_on("file:///etc/passwd")),
    "sends on in a circle": Fault(IMAGE, _sent_on(IMAGE)),
    "sends on without an address": Fault(IMAGE, _sent_on("http://[::1\xff\xfe/")),
    "sends on with a page without end": Fault(IMAGE, _endless_turn),
    "answers with a page": Fault(IMAGE, _page(HTML)),
    "answers with nothing": Fault(IMAGE, _page(b"", "204 No Content")),
    "answers that it is unchanged": Fault(IMAGE, _page(b"", "304 Not Modified")),
    "fails with a page without end": Fault(
        IMAGE, _after("HTTP/1.1 503 Down\r\n\r\n", HTML.decode() * 99)
    ),
    "sends a part that nobody asked for": Fault(IMAGE, on_get(_a_part)),
    "continues with another version": Fault(IMAGE, _two_versions, (0, 1)),
    "packs gigabytes into a file": Fault(IMAGE, _bomb),
    "packs gigabytes into a table": Fault(TABLE, _packed_table),
    "sends a table without end": Fault(TABLE, _after(f"{OK}\r\n<VOTABLE>", "<INFO/>" * 4096)),
    "sends a page for a table": Fault(TABLE, _page(HTML)),
    "sends entities of entities": Fault(TABLE, _laughs),
    "sends a table that lies in a file of ours": Fault(TABLE, _href),
    "drips a table": Fault(TABLE, _trickle),
    "sends the question on to another host": Fault(TABLE, _sent_on(_elsewhere)),
}

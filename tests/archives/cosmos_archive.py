"""An archive on this machine that answers as IRSA does."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.io.votable.tree import Info
from astropy.table import Table
from astropy.wcs import WCS

from pellucid.cli import main

ACS, SUBARU, TAP = "/acs/acs_I_030mas_", "/rp/subaru_rp_", "/TAP/sync"
SCI, R = f"{ACS}077_sci.fits.gz", f"{SUBARU}077_sci_20.fits"
#: COSMOS2015 as IRSA has it: a galaxy in 77, one in 78, one between the two, one without a mass,
#: a star, one without a redshift, one on no tile.
ROWS = {
    "id": [3000000001, 2, 3, 4, 5, 6, 7],
    "ra": [150.1, 149.95, 150.06, 150.2, 150.1, 150.1, 151.5],
    "dec": [2.35, 2.4, 2.3, 2.45, 2.36, 2.37, 2.35],
    "photoz": [0.3, 0.5, 0.4, 0.8, 0.0, -99.0, 0.4],
    "mass_med": [10.25, 9.5, 8.5, -99.9, -99.9, -99.9, 9.0],
    "r_mag_auto": [19.5, 21.0, 22.0, 99.0, 18.0, 24.0, 21.0],
    "type": [0, 0, 0, 0, 1, 0, 0],
}


@dataclass
class Page:
    """A file of the archive, and how its server misbehaves."""

    body: bytes
    tag: str = '"1"'
    ranges: bool = True
    encoding: str = ""
    #: Bytes after which the connection breaks, or goes silent while ``held`` is not set.
    most: int | None = None
    held: threading.Event | None = None
    status: int = 200


@dataclass
class Archive:
    """What the server holds, and what it was asked for: method, path and the range's first byte."""

    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    table: Callable[[str], tuple[int, bytes]] | None = None

    def got(self, path: str) -> list[int]:
        """The first byte of each request for a file's content."""
        return [first for method, asked, first in self.asked if (method, asked) == ("GET", path)]

    def query(self, adql: str) -> tuple[int, bytes]:
        self.queries.append(adql)
        if self.table is not None:
            return self.table(adql)
        return 200, votable(adql)


def votable(adql: str, **infos: str) -> bytes:
    """The answer to a query, found with nothing but the query's own words."""
    select, where = re.fullmatch(
        r"SELECT (.*) FROM cosmos2015 WHERE type = 0 AND photoz > 0 AND \((.*)\)", adql
    ).groups()
    table = Table(ROWS)
    keep = np.zeros(len(table), bool)
    for box in re.findall(r"\(ra BETWEEN (.+?) AND (.+?) AND dec BETWEEN (.+?) AND (.+?)\)", where):
        west, east, south, north = map(float, box)
        inside = (table["ra"] >= west) & (table["ra"] <= east)
        keep |= inside & (table["dec"] >= south) & (table["dec"] <= north)
    table = table[keep & (table["type"] == 0) & (table["photoz"] > 0)]
    names = dict(re.fullmatch(r"(\w+) AS (\w+)", column).groups() for column in select.split(", "))
    answer = from_table(table[list(names)])
    for there, name in names.items():
        answer.get_first_table().get_field_by_id_or_name(there).name = name
    resource = answer.resources[0]
    resource.infos.extend(Info(name=k, value=v) for k, v in {"QUERY_STATUS": "OK", **infos}.items())
    stream = io.BytesIO()
    answer.to_xml(stream)
    return stream.getvalue()


def tile(number: int, side: int = 96, **cards: object) -> bytes:
    """A small mosaic that nothing compresses."""
    flux = np.random.default_rng(number).normal(size=(side, side)).astype(np.float32)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.cdelt = [150.1163213, 2.200973097], [-1e-4, 1e-4]
    stream = io.BytesIO()
    header = wcs.to_header()
    header.update(cards)
    fits.PrimaryHDU(flux, header).writeto(stream, checksum=True)
    return stream.getvalue()


def handler_of(archive: Archive) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.serve(content=False)

        def do_GET(self) -> None:
            self.serve(content=True)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            assert (self.path, form["LANG"], form["REQUEST"]) == (TAP, ["ADQL"], ["doQuery"])
            status, body = archive.query(form["QUERY"][0])
            self.begin(status, {"Content-Length": str(len(body))})
            self.wfile.write(body)

        def serve(self, content: bool) -> None:
            page = archive.pages.get(self.path, Page(b"", status=404))
            start = 0
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if wanted and page.ranges and self.headers.get("If-Range") == page.tag:
                start = int(wanted[1])
            archive.asked.append((self.command, self.path, start))
            body = page.body[start:]
            headers = {"Content-Length": str(len(body)), "ETag": page.tag}
            headers["Content-Encoding"] = page.encoding
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(page.body) - 1}/{len(page.body)}"
            self.begin(206 if start and page.status == 200 else page.status, headers)
            if content:
                self.wfile.write(body[: page.most])
                self.wfile.flush()
                if page.held is not None:
                    page.held.wait()

        def begin(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def write_addresses(folder: Path, base: str) -> None:
    names = {
        "acs": f"{ACS}{{tile:03d}}_{{kind}}.fits.gz",
        "subaru": f"{SUBARU}{{tile:03d}}_sci_20.fits",
    }
    lines = [f"{name}: '{base}{path}'" for name, path in {**names, "tap": "/TAP"}.items()]
    (folder / "addresses.yaml").write_text("\n".join(lines))


def words(folder: Path, *more: str) -> list[str]:
    fixed = ["--output", str(folder / "cosmos"), "--addresses", str(folder / "addresses.yaml")]
    again = ["--pause", "0", "--retries", "1"]
    return ["fetch", "cosmos", *fixed, *again, *(more or ("--tiles", "77"))]


def fetch(folder: Path, *more: str) -> int:
    return main(words(folder, *more))


def target(folder: Path, path: str) -> Path:
    below = "subaru" if "acs" not in path else "acs_weight" if "_wht" in path else "acs"
    return folder / "cosmos" / below / path.rpartition("/")[2]


def parts(folder: Path) -> list[Path]:
    return list(folder.rglob("*.part"))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]

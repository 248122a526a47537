"""fetch cosmos, against an archive on this machine that answers as IRSA does."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.io.votable.tree import Info
from astropy.table import Table
from astropy.wcs import WCS

from pellucid.archives.cosmos.tiles import TILES, tile_box, tiles_around
from pellucid.cli import main
from pellucid.data.catalogue import read_catalogue, select_ids
from pellucid.errors import InputError
from pellucid.fits import check_sums, read_image

ACS, SUBARU, TAP = "/acs/acs_I_030mas_", "/rp/subaru_rp_", "/TAP/sync"
SCI, R = f"{ACS}077_sci.fits.gz", f"{SUBARU}077_sci_20.fits"
#: Edges in deg (RA, Dec) of three tiles, from the WCS in their headers.
EDGES = {
    13: (150.725590, 150.896353, 1.457513, 1.628192),
    77: (150.058748, 150.229562, 2.290935, 2.461595),
    117: (149.391268, 149.562181, 2.790696, 2.961415),
}
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
    names = dict(re.fullmatch(r"(\w+) AS (\w+)", each).groups() for each in select.split(", "))
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


@pytest.fixture
def archive(monkeypatch, tmp_path):
    """An archive with the tiles 77 and 78, and its addresses in a file."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    archive = Archive()
    for number in (77, 78):
        for k, kind in enumerate(("sci", "wht")):
            packed = gzip.compress(tile(10 * number + k))
            archive.pages[f"{ACS}{number:03d}_{kind}.fits.gz"] = Page(packed)
        archive.pages[f"{SUBARU}{number:03d}_sci_20.fits"] = Page(tile(number))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(archive))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    write_addresses(tmp_path, base)
    yield archive
    for page in archive.pages.values():
        if page.held is not None:
            page.held.set()
    server.shutdown()
    server.server_close()


def write_addresses(folder: Path, base: str) -> None:
    names = {
        "acs": f"{ACS}{{tile:03d}}_{{kind}}.fits.gz",
        "subaru": f"{SUBARU}{{tile:03d}}_sci_20.fits",
    }
    lines = [f"{name}: '{base}{path}'" for name, path in {**names, "tap": "/TAP"}.items()]
    (folder / "addresses.yaml").write_text("\n".join(lines))


def words(folder: Path, *more: str) -> list[str]:
    fixed = ["--output", str(folder / "cosmos"), "--addresses", str(folder / "addresses.yaml")]
    return [
        "fetch",
        "cosmos",
        *fixed,
        "--pause",
        "0",
        "--retries",
        "1",
        *(more or ("--tiles", "77")),
    ]


def fetch(folder: Path, *more: str) -> int:
    return main(words(folder, *more))


def target(folder: Path, path: str) -> Path:
    below = "subaru" if "acs" not in path else "acs_weight" if "_wht" in path else "acs"
    return folder / "cosmos" / below / path.rpartition("/")[2]


def parts(folder: Path) -> list[Path]:
    return list(folder.rglob("*.part"))


def test_tiles_and_catalogue_arrive_and_are_not_fetched_again(archive, tmp_path, capsys):
    assert fetch(tmp_path, "--tiles", "077, 78", "--json") == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (report["tiles"], report["files"], report["fetched"]) == ([77, 78], 7, 7)
    assert report["failed"] == {}
    assert report["bytes"] == sum(len(page.body) for page in archive.pages.values())
    assert "7 files of 2 tiles, 7 of them" in printed.err
    manifest = read_catalogue(tmp_path / "cosmos" / "fetched.ecsv")
    listed = {str(row["file"]): row for row in manifest}
    for path, page in archive.pages.items():
        file = target(tmp_path, path)
        assert file.read_bytes() == page.body
        row = listed[f"{file.parent.name}/{file.name}"]
        assert (int(row["size"]), str(row["sha256"])) == (
            len(page.body),
            hashlib.sha256(page.body).hexdigest(),
        )
        assert str(row["origin"]).endswith(path)
    assert read_image(target(tmp_path, SCI)).flux.shape == (1, 96, 96)

    catalogue = read_catalogue(tmp_path / "cosmos" / "catalogue.ecsv")
    names = ["id", "ra", "dec", "redshift", "log_stellar_mass", "r_mag"]
    assert catalogue.colnames == names
    assert [str(name) for name in catalogue["id"]] == ["3000000001", "2", "3", "4"]
    assert tuple(catalogue[0])[1:] == (150.1, 2.35, 0.3, 10.25, 19.5)
    assert np.isnan([catalogue["log_stellar_mass"][3], catalogue["r_mag"][3]]).all()
    cut = ["redshift < 0.6", "log_stellar_mass > 9"]  # SeeingGAN's
    assert select_ids(tmp_path / "cosmos" / "catalogue.ecsv", cut) == ["3000000001", "2"]

    archive.asked.clear()
    assert fetch(tmp_path, "--tiles", "77,78") == 0
    assert fetch(tmp_path, "--region", "150.1,2.35,0.001") == 0  # 77 alone
    assert archive.asked == []
    assert len(archive.queries) == 1
    assert parts(tmp_path) == []


def test_a_killed_run_goes_on_where_it_stopped(archive, tmp_path):
    page = archive.pages[SCI]
    page.most, page.held = len(page.body) // 2, threading.Event()
    command = [sys.executable, "-m", "pellucid", *words(tmp_path)]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        while not any(part.stat().st_size for part in parts(tmp_path)):
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    (part,) = parts(tmp_path)
    have = part.stat().st_size
    assert part.read_bytes() == page.body[:have]
    assert not target(tmp_path, SCI).exists()
    page.held.set()
    page.most = page.held = None
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert archive.got(SCI) == [have]
    assert target(tmp_path, SCI).read_bytes() == page.body
    assert len(archive.queries) == 1  # the catalogue was there already
    assert parts(tmp_path) == []


def test_a_broken_connection_costs_no_byte_that_arrived(archive, tmp_path):
    page = archive.pages[SCI]
    page.most = len(page.body) * 2 // 5
    assert fetch(tmp_path, "--tiles", "77", "--retries", "2") == 0
    assert archive.got(SCI) == [0, page.most, 2 * page.most]
    assert target(tmp_path, SCI).read_bytes() == page.body


@pytest.mark.parametrize("reason", ["no ranges", "no version", "weak version", "another version"])
def test_a_part_that_may_not_be_continued_is_begun_anew(archive, tmp_path, reason):
    page = archive.pages[SCI]
    page.most = len(page.body) // 2
    if reason == "no version":
        page.tag = ""
    if reason == "weak version":
        page.tag = 'W/"1"'
    page.ranges = reason != "no ranges"
    assert fetch(tmp_path, "--tiles", "77", "--retries", "0") == 1
    assert not target(tmp_path, SCI).exists()
    page.most = None
    if reason == "another version":
        page.body, page.tag = gzip.compress(tile(5)), '"2"'
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert archive.got(SCI) == [0]
    assert target(tmp_path, SCI).read_bytes() == page.body
    assert parts(tmp_path) == []


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


DAMAGE = {
    "an error page": (SCI, lambda body: b"<html>Service Unavailable</html>"),
    "an empty file": (SCI, lambda body: b""),
    "half a gzip stream": (SCI, lambda body: body[: len(body) // 2]),
    "a flipped bit in gzip": (SCI, lambda body: flipped(body, len(body) // 2)),
    "half a mosaic in gzip": (SCI, lambda body: gzip.compress(gzip.decompress(body)[:-5760])),
    "half a mosaic": (R, lambda body: body[:-5760]),
    "a flipped bit": (R, lambda body: flipped(body, 2880 + 999)),
    "a flipped bit in the header": (R, lambda body: body.replace(b"150.1163", b"150.1164")),
}


@pytest.mark.parametrize("fault", DAMAGE)
def test_what_is_damaged_is_never_stored(archive, tmp_path, capsys, fault):
    path, damage = DAMAGE[fault]
    page = archive.pages[path]
    whole, page.body = page.body, damage(page.body)
    assert page.body != whole
    assert fetch(tmp_path, "--tiles", "77", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    file = target(tmp_path, path)
    assert list(report["failed"]) == [f"{file.parent.name}/{file.name}"]
    assert report["files"] == 3
    assert len(archive.got(path)) == 2  # it was tried again
    assert not file.exists()
    page.body = whole
    assert fetch(tmp_path) == 0
    assert file.read_bytes() == whole


def test_a_tile_that_is_missing_does_not_stop_the_others(archive, tmp_path, capsys):
    assert fetch(tmp_path, "--tiles", "77,79", "--json") == 1
    printed = capsys.readouterr()
    failed = json.loads(printed.out)["failed"]
    assert sorted(failed) == [
        "acs/acs_I_030mas_079_sci.fits.gz",
        "acs_weight/acs_I_030mas_079_wht.fits.gz",
        "subaru/subaru_rp_079_sci_20.fits",
    ]
    assert all("the archive has no such file" in reason for reason in failed.values())
    assert printed.err.count("pellucid: failed ") == 3
    asked = [path for method, path, _ in archive.asked if "_079_sci.fits" in path]
    assert len(asked) == 2  # for its size and for itself: what is not there is not tried again
    assert target(tmp_path, SCI).exists()


def test_an_archive_that_is_away_is_for_another_time(archive, tmp_path, capsys):
    for page in archive.pages.values():
        page.status = 503
    assert fetch(tmp_path) == 75
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "HTTP 503" in err
    write_addresses(tmp_path, "http://127.0.0.1:9")
    assert fetch(tmp_path) == 75
    assert "cannot be reached" in capsys.readouterr().err
    assert list((tmp_path / "cosmos").iterdir()) == []


def test_an_archive_that_goes_away_is_not_asked_for_ever(archive, tmp_path, monkeypatch):
    monkeypatch.setattr("pellucid.archives.bring.GONE", 2)
    archive.table = lambda adql: (500, b"")
    for page in archive.pages.values():
        page.most = 0
    archive.pages[SCI].status = 500
    assert fetch(tmp_path, "--tiles", "77,78") == 75
    assert not any(method == "GET" and "wht" in path for method, path, _ in archive.asked)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (["--tiles", "22"], "tile 22"),
        (["--tiles", "77,118"], "tile 118"),
        (["--tiles", "77;78"], "77,78"),
        (["--tiles", ""], "77,78"),
        (["--region", "150,2"], "RA,DEC,RADIUS"),
        (["--region", "150,2,nan"], "RA,DEC,RADIUS"),
        (["--region", "152,2,0.1"], "no tile"),
        (["--region", "330.1,-2.2,0.1"], "no tile"),
        (["--tiles", "77", "--all"], "one of --tiles"),
        (["--json"], "one of --tiles"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(
    archive, tmp_path, capsys, more, fault
):
    assert fetch(tmp_path, *more) == 2
    err = capsys.readouterr().err
    assert fault in err
    assert err.count("\n") == 1
    assert not (tmp_path / "cosmos").exists()
    assert archive.asked == []


def test_files_without_their_entries_are_checked_and_kept(archive, tmp_path):
    assert fetch(tmp_path) == 0
    before = (tmp_path / "cosmos" / "fetched.ecsv").read_text()
    (tmp_path / "cosmos" / "fetched.ecsv").unlink()
    spoiled = target(tmp_path, R)
    spoiled.write_bytes(flipped(spoiled.read_bytes(), 5000))
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert archive.got(SCI) == []
    assert archive.got(R) == [0]
    assert spoiled.read_bytes() == archive.pages[R].body
    day = r"\d{4}-\d\d-\d\dT\S+"
    assert re.sub(day, "", (tmp_path / "cosmos" / "fetched.ecsv").read_text()) == re.sub(
        day, "", before
    )


def test_a_file_that_was_deleted_or_cut_is_fetched_again(archive, tmp_path):
    assert fetch(tmp_path) == 0
    target(tmp_path, SCI).unlink()
    cut = target(tmp_path, R)
    cut.write_bytes(cut.read_bytes()[:-1])
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert {path for method, path, _ in archive.asked if method == "GET"} == {SCI, R}
    assert cut.read_bytes() == archive.pages[R].body


def test_tiles_that_are_added_later_extend_the_catalogue(archive, tmp_path):
    assert fetch(tmp_path, "--tiles", "77") == 0
    path = tmp_path / "cosmos" / "catalogue.ecsv"
    assert select_ids(path) == ["3000000001", "3", "4"]
    assert fetch(tmp_path, "--tiles", "78") == 0
    assert select_ids(path) == ["3000000001", "2", "3", "4"]


REFUSAL = (
    b'<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
    b'<RESOURCE type="results"><INFO name="QUERY_STATUS" value="ERROR">no column mass_med</INFO>'
    b"</RESOURCE></VOTABLE>"
)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (lambda adql: (200, REFUSAL), "no column mass_med"),
        (lambda adql: (400, REFUSAL), "no column mass_med"),
        (lambda adql: (200, b"<html>Maintenance</html>"), "without"),
        (lambda adql: (200, votable(adql)[:-300]), "without a table"),
        (lambda adql: (200, votable(adql).replace(b'"redshift"', b'"z"')), "without the columns"),
        (lambda adql: (200, votable(adql, QUERY_STATUS="OVERFLOW")), "ask for fewer tiles"),
        (lambda adql: (503, b""), "HTTP 503"),
    ],
)
def test_tiles_arrive_without_the_catalogue_too(archive, tmp_path, capsys, table, reason):
    archive.table = table
    assert fetch(tmp_path, "--tiles", "77", "--json") == 1
    failed = json.loads(capsys.readouterr().out)["failed"]
    assert list(failed) == ["catalogue.ecsv"]
    assert reason in failed["catalogue.ecsv"]
    assert not (tmp_path / "cosmos" / "catalogue.ecsv").exists()
    assert target(tmp_path, SCI).exists()
    archive.table = None
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert archive.asked == []  # but for the catalogue


def test_a_disk_that_is_too_small_is_told_first(archive, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    assert fetch(tmp_path) == 75
    assert "make room" in capsys.readouterr().err
    assert not any(method == "GET" for method, *_ in archive.asked)


def test_damaged_lists_and_addresses_are_bad_input(archive, tmp_path, capsys):
    assert fetch(tmp_path) == 0
    manifest = tmp_path / "cosmos" / "fetched.ecsv"
    manifest.write_text(manifest.read_text().replace("sha256", "sum"))
    assert fetch(tmp_path) == 3
    assert "delete it" in capsys.readouterr().err
    addresses = tmp_path / "addresses.yaml"
    for text in ("acs: http://127.0.0.1/tile.fits", "acss: x", "acs: '{tile:03d}{nr}'"):
        addresses.write_text(text)
        assert fetch(tmp_path) == 3
        err = capsys.readouterr().err
        assert "addresses.yaml" in err
        assert err.count("\n") == 1


def test_the_tiles_lie_where_their_headers_say():
    assert len(TILES) == 81
    for number, edges in EDGES.items():
        np.testing.assert_allclose(tile_box(number), edges, atol=3e-5)
        middle = ((edges[0] + edges[1]) / 2, (edges[2] + edges[3]) / 2)
        assert tiles_around(*middle, 0) == [number]
        # To just short of the neighbours' edges, and beyond.
        assert tiles_around(*middle, 4.8 / 60) == [number]
        assert len(tiles_around(*middle, 4.95 / 60)) == (3 if number != 77 else 5)
    assert tiles_around(150.1163, 2.2010, 1.2) == list(TILES)


def test_the_sums_are_those_of_astropy(tmp_path):
    rng = np.random.default_rng(1)
    odd = fits.ImageHDU(rng.integers(0, 255, (3, 5, 7), np.uint8), name="ODD")
    table = fits.BinTableHDU(
        Table({"x": rng.normal(size=11), "s": ["a", "bc", "def"] * 3 + ["", ""]})
    )
    packed = fits.CompImageHDU(rng.integers(0, 9, (40, 40), np.int16), compression_type="RICE_1")
    path = tmp_path / "a.fits"
    fits.HDUList([fits.PrimaryHDU(), odd, table, packed]).writeto(path, checksum=True)
    data = path.read_bytes()
    check_sums(path)
    path.write_bytes(gzip.compress(data))
    check_sums(path)
    for at in rng.integers(0, len(data), 120):
        path.write_bytes(flipped(data, at))
        with pytest.raises(InputError):
            check_sums(path)

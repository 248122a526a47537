"""fetch, against an archive on this machine that answers as SkyServer and the SAS of SDSS do."""

from __future__ import annotations

import bz2
import io
import json
import re
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from pellucid.archives.http import Client
from pellucid.archives.sdss import frames, query
from pellucid.archives.sdss.fetch import fetch_objects
from pellucid.archives.sdss.query import sample_query
from pellucid.archives.sdss.tables import open_listing
from pellucid.cli import main
from pellucid.data.catalogue import read_catalogue
from pellucid.data.folder import Cut, find_objects, read_object

# A scan as SDSS makes them, only smaller: fields of 96 rows, of which 16 are the next field's too.
WIDTH, ROWS, OVERLAP, FIRST, FIELDS = 120, 96, 16, 11, 4
STRIDE = ROWS - OVERLAP
SIZE = 32
RUN, RERUN, CAMCOL = 1000, 301, 3
SCALE = 0.396 / 3600
SKYSERVER, FRAMES = (query, "SKYSERVER"), (frames, "FRAMES")
#: Where each band's chip lies in the scan, in pixels (x, y): never on the grid of another.
SHIFT = {"g": (1.4, 3.3), "r": (0.0, 0.0), "i": (-2.35, -1.6)}


def scan_wcs(band: str) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [0.001, 2.0]  # RA 0 runs through the scan
    wcs.wcs.crpix = np.add([WIDTH / 2, STRIDE * FIELDS / 2], SHIFT[band])
    # Rows run along RA, as in SDSS, and a little askew.
    wcs.wcs.cd = SCALE * np.array([[0.02, 1.0], [1.0, -0.02]])
    wcs.wcs.set()
    return wcs


@dataclass
class Source:
    """A galaxy at (x, y) of the scan in r, listed under the field that it is primary in."""

    id: str
    x: float
    y: float
    z: float = 0.015
    listed: int | None = None

    @property
    def field(self) -> int:
        return self.listed or FIRST + min(max(int((self.y - OVERLAP / 2) // STRIDE), 0), FIELDS - 1)

    @property
    def sky(self) -> SkyCoord:
        sky = scan_wcs("r").pixel_to_world(self.x, self.y)
        assert isinstance(sky, SkyCoord)
        return sky


@dataclass
class Archive:
    """What the server holds, what it was asked for, and how it misbehaves."""

    sources: list[Source]
    asked: list[str] = field(default_factory=list)
    #: By a part of the path: what happens to the answer, given how often it was asked for.
    faults: dict[str, Callable[[bytes, int], tuple[int, bytes]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scans = {band: self._scan(band, k) for k, band in enumerate("gri")}

    def frames_asked(self) -> list[str]:
        return [path for path in self.asked if "/frames/" in path]

    def answer(self, target: str) -> tuple[int, bytes]:
        url = urlsplit(target)
        self.asked.append(url.path)
        status, body = self._content(url.path, parse_qs(url.query))
        for part, fault in self.faults.items():
            if part in url.path:
                return fault(body, self.asked.count(url.path))
        return status, body

    def _content(self, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        if path == "/dr12/en/tools/search/x_results.aspx":
            assert query["format"] == ["csv"]
            return 200, self._table(query["cmd"][0])
        match = re.fullmatch(
            r"/sas/dr12/boss/photoObj/frames/(\d+)/(\d+)/(\d)/"
            r"frame-([gri])-(\d{6})-(\d)-(\d{4})\.fits\.bz2",
            path,
        )
        if not match or not FIRST <= int(match[7]) < FIRST + FIELDS:
            return 404, b"<html>Not Found</html>"
        assert (int(match[1]), int(match[2]), int(match[3])) == (RERUN, RUN, CAMCOL)
        return 200, bz2.compress(self.frame(match[4], int(match[7])))

    def _table(self, sql: str) -> bytes:
        conditions = ("s.class = 'GALAXY'", "s.zWarning = 0", "PhotoPrimary", "order by p.objID")
        assert all(text in sql for text in conditions)
        low, high = (float(re.search(rf"s\.z {sign} (\S+)", sql)[1]) for sign in "><")
        chosen = [source for source in self.sources if low < source.z < high]
        top = re.search(r"select top (\d+) ", sql)
        lines = ["#Table1", "id,ra,dec,z,run,rerun,camcol,field"]
        for source in chosen[: int(top[1]) if top else None]:
            sky = source.sky
            where = f"{float(sky.ra.deg)!r},{float(sky.dec.deg)!r}"
            lines.append(f"{source.id},{where},{source.z},{RUN},{RERUN},{CAMCOL},{source.field}")
        return "\n".join(lines).encode() + b"\n"

    def _scan(self, band: str, seed: int) -> np.ndarray:
        """White noise and a Gaussian of sigma 2 pixels at each source."""
        height = STRIDE * FIELDS + OVERLAP
        flux = np.random.default_rng(seed).normal(0, 0.02, (height, WIDTH))
        y, x = np.mgrid[:height, :WIDTH]
        for source in self.sources:
            at = scan_wcs(band).world_to_pixel(source.sky)
            flux += 10 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 8)
        return flux.astype(np.float32)

    def frame(self, band: str, number: int, **cards: object) -> bytes:
        start = (number - FIRST) * STRIDE
        wcs = scan_wcs(band)
        # Each field has a tangent point of its own.
        center = wcs.pixel_to_world(WIDTH / 2, start + ROWS / 2)
        wcs.wcs.crval = [center.ra.deg, center.dec.deg]
        wcs.wcs.crpix = [WIDTH / 2 + 1, ROWS / 2 + 1]
        header = wcs.to_header()
        header.update(BUNIT="nanomaggy", FILTER=band, RUN=RUN, CAMCOL=CAMCOL, FRAME=number)
        header.update(RERUN=str(RERUN), RA=17.0, **cards)
        calibration = fits.ImageHDU(np.ones(WIDTH, np.float32))
        sky = fits.BinTableHDU.from_columns([fits.Column("ALLSKY", "4E", array=np.ones((1, 4)))])
        image = fits.PrimaryHDU(self.scans[band][start : start + ROWS], header)
        stream = io.BytesIO()
        fits.HDUList([image, calibration, sky]).writeto(stream)
        return stream.getvalue()


def source_in(number: int, x: float, y: float, serial: int = 1) -> Source:
    """A galaxy at (x, y) of a field."""
    digits = f"12376{number:05d}{serial:09d}"
    return Source(digits, x, (number - FIRST) * STRIDE + y)


@pytest.fixture
def serve(monkeypatch):
    """Serves an archive, which then is the survey's."""
    servers: list[ThreadingHTTPServer] = []
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def start(sources: list[Source]) -> Archive:
        archive = Archive(sources)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = archive.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        base = f"http://127.0.0.1:{server.server_port}"
        for name in (SKYSERVER, FRAMES):
            url = base + urlsplit(getattr(*name)).path
            monkeypatch.setattr(*name, url)
        return archive

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def fetch(folder: Path, *more: str) -> int:
    words = ["fetch", "sdss", "--output", str(folder), "--size", str(SIZE)]
    return main([*words, "--pause", "0", "--retries", "1", *more])


def expected(archive: Archive, source: Source, band: str) -> np.ndarray:
    """The window of the whole scan around a source in r, and the pixels nearest to it in a band."""
    half = (SIZE - 1) / 2
    left, bottom = (round(float(v) - half) for v in scan_wcs("r").world_to_pixel(source.sky))
    middle = scan_wcs("r").pixel_to_world(left + half, bottom + half)
    left, bottom = (round(float(v) - half) for v in scan_wcs(band).world_to_pixel(middle))
    return archive.scans[band][bottom : bottom + SIZE, left : left + SIZE]


def reasons_in(folder: Path) -> dict[str, str]:
    table = read_catalogue(folder / "rejected.ecsv")
    return {str(row["id"]): str(row["reason"]) for row in table}


def test_the_sample_arrives_with_each_galaxy_in_the_middle_of_each_band(serve, tmp_path, capsys):
    sources = [source_in(12, 50.3, 40.6), source_in(12, 88.1, 48.2, 2), source_in(13, 60.3, 44.9)]
    archive = serve(sources)
    folder = tmp_path / "sdss"
    assert fetch(folder, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["objects"], report["rejected"], report["failed"]) == (3, {}, {})
    assert {path.name for path in folder.iterdir()} == {
        "catalogue.ecsv", "rejected.ecsv", *(source.id for source in sources)
    }  # fmt: skip
    assert len(archive.frames_asked()) == 6  # two fields in three bands, however many galaxies
    y, x = np.mgrid[:SIZE, :SIZE]
    for source in sources:
        files = sorted((folder / source.id).iterdir())
        assert [path.name for path in files] == [f"{source.id}-{band}.fits" for band in "gir"]
        for path, band in zip(files, "gir", strict=True):
            with fits.open(path, checksum=True) as hdus:
                flux, header = hdus[0].data, hdus[0].header
            np.testing.assert_array_equal(flux, expected(archive, source, band))
            weight = np.where(np.hypot(x - (SIZE - 1) / 2, y - (SIZE - 1) / 2) < 9, flux, 0)
            centroid = [(weight * axis).sum() / weight.sum() for axis in (x, y)]
            # The nearest pixel in r; the other bands are half a pixel off that at most.
            away = 0.55 if band == "r" else 1.05
            assert np.abs(np.subtract(centroid, (SIZE - 1) / 2)).max() < away
            apart = np.subtract(centroid, WCS(header).world_to_pixel(source.sky))
            assert np.abs(apart).max() < 0.55
            cards = (header["BUNIT"], header["FILTER"], header["OBJID"], header["FIELD"])
            assert cards == ("nanomaggy", band, source.id, source.field)
            assert (header["RUN"], header["CAMCOL"], header["Z"]) == (RUN, CAMCOL, source.z)
            # The band's own WCS points at the light, better than the pixels can.
            own = WCS(header, key="A").world_to_pixel(source.sky)
            np.testing.assert_allclose(own, centroid, atol=0.05)
            shared = WCS(header).world_to_pixel(source.sky)
            assert np.abs(np.subtract(shared, (SIZE - 1) / 2)).max() < 0.51


def test_what_was_fetched_is_what_the_study_reads(serve, tmp_path):
    archive = serve([source_in(12, 50.3, 40.6)])
    assert fetch(tmp_path / "sdss") == 0
    objects = find_objects(tmp_path / "sdss")
    assert list(objects) == [archive.sources[0].id]
    image = read_object(objects[archive.sources[0].id], Cut(bands=("g", "r", "i"), size=SIZE))
    assert (image.shape, image.bands, image.unit) == ((3, SIZE, SIZE), ("g", "r", "i"), "nanomaggy")
    assert image.pixel_scale == pytest.approx(0.396, rel=1e-3)
    for plane, band in zip(image.flux, "gri", strict=True):
        np.testing.assert_array_equal(plane, expected(archive, archive.sources[0], band))


def test_the_catalogue_keeps_every_digit(serve, tmp_path):
    serve([source_in(12, 50, 40)])
    assert fetch(tmp_path) == 0
    (row,) = read_catalogue(tmp_path / "catalogue.ecsv")
    assert str(row["id"]) == "1237600012000000001"
    assert [int(row[name]) for name in ("run", "rerun", "camcol", "field")] == [1000, 301, 3, 12]
    assert row["ra"] == source_in(12, 50, 40).sky.ra.deg
    assert row["z"] == 0.015


@pytest.mark.parametrize(("y", "neighbour"), [(90.4, 13), (6.9, 11)])
def test_a_galaxy_at_the_end_of_its_field_goes_on_in_the_next(serve, tmp_path, y, neighbour):
    source = source_in(12, 60.2, y)
    source.listed = 12  # even where the other field would show more of it
    archive = serve([source])
    assert fetch(tmp_path) == 0
    asked = {int(path[-13:-9]) for path in archive.frames_asked()}
    assert asked == {12, neighbour}
    for band in "gri":
        flux = fits.getdata(tmp_path / source.id / f"{source.id}-{band}.fits")
        np.testing.assert_array_equal(flux, expected(archive, source, band))


def test_a_neighbour_that_does_not_line_up_is_not_stitched(serve, tmp_path, monkeypatch):
    archive = serve([source_in(12, 60.2, 85.4)])
    shifted = Archive.frame

    def frame(self, band, number):
        data = shifted(self, band, number)
        if number == 12:
            return data
        with fits.open(io.BytesIO(data)) as hdus:
            hdus[0].header["CRPIX1"] += 0.5
            stream = io.BytesIO()
            hdus.writeto(stream)
        return stream.getvalue()

    monkeypatch.setattr(Archive, "frame", frame)
    assert fetch(tmp_path) == 0
    assert "line up" in reasons_in(tmp_path)[archive.sources[0].id]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (source_in(12, 12, 40), "left or right edge"),
        (source_in(12, WIDTH - 12, 40), "left or right edge"),
        (source_in(11, 60, 9), "no field 10"),
    ],
)
def test_what_the_survey_does_not_show_is_rejected_with_its_reason(serve, tmp_path, source, reason):
    whole = source_in(13, 60, 40)
    archive = serve([source, whole])
    assert fetch(tmp_path) == 0
    assert reason in reasons_in(tmp_path)[source.id]
    assert [str(row["id"]) for row in read_catalogue(tmp_path / "catalogue.ecsv")] == [whole.id]
    assert list(find_objects(tmp_path)) == [whole.id]
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert archive.asked == []  # nor is it tried again


def test_a_second_run_asks_for_what_is_missing_only(serve, tmp_path, capsys):
    sources = [source_in(12, 50, 40), source_in(13, 50, 40), source_in(14, 50, 40)]
    archive = serve(sources)
    assert fetch(tmp_path) == 0
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert archive.asked == []
    (tmp_path / sources[0].id / f"{sources[0].id}-r.fits").unlink()
    damaged = tmp_path / sources[2].id / f"{sources[2].id}-g.fits"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-4000] + bytes([whole[-4000] ^ 1]) + whole[-3999:])
    capsys.readouterr()
    assert fetch(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["fetched"] == 2
    assert {int(path[-13:-9]) for path in archive.asked} == {12, 14}
    assert damaged.read_bytes() == whole


def test_an_interrupted_run_goes_on_where_it_stopped(serve, tmp_path, capsys):
    sources = [source_in(12, 50, 40), source_in(13, 50, 40)]
    archive = serve(sources)

    client = Client(retries=0, pause=0)
    listing = open_listing(client, tmp_path, sample_query(0.01, 0.02), SIZE)
    objects = fetch_objects(client, listing, SIZE)
    assert next(objects).id == sources[0].id
    with pytest.MonkeyPatch.context() as patch:
        calls = []

        def download(_, name, band):
            calls.append(band)
            if len(calls) == 3:
                raise KeyboardInterrupt
            path = "/sas/dr12/boss/photoObj/frames/301/1000/3/"
            packed = archive.answer(f"{path}frame-{band}-001000-3-{name.number:04d}.fits.bz2")[1]
            return bz2.decompress(packed)

        patch.setattr("pellucid.archives.sdss.frames.download_frame", download)
        with pytest.raises(KeyboardInterrupt):
            list(objects)
    assert list(find_objects(tmp_path)) == [sources[0].id]
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    # Neither the query nor the galaxy that was there nor the two frames that had arrived.
    assert [path.rpartition("/")[2] for path in archive.asked] == ["frame-i-001000-3-0013.fits.bz2"]
    assert sorted(find_objects(tmp_path)) == [source.id for source in sources]
    assert not (tmp_path / ".frames").exists()


def test_ctrl_c_leaves_the_command_with_130(serve, tmp_path, monkeypatch):
    serve([source_in(12, 50, 40)])

    def download(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pellucid.archives.sdss.frames.download_frame", download)
    assert fetch(tmp_path) == 130


def test_a_server_that_fails_once_costs_a_retry(serve, tmp_path):
    archive = serve([source_in(12, 50, 40)])
    for part in ("x_results", "frame-r"):
        archive.faults[part] = lambda body, count: (503, b"") if count == 1 else (200, body)
    assert fetch(tmp_path) == 0
    assert len(archive.asked) == 6  # the query and three frames, two of them twice
    assert len(find_objects(tmp_path)) == 1


ERROR_PAGE = b"<!doctype html><html><body>Service Unavailable</body></html>"
DAMAGE = {
    "an error page": lambda body: ERROR_PAGE,
    "an error page in bzip2": lambda body: bz2.compress(ERROR_PAGE),
    "cut off": lambda body: body[: len(body) // 2],
    "cut off inside": lambda body: bz2.compress(bz2.decompress(body)[: -2880 * 3]),
    "a flipped bit": lambda body: body[:900] + bytes([body[900] ^ 4]) + body[901:],
    "empty": lambda body: b"",
    "another band": lambda body: bz2.compress(
        bz2.decompress(body).replace(b"FILTER  = 'r ", b"FILTER  = 'z ")
    ),
    "another unit": lambda body: bz2.compress(
        bz2.decompress(body).replace(b"'nanomag", b"'micromg")
    ),
}


@pytest.mark.parametrize("fault", DAMAGE)
def test_what_is_no_frame_is_never_stored(serve, tmp_path, capsys, fault):
    bad, good = source_in(12, 50, 40), source_in(13, 50, 40)
    archive = serve([bad, good])
    archive.faults["frame-r-001000-3-0012"] = lambda body, _: (200, DAMAGE[fault](body))
    assert fetch(tmp_path, "--json") == 1
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert list(report["failed"]) == [bad.id]
    assert report["objects"] == 1
    assert f"failed {bad.id}: " in printed.err
    assert sum("frame-r-001000-3-0012" in path for path in archive.asked) == 2  # it was retried
    assert list(find_objects(tmp_path)) == [good.id]
    assert not (tmp_path / ".frames").exists()
    archive.faults.clear()
    assert fetch(tmp_path) == 0
    assert sorted(find_objects(tmp_path)) == [bad.id, good.id]


def test_a_checksum_that_a_frame_carries_is_held_against_it(serve, tmp_path):
    archive = serve([source_in(12, 50, 40)])
    archive.faults["frame-r"] = lambda body, _: (200, bz2.compress(summed(bz2.decompress(body))))
    assert fetch(tmp_path / "good") == 0

    def spoiled(body: bytes, _: int) -> tuple[int, bytes]:
        data = bytearray(summed(bz2.decompress(body)))
        data[2880 * 4 + 100] ^= 1
        return 200, bz2.compress(bytes(data))

    archive.faults["frame-r"] = spoiled
    assert fetch(tmp_path / "bad") == 1


def summed(data: bytes) -> bytes:
    stream = io.BytesIO()
    with fits.open(io.BytesIO(data)) as hdus:
        hdus.writeto(stream, checksum=True)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["../x", "..", "/etc/x", "12a", "", "-5", "1e18", "x\x1b[31m"])
def test_a_hostile_id_never_becomes_a_path(serve, tmp_path, name):
    good = source_in(12, 50, 40)
    serve([Source(name, 60, 40), good])
    folder = tmp_path / "deep" / "sdss"
    assert fetch(folder) == 0
    assert list(find_objects(folder)) == [good.id]
    assert {path.name for path in folder.iterdir()} == {"catalogue.ecsv", "rejected.ecsv", good.id}
    assert [path.name for path in folder.parent.iterdir()] == ["sdss"]
    ((kept, reason),) = reasons_in(folder).items()
    assert "no number" in reason
    assert kept.isprintable()


def test_limit_takes_the_first(serve, tmp_path):
    archive = serve([source_in(number, 50, 40) for number in (12, 13, 14)])
    assert fetch(tmp_path, "--limit", "2") == 0
    assert list(find_objects(tmp_path)) == [source.id for source in archive.sources[:2]]
    assert fetch(tmp_path) == 0  # another sample: the query is another, the galaxies are not
    assert len(find_objects(tmp_path)) == 3
    assert len(archive.frames_asked()) == 9


def test_the_redshifts_choose(serve, tmp_path):
    near, far = source_in(12, 50, 40), source_in(13, 50, 40)
    far.z = 0.03
    serve([near, far])
    assert fetch(tmp_path / "a") == 0
    assert list(find_objects(tmp_path / "a")) == [near.id]
    assert fetch(tmp_path / "b", "--z-min", "0.02", "--z-max", "0.04") == 0
    assert list(find_objects(tmp_path / "b")) == [far.id]
    assert fetch(tmp_path / "c", "--z-min", "0.5", "--z-max", "0.6") == 3
    assert fetch(tmp_path / "d", "--z-min", "0.6", "--z-max", "0.5") == 2
    assert fetch(tmp_path / "d", "--z-min", "nan") == 2


def test_nothing_reachable_is_for_another_time(serve, tmp_path, capsys, monkeypatch):
    serve([source_in(12, 50, 40)])
    monkeypatch.setattr(*SKYSERVER, "http://127.0.0.1:9")
    assert fetch(tmp_path) == 75
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.glob("*.ecsv")) == []


@pytest.mark.parametrize(
    "body",
    [
        ERROR_PAGE,
        b"",
        b"#Table1\nerror_message\nIncorrect syntax",
        b"#Table1\nid,ra,dec,z,run\n1,2",
    ],
)
def test_a_query_without_a_table_is_for_another_time(serve, tmp_path, capsys, body):
    archive = serve([source_in(12, 50, 40)])
    archive.faults["x_results"] = lambda *_: (200, body)
    assert fetch(tmp_path) == 75
    assert capsys.readouterr().err.count("\n") == 1
    archive.faults["x_results"] = lambda body, _: (200, body[:-12])  # cut off in its last row
    assert fetch(tmp_path) == 75
    assert list(tmp_path.glob("*.ecsv")) == []
    archive.faults.clear()
    assert fetch(tmp_path) == 0


def test_frames_that_nobody_serves_are_for_another_time(serve, tmp_path, capsys, monkeypatch):
    archive = serve([source_in(number, 50, 40) for number in (12, 13)])
    with monkeypatch.context() as patch:
        patch.setattr(*FRAMES, "http://127.0.0.1:9")
        assert fetch(tmp_path) == 75
    assert "cannot be reached" in capsys.readouterr().err
    assert fetch(tmp_path) == 0
    assert sum("x_results" in path for path in archive.asked) == 1


def test_one_field_out_of_reach_does_not_stop_the_others(serve, tmp_path, capsys):
    archive = serve([source_in(number, 50, 40) for number in (11, 12, 13)])
    archive.faults["0012.fits"] = lambda *_: (500, b"")
    assert fetch(tmp_path, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert list(report["failed"]) == [archive.sources[1].id]
    assert "HTTP 500" in report["failed"][archive.sources[1].id]
    assert len(find_objects(tmp_path)) == 2
    # A frame that failed is not asked for again for the next band or the next galaxy.
    assert sum("0012.fits" in path for path in archive.asked) == 2


def test_an_archive_that_goes_away_is_not_asked_for_ever(serve, tmp_path, monkeypatch):
    archive = serve([source_in(number, x, 40, x) for number in (11, 12, 13) for x in (40, 60)])
    monkeypatch.setattr("pellucid.archives.bring.GONE", 2)
    archive.faults["frame-"] = lambda *_: (500, b"")
    assert fetch(tmp_path) == 75
    assert not any("0013.fits" in path for path in archive.asked)


def test_another_size_is_another_answer(serve, tmp_path):
    edge = source_in(12, 14, 40)
    serve([edge])
    assert fetch(tmp_path) == 0
    assert list(reasons_in(tmp_path)) == [edge.id]
    assert fetch(tmp_path, "--size", "24") == 0
    assert reasons_in(tmp_path) == {}
    assert fits.getdata(tmp_path / edge.id / f"{edge.id}-g.fits").shape == (24, 24)


def test_without_the_extra_the_error_names_the_extra(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvo", None)
    assert fetch(tmp_path / "new") == 2
    assert "pip install 'pellucid[fetch]'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_catalogue_that_is_none_is_bad_input(serve, tmp_path, capsys):
    archive = serve([source_in(12, 50, 40)])
    assert fetch(tmp_path) == 0
    path = tmp_path / "catalogue.ecsv"
    path.write_text(path.read_text().replace(archive.sources[0].id, "../x"))
    shutil.rmtree(tmp_path / archive.sources[0].id)
    assert fetch(tmp_path) == 3
    assert "catalogue.ecsv" in capsys.readouterr().err

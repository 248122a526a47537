"""An archive on this machine that answers as SkyServer and the SAS of SDSS do."""

from __future__ import annotations

import bz2
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from pellucid.archives.sdss import frames, sample
from pellucid.cli import main
from pellucid.data.catalogue import read_catalogue
from pellucid.optics import INSTRUMENTS

# A scan as SDSS makes them, only smaller: fields of 96 rows, of which 16 are the next field's too.
WIDTH, ROWS, OVERLAP, FIRST, FIELDS = 120, 96, 16, 11, 4
STRIDE = ROWS - OVERLAP
SIZE = 32
RUN, RERUN, CAMCOL = 1000, 301, 3
SCALE = INSTRUMENTS["sdss"].pixel_scale / 3600
SKYSERVER, FRAMES = (sample, "SKYSERVER"), (frames, "FRAMES")
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


def handler_of(archive: Archive) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = archive.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


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

"""One large image restored from file to file: its time beside that of its pieces, and its memory.

    python benchmarks/bench_mosaic.py [SIDE …] [--data FOLDER] [--psf FWHM] [--scale ARCSEC]
                                       [--model NAME | --method NAME] [--at-once] [--keep FOLDER]

A field of SIDE × SIDE pixels is written a strip at a time: noise, and galaxies out of the FITS
files of a folder, or round ones. `pellucid restore` runs on it in a process of its own, and piece
by piece whatever the size, or with --at-once never. The time of its pieces is that of some of them,
restored one after the other in another process, times their number. --keep leaves the field and
what became of it in a folder, for `seams.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.signal.windows import tukey

#: Pieces that are timed; side of a stamp; one galaxy so many pixels.
TIMED, STAMP, SPACING = 3, 61, 120**2

PIECES = """
import json, sys, time
from pellucid import load_restorer
from pellucid.fits import open_field
from pellucid.restoration.field_sky import flattened, measured_sky
from pellucid.restoration.places import places
source, model, method, psf, timed = sys.argv[1:]
with open_field(source) as field:
    sky = measured_sky(field)
    pieces = load_restorer(model or None, method=method or None).pieces(field, sky, psf=float(psf))
    where = places(field.frame.shape[1:], pieces.core, pieces.halo)
    middle = len(where) // 2
    some = where[middle : middle + int(timed)]
    started = time.perf_counter()
    for place in some:
        flat, *_ = flattened(field.window(*place.window), sky, *place.window)
        pieces.restore(flat, place)
    print(json.dumps([(time.perf_counter() - started) / len(some), len(where)]))
"""

RESTORE = """
import sys
from pellucid.cli import main
from pellucid.restoration import pieces
pieces.LARGE = int(sys.argv[1])
sys.exit(main(sys.argv[2:]))
"""


def stamps(folder: Path | None, rng: np.random.Generator) -> list[np.ndarray]:
    """Galaxies whose brightest pixel is 1, from files or round ones, that fade out at the edge."""
    fade = np.outer(*2 * [tukey(STAMP, 0.5)]).astype("f4")
    found = []
    for path in sorted(folder.rglob("*.fits*"))[:200] if folder else ():
        with fits.open(path) as opened:
            planes = [h.data for h in opened if h.data is not None and np.ndim(h.data) >= 2]
        for plane in planes[:1]:
            plane = np.nan_to_num(plane.reshape(-1, *plane.shape[-2:])[0].astype("f4"))
            if min(plane.shape) >= STAMP:
                y, x = ((side - STAMP) // 2 for side in plane.shape)
                plane = fade * (plane - np.median(plane))[y : y + STAMP, x : x + STAMP]
                found.append(plane / max(float(plane.max()), 1e-9))
    y, x = np.mgrid[:STAMP, :STAMP] - STAMP // 2
    widths = rng.uniform(2.0, 9.0, 0 if found else 50)
    return found or [fade * np.exp(-(y**2 + x**2) / (2 * w**2)).astype("f4") for w in widths]


def write_field(path: Path, side: int, folder: Path | None, scale: float) -> None:
    """A plain FITS file, a strip of the height of a stamp at a time."""
    rng = np.random.default_rng(0)
    galaxies = stamps(folder, rng)
    header = fits.PrimaryHDU(np.zeros((1, 1), ">f4")).header
    header["NAXIS1"] = header["NAXIS2"] = side
    header["PIXSCALE"], header["BUNIT"], header["FILTER"] = scale, "adu", "i"
    with path.open("wb") as stream:
        stream.write(header.tostring().encode())
        for first in range(0, side, STAMP):
            strip = rng.standard_normal((min(STAMP, side - first), side), dtype=np.float32)
            strip += 10.0 + 5.0 * first / side
            if len(strip) == STAMP:
                for _ in range(STAMP * side // SPACING):
                    place = int(rng.integers(0, side - STAMP))
                    galaxy = galaxies[int(rng.integers(len(galaxies)))]
                    strip[:, place : place + STAMP] += rng.lognormal(3.0, 1.2) * galaxy
            stream.write(strip.astype(">f4").tobytes())
        stream.write(b"\0" * (-(4 * side * side) % 2880))


def pieces_of(
    source: Path, model: str, method: str, psf: float, **environment: str
) -> tuple[float, int]:
    """Seconds of one piece of a field's middle, in a process of its own, and how many there are."""
    words = [sys.executable, "-c", PIECES, source, model, method, psf, TIMED]
    known = os.environ | environment
    done = subprocess.run(list(map(str, words)), capture_output=True, check=True, env=known)
    seconds, count = json.loads(done.stdout)
    return seconds, count


def peak_of(command: list[str]) -> float:
    """The most memory, in MB, that a command of its own took, where it ended well."""
    with subprocess.Popen(command) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sides", nargs="*", type=int, default=[5000])
    parser.add_argument("--data", type=Path)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--model", default="pellucid")
    way.add_argument("--method", help="a classical method instead, such as wiener")
    parser.add_argument("--psf", type=float, default=2.4)
    parser.add_argument("--scale", type=float, default=0.4)
    parser.add_argument("--at-once", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as passing:
        place = options.keep or Path(passing)
        place.mkdir(parents=True, exist_ok=True)
        for side in options.sides:
            source, target = place / f"field-{side}.fits", place / f"restored-{side}.fits"
            write_field(source, side, options.data, options.scale)
            model, method = ("", options.method) if options.method else (options.model, "")
            a_piece, count = pieces_of(source, model, method, options.psf)
            words = ["--method", method] if method else ["--model", model]
            words += ["--psf", options.psf, "--output", target]
            started = time.perf_counter()
            large = 2**62 if options.at_once else 1
            command = [sys.executable, "-c", RESTORE, large, "restore", source, *words]
            command.append("--overwrite")
            peak = peak_of(list(map(str, command)))
            clock = time.perf_counter() - started
            print(
                f"{side} × {side}: {clock:.0f} s, {clock / (count * a_piece):.2f} times its "
                f"{count} pieces of {a_piece:.2f} s; at most {peak:.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""Many images by one command: processor time an image, one and two workers, beside one call each.

    python benchmarks/bench_survey.py [IMAGES [SIDE]]

Ratios are of processor time, which other work on the machine moves less than the clock.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from skimage.data import hubble_deep_field

from pellucid.stretch import GalaxyGANStretch

WAYS = (
    ("--method", "wiener", "--psf", "1.2"),
    ("--model", "galaxygan-sdss"),
    ("--model", "pellucid", "--psf", "1.2"),
)


def make_cutouts(folder: Path, count: int, side: int) -> None:
    """Cutouts of the Hubble Deep Field in g, r and i, a file each."""
    value = np.moveaxis(hubble_deep_field(), -1, 0)[::-1] / np.float32(255)
    flux = GalaxyGANStretch().inverse(value)
    rng = np.random.default_rng(1)
    for k in range(count):
        y, x = (rng.integers(0, length - side) for length in flux.shape[1:])
        for band, plane in zip("gri", flux[:, y : y + side, x : x + side], strict=True):
            cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150 + k / 100}
            cards |= {"CRVAL2": 2.0, "CRPIX1": side / 2, "CRPIX2": side / 2}
            cards |= {"CDELT1": -0.396 / 3600, "CDELT2": 0.396 / 3600}
            cards |= {"BUNIT": "nanomaggy", "FILTER": band}
            fits.PrimaryHDU(plane, fits.Header(cards)).writeto(folder / f"n{k:05d}-{band}.fits")


def spent(*words: object) -> tuple[float, float]:
    """Processor time and time by the clock of a command, seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "pellucid", "restore", *map(str, words)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    clock = time.perf_counter() - started
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, clock


def main(count: int = 200, side: int = 112) -> None:
    with tempfile.TemporaryDirectory() as place:
        inputs = Path(place, "in")
        inputs.mkdir()
        make_cutouts(inputs, count, side)
        first = sorted(inputs.glob("n00000-*"))
        for way in WAYS:
            name, *_ = (word for word in way if not word.startswith("--"))
            alone, _ = spent(*first, *way, "--output", Path(place, f"{name}.fits"))
            print(f"{name}: one call {1e3 * alone:.0f} ms", end="")
            for workers in (1, 2):
                output = Path(place, f"{name}-{workers}")
                cpu, clock = spent(inputs, *way, "--workers", workers, "--output", output)
                print(f"; {workers} workers {1e3 * cpu / count:.1f} ms an image", end="")
                print(f" ({count / clock:.1f} a second, {alone * count / cpu:.0f}×)", end="")
            print(flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""The page: how long it takes to make and to open, and how large it is.

    python benchmarks/bench_view.py [FOLDER]

One restoration of 512×512 pixels in three bands, and 300 of 112×112, with input, residual,
uncertainty and doubt, as `pellucid restore` writes them; kept in FOLDER, where it is named. Where
chromium and chromedriver are on PATH, also how long a browser takes to the first picture.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.ndimage import gaussian_filter
from skimage.data import hubble_deep_field

SIDE, SMALL, COUNT = 512, 112, 300
PSF = ("--psf", "2.4")


def make_inputs(folder: Path) -> tuple[Path, Path]:
    """A field of the Hubble Deep Field, blurred and noisy, and cutouts of it."""
    sky = np.moveaxis(hubble_deep_field()[100 : 100 + SIDE, 100 : 100 + SIDE], -1, 0)[::-1]
    rng = np.random.default_rng(0)
    cube = np.stack([gaussian_filter(plane.astype(float), 2.6) / 20 for plane in sky])
    cube = (cube + rng.normal(0, 0.15, cube.shape)).astype("f4")
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 189.2, "CRVAL2": 62.2}
    cards |= {"CRPIX1": 256.0, "CRPIX2": 256.0, "CDELT1": -1.1e-4, "CDELT2": 1.1e-4}
    cards |= {"BUNIT": "nanomaggy"}

    def write(path: Path, planes: np.ndarray) -> None:
        hdus = [
            fits.ImageHDU(plane, fits.Header(cards), name=band)
            for band, plane in zip("gri", planes, strict=True)
        ]
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)

    field, cutouts = folder / "field.fits", folder / "cutouts"
    write(field, cube)
    cutouts.mkdir()
    for k in range(COUNT):
        y, x = rng.integers(0, SIDE - SMALL, 2)
        write(cutouts / f"galaxy-{k:03d}.fits", cube[:, y : y + SMALL, x : x + SMALL])
    return field, cutouts


def run(*words: object) -> tuple[float, float]:
    """Seconds of the clock, and of the processors, of a command."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "pellucid", *map(str, words)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return time.perf_counter() - started, spent


def opening(page: Path) -> float | None:
    """Seconds until a browser has drawn a page's first picture; None without a browser."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (browser and driver):
        return None
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in ("headless=new", "no-sandbox", "disable-gpu", "window-size=1400,900"):
        options.add_argument(f"--{word}")
    window = webdriver.Chrome(options=options, service=Service(driver))
    try:
        started = time.perf_counter()
        window.get(page.as_uri())
        there = "return view !== null || document.querySelectorAll('.thumb.drawn').length > 0"
        while not window.execute_script(there):
            time.sleep(0.01)
        return time.perf_counter() - started
    finally:
        window.quit()


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        field, cutouts = make_inputs(folder)
        run("restore", field, *PSF, "--output", folder / "one.fits")
        run("restore", cutouts, *PSF, "--output", folder / "many")
        print("| page | seconds | processor s | MB | opens in s |")
        print("|---|---:|---:|---:|---:|")
        for name, shown in ((f"one of {SIDE}²", "one.fits"), (f"{COUNT} of {SMALL}²", "many")):
            page = folder / f"{shown}.html"
            clock, spent = run("view", folder / shown, "--output", page)
            opened = opening(page)
            seen = "" if opened is None else f"{opened:.2f}"
            size = page.stat().st_size / 1e6
            print(f"| {name} | {clock:.2f} | {spent:.2f} | {size:.1f} | {seen} |")


if __name__ == "__main__":
    main()

"""1,000 pairs from two mosaics of 10,000×10,000 pixels, on the command line.

    python benchmarks/bench_pairs.py [--quick] [--workers 2] [--json] [--folder DIR]

The mosaics (0.05 and 0.2 arcsec per pixel, 400 MB each) and a catalogue of 1,000 galaxies with
their R90 are written to a temporary folder first. What a user would write instead stands beside it:
`astropy.nddata.Cutout2D` out of a memory-mapped file and `scipy.ndimage.zoom` to the same 256×256
grid, in one process, into the same kind of file; it conserves no flux, subtracts no sky and
registers nothing. Each is a new process. Memory is the largest process's, times their number.
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
from astropy.table import Table
from astropy.wcs import WCS

RA, DEC = 150.1, 2.2
SCALES = {"sharp": 0.05, "blurred": 0.2}
FWHM = {"sharp": 0.1, "blurred": 0.7}

SELECTION = (
    "{max_redshift: null, min_log_stellar_mass: null, classes: null, balance: false, count: null}"
)

BY_HAND = """
import sys
import h5py, numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.table import Table
from astropy.wcs import WCS
from scipy.ndimage import zoom
table = Table.read(sys.argv[3], format="ascii.csv")
with h5py.File(sys.argv[4], "w") as file:
    for name, path in zip(("sharp", "blurred"), sys.argv[1:3], strict=True):
        out = file.create_dataset(name, (len(table), 256, 256), "f4", chunks=(1, 256, 256),
                                  compression="lzf", shuffle=True, fletcher32=True)
        with fits.open(path, memmap=True) as hdus:
            wcs = WCS(hdus[0].header)
            for k, row in enumerate(table):
                place = SkyCoord(row["ra"], row["dec"], unit="deg")
                side = 2 * row["r90"] / 3600 / abs(wcs.pixel_scale_matrix[1, 1])
                cut = Cutout2D(hdus[0].data, place, round(side), wcs, mode="strict").data
                out[k] = zoom(cut.astype("f4"), 256 / len(cut), grid_mode=True, mode="nearest")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2,500 pixels a side, 50 pairs")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="one JSON object on one line")
    parser.add_argument("--folder", help="where 800 MB have room; a temporary one unless said")
    options = parser.parse_args()
    side, count = (2_500, 50) if options.quick else (10_000, 1_000)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        row = measure(Path(name), side, count, options.workers)
    if options.json:
        print(json.dumps({"pairs": row}))
        return
    for which in ("ours", "by_hand"):
        print(
            f"{which:8s} {row[f'{which}_s']:7.1f} s ({row[f'{which}_cpu_s']:.1f} s on all cores) "
            f"{row[f'{which}_pairs_per_s']:7.1f} pairs/s "
            f"{row[f'{which}_mb']:6.0f} MB"
        )
    print(
        f"{row['pairs']} pairs from {side}×{side} pixels, ratio {row['ratio']:.2f}, "
        f"of CPU time {row['cpu_ratio']:.2f}"
    )


def measure(folder: Path, side: int, count: int, workers: int) -> dict[str, float]:
    """Wall time and memory of either, and the ratio of their times, theirs over ours."""
    table = galaxies(side, count)
    catalogue, selection, store = (folder / name for name in ("c.csv", "s.yaml", "pairs.h5"))
    table["id", "ra", "dec", "r90"].write(catalogue)
    selection.write_text(SELECTION)
    files = {name: folder / f"{name}.fits" for name in SCALES}
    for seed, (name, path) in enumerate(files.items()):
        write_mosaic(path, table, side, name, seed)
    ours = [
        *(sys.executable, "-m", "pellucid", "pairs-observed", "--output", str(store), "--json"),
        *("--sharp", str(files["sharp"]), "--blurred", str(files["blurred"])),
        *("--sharp-psf", str(FWHM["sharp"]), "--blurred-psf", str(FWHM["blurred"])),
        *("--catalogue", str(catalogue), "--selection", str(selection)),
        *("--workers", str(workers)),
    ]
    by_hand = [sys.executable, "-c", BY_HAND, *map(str, files.values()), str(catalogue)]
    seconds, cpu, megabytes, said = run(ours)
    report = json.loads(said)
    assert report["objects"] == count, report["reasons"]
    hand_seconds, hand_cpu, hand_megabytes, _ = run([*by_hand, str(folder / "by_hand.h5")])
    return {
        "side": side,
        "pairs": count,
        "workers": workers,
        "ours_s": seconds,
        "ours_cpu_s": cpu,
        "ours_pairs_per_s": count / seconds,
        "ours_mb": megabytes * (1 if workers == 1 else 1 + workers),
        "by_hand_s": hand_seconds,
        "by_hand_cpu_s": hand_cpu,
        "by_hand_pairs_per_s": count / hand_seconds,
        "by_hand_mb": hand_megabytes,
        "ratio": hand_seconds / seconds,
        "cpu_ratio": hand_cpu / cpu,
    }


def run(command: list[str]) -> tuple[float, float, float, str]:
    """Wall and CPU time in s, memory of its largest process in MB, and what it printed."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[:4]} failed")
    seconds = time.perf_counter() - started
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024.0, said


def galaxies(side: int, count: int) -> Table:
    """Elongated galaxies all over the sharp mosaic, each R90 that of its light."""
    rng = np.random.default_rng(0)
    half = 0.5 * side * SCALES["sharp"] - 12.0
    table = Table({"id": [f"g{k:04d}" for k in range(count)]})
    table["east"], table["north"] = rng.uniform(-half, half, (2, count))
    # The middle pixel of a sky of 1 × 1 pixels of 1 arcsec.
    table["ra"], table["dec"] = sky(1, 1.0).wcs_pix2world(-table["east"], table["north"], 0)
    table["sigma"], table["axes"] = rng.uniform(0.4, 1.5, count), rng.uniform(0.4, 1.0, count)
    table["flux"] = rng.uniform(300.0, 3000.0, count)
    table["r90"] = 2.146 * table["sigma"]  # of a Gaussian
    return table


def sky(side: int, scale: float) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [RA, DEC]
    wcs.wcs.crpix = [0.5 * (side + 1)] * 2
    wcs.wcs.cd = np.diag([-scale, scale]) / 3600.0
    return wcs


def write_mosaic(path: Path, table: Table, side: int, name: str, seed: int) -> None:
    """Noise first, in strips; then a Gaussian for each galaxy, where it stands."""
    scale, rng = SCALES[name], np.random.default_rng(seed)
    header = fits.PrimaryHDU(np.zeros((1, 1), "f4"), sky(side, scale).to_header()).header
    header.update({"NAXIS1": side, "NAXIS2": side, "MAGZERO": 27.0, "BUNIT": "adu"})
    head = header.tostring().encode()
    with path.open("wb") as file:
        file.write(head)
        for start in range(0, side, 500):
            rows = min(500, side - start)
            (0.3 * scale * rng.standard_normal((rows, side), dtype="f4")).astype(">f4").tofile(file)
        file.write(bytes(-file.tell() % 2880))
    pixels = np.memmap(path, ">f4", "r+", len(head), (side, side))
    for row in table:
        x, y = (0.5 * (side - 1) + place / scale for place in (-row["east"], row["north"]))
        a = np.hypot(row["sigma"], FWHM[name] / 2.355)
        b = np.hypot(row["axes"] * row["sigma"], FWHM[name] / 2.355)
        reach = int(5 * a / scale)
        rows, columns = (slice(max(int(c) - reach, 0), int(c) + reach) for c in (y, x))
        v, u = (np.arange(side)[part] - c for part, c in ((rows, y), (columns, x)))
        shape = np.exp(-0.5 * ((v[:, None] * scale / b) ** 2 + (u[None, :] * scale / a) ** 2))
        pixels[rows, columns] += row["flux"] * scale**2 / (2 * np.pi * a * b) * shape
    pixels.flush()


if __name__ == "__main__":
    main()

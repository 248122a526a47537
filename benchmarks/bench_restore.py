"""Cold start of `pellucid restore` on one 512×512 three-band FITS: wall time and peak memory.

    python benchmarks/bench_restore.py [--runs 7] [--json]

Each run is a new process, so the interpreter, the imports and the model's loading are in it. What
a user would pick instead stands beside it in the same loop: a script that imports torch, builds the
same network and runs it on the same file (needs the train extra).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pellucid import SkyImage, write_image

SIDE = 512

WITH_TORCH = """
import sys
import numpy as np, torch
from astropy.io import fits
from pellucid.networks.bundle import open_bundle
from pellucid.networks.export import read_generator
with fits.open(sys.argv[1]) as file:
    flux = file[0].data.astype(np.float32)
generator = read_generator(open_bundle("galaxygan-sdss"))
with torch.inference_mode():
    restored = generator(torch.from_numpy(np.arcsinh(flux))[None])[0].numpy()
fits.writeto(sys.argv[2], restored, overwrite=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.fits", Path(folder) / "out.fits"
        flux = np.random.default_rng(0).normal(0, 0.05, (3, SIDE, SIDE))
        write_image(SkyImage(flux, ("g", "r", "i"), "nanomaggy", pixel_scale=0.396), source)
        commands = {
            "pellucid": [
                *(sys.executable, "-m", "pellucid", "restore", str(source)),
                *("--output", str(target), "--overwrite"),
            ],
            "torch script": [sys.executable, "-c", WITH_TORCH, str(source), str(target)],
        }
        measured = {name: [] for name in commands}
        for _ in range(options.runs + 1):
            for name, command in commands.items():
                measured[name].append(run(command))
    result = {
        name: {
            "seconds": round(statistics.median(seconds for seconds, _ in runs[1:]), 3),
            "megabytes": round(statistics.median(memory for _, memory in runs[1:]), 1),
        }
        for name, runs in measured.items()
    }
    ours, other = result["pellucid"], result["torch script"]
    result["ratio"] = {key: round(other[key] / ours[key], 2) for key in ours}
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, numbers in result.items():
        print(f"{name:14s}" + "".join(f"{key} {value:8.2f}   " for key, value in numbers.items()))


def run(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak resident megabytes of one process, as the system accounts them."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return seconds, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


if __name__ == "__main__":
    main()

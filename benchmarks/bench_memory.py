"""Memory of a restoration: the peak of the process above its start, in sizes of the image.

    python benchmarks/bench_memory.py [--names wiener galaxygan-sdss …] [--json]

A frame of 2048 × 2048 pixels in one band and one of 1024 × 1024 in three are read, restored and
written, each by each method and shipped model in a process of its own that has imported all it
needs before. Sizes are those of the pixels in single precision.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from pellucid import SkyImage, write_image
from pellucid.deconvolution import METHODS

MODELS = ("galaxygan-sdss", "pellucid")
FRAMES = {"2048x2048": (1, 2048), "1024x1024x3": (3, 1024)}

ONE = """
import sys, resource, scipy.fft, scipy.ndimage, scipy.optimize, skimage.measure, astropy.wcs
from pellucid import load_restorer, read_image, write_image
source, target, name, kind = sys.argv[1:]
restorer = load_restorer(**{kind: name})

def resident(key):
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))

open("/proc/self/clear_refs", "w").write("5")
start = resident("VmRSS")
image = read_image(source)
psf = None if name == "galaxygan-sdss" else 1.3
write_image(restorer(image, psf=psf), target, overwrite=True)
print((resident("VmHWM") - start) / image.flux.nbytes)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", nargs="+", default=[*METHODS, *MODELS])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for frame, (bands, side) in FRAMES.items():
            source = Path(folder) / f"{frame}.fits"
            names = ("g", "r", "i")[:bands]
            write_image(SkyImage(field(bands, side), names, "adu", pixel_scale=0.396), source)
            for name in options.names:
                kind = "method" if name in METHODS else "model"
                command = [sys.executable, "-c", ONE, str(source), f"{folder}/out.fits", name, kind]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                result.setdefault(name, {})[frame] = round(float(done.stdout), 1)
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, sizes in result.items():
        print(f"{name:22s}" + "".join(f"{frame} {size:5.1f}   " for frame, size in sizes.items()))


def field(bands: int, side: int) -> np.ndarray:
    """Noise and forty round sources."""
    rng = np.random.default_rng(0)
    flux = rng.standard_normal((bands, side, side), dtype=np.float32)
    y, x = np.mgrid[-30:31, -30:31]
    for row, column in rng.integers(40, side - 40, (40, 2)):
        width = rng.uniform(1.5, 9.0)
        source = rng.uniform(10, 1000) * np.exp(-0.5 * (y**2 + x**2) / width**2)
        flux[:, row - 30 : row + 31, column - 30 : column + 31] += source.astype(np.float32)
    return flux


if __name__ == "__main__":
    main()

"""Degrading 1,000 galaxies of 112×112 pixels in three bands, against a script with scipy.

    python benchmarks/bench_degradation.py [--json] [--images 1000] [--rounds 5]

The script does the same with `scipy.ndimage.gaussian_filter`: the kernel cut at 2 σ, the authors'
noise estimate before and after, one field for all bands. The two take turns in one process; the
ratio is the median of neighbouring turns, theirs over ours. Nothing is written.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from pellucid.optics import object_rng
from pellucid.sky.image import SkyImage
from pellucid.studies.galaxygan.preset import degradation

FWHM, NOISE, SCALE = 1.8, 2.0, 0.396
SIDE = 112


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on one line")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    row = measure(options.images, options.rounds)
    if options.json:
        print(json.dumps({"degradation": row}))
        return
    print(
        f"{options.images} images of 3×{SIDE}×{SIDE}: ours {row['ours_s']:.2f} s, "
        f"scipy {row['scipy_s']:.2f} s, ratio {row['ratio']:.2f}"
    )


def measure(images: int, rounds: int) -> dict[str, float]:
    """Median seconds of either and the median of their ratio, on one core."""
    sharp = galaxy()
    ours_is = degradation((FWHM, NOISE))

    def ours() -> None:
        for k in range(images):
            ours_is(sharp, object_rng(0, str(k)))

    def theirs() -> None:
        for k in range(images):
            by_scipy(sharp.flux, np.random.default_rng(k))

    pairs = np.array([(seconds(ours), seconds(theirs)) for _ in range(rounds)])
    return {
        "images": images,
        "ours_s": float(np.median(pairs[:, 0])),
        "scipy_s": float(np.median(pairs[:, 1])),
        "ratio": float(np.median(pairs[:, 1] / pairs[:, 0])),
    }


def galaxy() -> SkyImage:
    """A disk above a noisy sky, in nanomaggies."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    disk = 2.0 * np.exp(-np.hypot(y, 1.6 * x) / 9.0)
    sky = np.random.default_rng(0).normal(0.0, 0.01, (3, SIDE, SIDE))
    flux = (disk + sky).astype(np.float32)
    return SkyImage(flux, bands=("g", "r", "i"), unit="nanomaggy", pixel_scale=SCALE)


def by_scipy(flux: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What one would write with scipy alone."""
    sigma = FWHM / SCALE / 2.355
    blurred = np.stack(
        [gaussian_filter(band, sigma, mode="nearest", truncate=2.0) for band in flux]
    )
    before, after = (image[(image > -0.1) & (image < 0.1)].std() for image in (flux, blurred))
    added = np.sqrt(max((NOISE * before) ** 2 - after**2, 1e-8))
    return blurred + added * rng.standard_normal(flux.shape[1:], dtype=np.float32)


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

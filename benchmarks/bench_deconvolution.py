"""Richardson–Lucy against scikit-image's at equal iterations, band by band in theirs.

    python benchmarks/bench_deconvolution.py [--json] [--rounds 9] [--iterations 10]

The two take turns in one process; the number is the median of the ratio of neighbouring turns,
their time over ours, so above 1 ours is faster. Nothing is written.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
from skimage import restoration

from pellucid.deconvolution import richardson_lucy
from pellucid.sky.psf import moffat_psf

BANDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on one line")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--iterations", type=int, default=10)
    options = parser.parse_args()
    rows = [measure(side, options.iterations, options.rounds) for side in (112, 512)]
    if options.json:
        print(json.dumps({"richardson_lucy": rows}))
        return
    for row in rows:
        print(
            f"{row['side']:4.0f} pixels, {BANDS} bands, {row['iterations']:.0f} iterations: "
            f"ours {1e3 * row['ours_s']:7.1f} ms, scikit-image {1e3 * row['skimage_s']:7.1f} ms, "
            f"ratio {row['ratio']:.2f}"
        )


def measure(side: int, iterations: int, rounds: int) -> dict[str, float]:
    """Median seconds of either and the median of their ratio, on one noisy image."""
    rng = np.random.default_rng(0)
    flux = rng.normal(1.0, 0.1, (BANDS, side, side)).astype(np.float32)
    stamps = np.ascontiguousarray(moffat_psf(1.8, 0.396).for_bands(BANDS))

    def ours() -> None:
        richardson_lucy(flux, stamps, iterations, 0.0, boundary="zero", start=0.5)

    def theirs() -> None:
        for plane, stamp in zip(flux, stamps, strict=True):
            restoration.richardson_lucy(plane, stamp, num_iter=iterations, clip=False)

    ours()
    theirs()
    pairs = np.array([(seconds(ours), seconds(theirs)) for _ in range(rounds)])
    return {
        "side": side,
        "bands": BANDS,
        "iterations": iterations,
        "ours_s": float(np.median(pairs[:, 0])),
        "skimage_s": float(np.median(pairs[:, 1])),
        "ratio": float(np.median(pairs[:, 1] / pairs[:, 0])),
    }


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

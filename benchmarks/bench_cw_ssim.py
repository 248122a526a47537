"""CW-SSIM of 64 pairs of 256×256 pixels, against the same index through pyrtools' pyramid.

    python benchmarks/bench_cw_ssim.py [--json] [--pairs 64] [--rounds 5]

Theirs builds the whole pyramid of each image, as there is no other way to its coarsest level, and
then does with its 16 bands what `cw_ssim` does, with scipy's filters. Both run on one core and take
turns in one process; their indices must agree to 1e-9. The ratio is the median of neighbouring
turns, theirs over ours. A turn of theirs is 8 of the pairs, its time scaled up, and so is ours over
all scales. Nothing is written.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
from pyrtools.pyramids import SteerablePyramidFreq
from scipy.signal import convolve2d

from pellucid.metrics import CwSsimOptions, cw_ssim

SIDE = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on one line")
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    row = measure(options.pairs, options.rounds)
    if options.json:
        print(json.dumps({"cw_ssim": row}))
        return
    print(
        f"{options.pairs} pairs of {SIDE}×{SIDE}: "
        f"ours {1e3 * row['ours_s']:.1f} ms, pyrtools {1e3 * row['pyrtools_s']:.0f} ms, "
        f"ratio {row['ratio']:.0f}; all scales: ours {1e3 * row['ours_all_s']:.0f} ms"
    )


def measure(pairs: int, rounds: int) -> dict[str, float]:
    """Median seconds of either for all pairs, and the median of their ratio."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(pairs, SIDE, SIDE)).astype(np.float32)
    restored = (truth + rng.normal(size=truth.shape)).astype(np.float32)
    few = min(8, pairs)
    agreed = np.abs(cw_ssim(truth[:few], restored[:few]) - by_pyrtools(truth, restored, few)).max()
    if agreed > 1e-9:
        raise SystemExit(f"the two indices differ by {agreed}")

    def ours() -> None:
        cw_ssim(truth, restored)

    def theirs() -> None:
        by_pyrtools(truth, restored, few)

    def ours_all() -> None:
        cw_ssim(truth[:few], restored[:few], CwSsimOptions(scales="all"))

    ours()
    turns = np.array([(seconds(ours), seconds(theirs) * pairs / few) for _ in range(rounds)])
    return {
        "pairs": pairs,
        "ours_s": float(np.median(turns[:, 0])),
        "pyrtools_s": float(np.median(turns[:, 1])),
        "ratio": float(np.median(turns[:, 1] / turns[:, 0])),
        "ours_all_s": seconds(ours_all) * pairs / few,
    }


def by_pyrtools(truth: np.ndarray, restored: np.ndarray, count: int) -> np.ndarray:
    """The index of the first ``count`` pairs on pyrtools' coefficients."""
    return np.array([index(truth[k], restored[k]) for k in range(count)])


def index(x: np.ndarray, y: np.ndarray, levels: int = 6, orientations: int = 16) -> float:
    """What one would write with pyrtools and scipy."""
    pyramids = [
        SteerablePyramidFreq(image.astype(float), levels, orientations - 1, is_complex=True)  # pyright: ignore
        for image in (x, y)
    ]
    box = np.full((7, 7), 1 / 49)
    scores = []
    for b in range(orientations):
        c, d = (pyramid.pyr_coeffs[levels - 1, b] for pyramid in pyramids)
        common = convolve2d(c * d.conj(), box, "valid")
        energy = convolve2d(np.abs(c) ** 2 + np.abs(d) ** 2, box, "valid")
        # The four windows of an 8×8 band lie alike about its middle: equal Gaussian weights.
        scores.append(np.mean(2 * np.abs(common) / energy))
    return float(np.mean(scores))


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

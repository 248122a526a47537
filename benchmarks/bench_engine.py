"""The generator through each engine against eager torch in single precision, in one run.

    python benchmarks/bench_engine.py [--model galaxygan-sdss] [--rounds 5] [--json]

One tile is a galaxy of up to 128 pixels, eight are what a larger image is given in. The engines
take turns, each in a process of its own: threads of one that wait for work would slow the next.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

import numpy as np

from pellucid.networks.bundle import open_bundle
from pellucid.restoration.engine import Engine, Precision, load_network

ENGINES: dict[str, tuple[Engine, Precision]] = {
    "torch fp32": ("torch", "fp32"),
    "onnx fp32": ("onnx", "fp32"),
    "openvino fp32": ("openvino", "fp32"),
    "openvino bf16": ("openvino", "bf16"),
}
CALLS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="galaxygan-sdss")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(json.dumps(turn(options.model, options.turn)))
        return
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in ENGINES}
    for _ in range(options.rounds):
        for name in ENGINES:
            command = [sys.executable, __file__, "--model", options.model, "--turn", name]
            turns[name].append(json.loads(subprocess.check_output(command)))
    medians = {
        name: {tiles: statistics.median(each[tiles] for each in some) for tiles in some[0]}
        for name, some in turns.items()
    }
    eager = medians["torch fp32"]
    if options.json:
        print(json.dumps(medians, indent=2))
        return
    for name, times in medians.items():
        cells = (f"{tiles}: {ms:6.2f} ms {eager[tiles] / ms:5.2f}×" for tiles, ms in times.items())
        print(f"{name:15s}" + "   ".join(cells))


def turn(model: str, name: str) -> dict[str, float]:
    """Median milliseconds a tile, called with one and with eight."""
    bundle = open_bundle(model)
    network = load_network(bundle, *ENGINES[name])
    side = bundle.card.tile
    result = {}
    for count in (1, 8):
        shape = (count, len(bundle.card.bands), side, side)
        tiles = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
        seconds = []
        for _ in range(CALLS + 3):
            started = time.perf_counter()
            network(tiles)
            seconds.append((time.perf_counter() - started) / count)
        result[f"{count} tile{'s' * (count > 1)}"] = 1e3 * statistics.median(seconds[3:])
    return result


if __name__ == "__main__":
    main()

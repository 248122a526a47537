"""The generator through each engine against eager torch in single precision, in one run.

    python benchmarks/bench_engine.py [--model galaxygan-sdss] [--tiles 8] [--rounds 15] [--json]

All use the same number of threads and the same tiles, one after the other in each round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time

import numpy as np
import torch

from pellucid.errors import UsageError
from pellucid.models.bundle import open_bundle
from pellucid.models.export import read_generator
from pellucid.restoration.engine import load_network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="galaxygan-sdss")
    parser.add_argument("--tiles", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    bundle = open_bundle(options.model)
    generator = read_generator(bundle)

    def eager(tiles: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return generator(torch.from_numpy(tiles)).numpy()

    networks = {"torch eager fp32": eager, "onnx fp32": load_network(bundle)}
    for precision in ("fp32", "bf16"):
        try:
            networks[f"openvino {precision}"] = load_network(bundle, "openvino", precision)
        except UsageError as absent:
            print(absent)
    side = bundle.card.tile
    shape = (options.tiles, len(bundle.card.bands), side, side)
    tiles = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    times: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(options.rounds + 2):
        for name, network in networks.items():
            started = time.perf_counter()
            network(tiles)
            times[name].append((time.perf_counter() - started) / options.tiles)
    medians = {name: statistics.median(values[2:]) for name, values in times.items()}
    result = {
        name: {
            "ms_per_tile": round(1e3 * median, 2),
            "speedup": round(medians["torch eager fp32"] / median, 2),
        }
        for name, median in medians.items()
    }
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, numbers in result.items():
        print(f"{name:18s}{numbers['ms_per_tile']:8.2f} ms/tile  {numbers['speedup']:5.2f}×")


if __name__ == "__main__":
    main()

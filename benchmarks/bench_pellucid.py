"""Galaxies a second: pellucid's own model against what else could restore them, in one run.

    python benchmarks/bench_pellucid.py [--rounds 3] [--json]

Three bands of 256 × 256 pixels each, arrays in, arrays out, blurred by 4.5 pixels. All take turns,
each in a process of its own. Beside pellucid stand GalaxyGAN's network at the paper's width, alone,
without what a restorer does around it, and STARRED where it is installed (see `with_starred`).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from pellucid import SkyImage, load_restorer
from pellucid.optics import convolve
from pellucid.sky import gaussian_psf

SIDE, BANDS, BLUR, TARGET = 256, ("g", "r", "i"), 4.5, 2.25
OURS = "pellucid, openvino bf16"
SECONDS = 6.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(turn(RESTORERS[options.turn]()))
        return
    names = [name for name in RESTORERS if name != "starred" or importlib.util.find_spec("starred")]
    turns: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            said = subprocess.check_output([sys.executable, __file__, "--turn", name], text=True)
            turns[name].append(float(said.splitlines()[-1]))
    seconds = {name: statistics.median(some) for name, some in turns.items()}
    if options.json:
        print(json.dumps(seconds, indent=2))
        return
    for name, each in seconds.items():
        print(f"{name:28s}{1.0 / each:8.3f} images a second {each / seconds[OURS]:8.2f}×")


def turn(restore: Callable[[SkyImage], object]) -> float:
    """Seconds an image, after the first."""
    images = [galaxy(seed) for seed in range(4)]
    restore(images[0])
    started, count = time.perf_counter(), 0
    while not count or time.perf_counter() - started < SECONDS:
        restore(images[count % len(images)])
        count += 1
    return (time.perf_counter() - started) / count


def galaxy(seed: int) -> SkyImage:
    """A lumpy disc in noise."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((SIDE, SIDE)) - SIDE / 2
    flux = np.exp(-np.hypot(y, 1.5 * x) / 25.0)
    for row, column in rng.normal(0.0, 35.0, (12, 2)):
        flux += 0.5 * rng.random() * np.exp(-0.5 * ((y - row) ** 2 + (x - column) ** 2) / 2.0)
    seen = convolve(np.stack([flux] * 3).astype("f4"), gaussian_psf(BLUR, 1.0).for_bands(3))
    noisy = 50.0 * seen + rng.standard_normal(seen.shape)
    return SkyImage(noisy.astype("f4"), BANDS, "adu", pixel_scale=1.0)


def ours(engine: str, precision: str) -> Callable[[SkyImage], object]:
    restorer = load_restorer("pellucid", engine=engine, precision=precision)  # type: ignore[arg-type]
    kernel = gaussian_psf(BLUR, 1.0)
    return lambda image: restorer(image, blur=kernel)


def galaxygan() -> Callable[[SkyImage], object]:
    """The paper's network of 64 filters and 8 levels, untrained, in torch."""
    import torch

    from pellucid.networks.galaxygan import GalaxyGANConfig, Generator
    from pellucid.restoration.engine import torch_network

    generator = Generator(GalaxyGANConfig()).eval()
    weights = sum(weight.numel() for weight in generator.parameters())
    assert 50e6 < weights < 60e6
    torch.set_flush_denormal(True)
    network = torch_network(generator)
    return lambda image: network(np.arcsinh(image.flux)[None])


def starred() -> Callable[[SkyImage], object]:
    from with_starred import Starred

    restorer, kernel = Starred(TARGET), gaussian_psf(BLUR, 1.0)
    return lambda image: restorer(image, blur=kernel)


RESTORERS: dict[str, Callable[[], Callable[[SkyImage], object]]] = {
    OURS: lambda: ours("openvino", "bf16"),
    "pellucid, onnx fp32": lambda: ours("onnx", "fp32"),
    "galaxygan of 54 M, torch": galaxygan,
    "starred": starred,
}


if __name__ == "__main__":
    main()

"""A band at a time with a guide of all, or three bands together: one network shape, equal time.

    python benchmarks/bench_joint.py DATA TRUTH --minutes 40

DATA is the folder of archives of ``pellucid study pellucid``, TRUTH the ``truth.h5`` of its output.
Both networks learn at the same time, on one thread each, from scenes drawn alike; then they restore
held-back composites and galaxies. Printed is the PSNR of each in dB, as the study counts it.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.data.batches import PairSampler
from pellucid.data.channels import (
    Known,
    channel_count,
    groups_of,
    input_channels,
    reordered,
    starting_planes,
)
from pellucid.data.scenes import ScenePairs, SceneRecipe
from pellucid.data.splits import validation_mask
from pellucid.data.truth import open_truth
from pellucid.evaluation.tables import markdown_table
from pellucid.metrics import measure
from pellucid.networks.pellucid import PellucidConfig, UNet
from pellucid.optics import INSTRUMENTS, Degradation, object_rng
from pellucid.sky import PSF, Background, Pair, SkyImage, robust_background
from pellucid.stretch import GalaxyGANStretch, NoiseStretch, Stretch, from_network, to_network
from pellucid.studies.pellucid.mixture import split_truth
from pellucid.studies.pellucid.views import view
from pellucid.studies.truths import composites
from pellucid.training.learner import follow, update

BANDS, SIDE, BATCH, RATE, DECAY = 3, 128, 8, 5e-4, 0.998
LEAST = 1e-3
STRETCH = NoiseStretch(softening=10, low=-2000, high=2000)
GUIDED = ("image", "wiener", "weight", "guide", "grain", "fwhm")
NOISES, PEAKS, BLUR = (1.0, 2.0, 5.0, 10.0), (10.0, 30.0, 100.0, 300.0), 4.5


@dataclass(frozen=True)
class Kind:
    """What a network takes at once, and how its result follows from its channels."""

    inputs: tuple[str, ...]
    bands: int

    def network(self, width: int) -> UNet:
        filters = PellucidConfig(width=width).filters()
        channels = channel_count(self.inputs, self.bands)
        return UNet(self.bands, channels, self.bands, filters, blocks=2)

    def restored(self, network: nn.Module, channels: Tensor) -> Tensor:
        """Channels of all bands, (image, channel, y, x), to the bands, in the network's range."""
        groups = groups_of(BANDS, self.bands)
        each = torch.cat([channels[:, reordered(self.inputs, some, BANDS)] for some in groups])
        start = starting_planes(self.inputs, self.bands)
        found = each[:, start] + network.drawn(each)  # pyright: ignore
        return torch.cat(found.chunk(len(groups)), dim=1)


KINDS = {
    "a band at a time": Kind(GUIDED, 1),
    "three together": Kind(PellucidConfig().inputs, BANDS),
}


def learn(name: str, truth: Path, data: Path, width: int, minutes: float) -> dict[str, float]:
    """Train one of `KINDS` for so long, then score it."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(1)
    kind, store = KINDS[name], open_truth(truth)
    scenes = ScenePairs(store, SceneRecipe(SIDE))
    training = split_truth(store, 2026).training
    batches = PairSampler(scenes, training, STRETCH, SIDE, BATCH, 1, "square", inputs=kind.inputs)
    network = kind.network(width).to(memory_format=torch.channels_last)  # pyright: ignore
    average = copy.deepcopy(network).requires_grad_(False)
    optimiser = torch.optim.Adam(network.parameters(), RATE, betas=(0.9, 0.999))
    begun, step = time.monotonic(), 0
    while (done := (time.monotonic() - begun) / (60.0 * minutes)) < 1.0:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 100, 2.0 * (1.0 - done))
        batch = batches[step]
        channels = torch.from_numpy(batch.blurred).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            restored = kind.restored(network, channels).float()
        square = (restored - torch.from_numpy(batch.sharp)).square().mean(dim=(2, 3))
        update(network, optimiser, (square + LEAST**2).sqrt().mean(), 0.2)
        follow(average, network, min(DECAY, (1 + step) / (10 + step)))
        step += 1

    def restore(image: SkyImage, blur: PSF) -> SkyImage:
        return restored_by(kind, average, image, blur)

    return {"steps": step, "scenes": step * BATCH, **scores(restore, truth, data)}


def restored_by(kind: Kind, network: nn.Module, image: SkyImage, blur: PSF) -> SkyImage:
    """An image of white noise without holes, in whatever unit."""
    found = robust_background(image.flux)
    sky, sigma = found.sky[:, None, None], found.sigma
    flux = (image.flux - sky) / sigma
    unit = Background(np.zeros(BANDS, dtype=np.float32), 1.0)
    value = to_network(STRETCH.forward(flux, unit))
    channels = input_channels(kind.inputs, Known(value, flux, unit, blur, STRETCH))
    with torch.inference_mode():
        drawn = kind.restored(network, torch.from_numpy(channels[None]))[0].numpy()
    return image.with_flux(STRETCH.inverse(from_network(drawn), unit) * sigma + sky)


def scores(
    restore: Callable[[SkyImage, PSF], SkyImage], truth: Path, data: Path
) -> dict[str, float]:
    """Mean PSNR on held-back composites by noise, and on other held-back galaxies by depth."""
    found: dict[str, list[float]] = {}
    for title, stretch, pair in views(truth, data):
        assert pair.blur is not None
        image = restore(pair.blurred, pair.blur)
        psnr = measure(image, pair.sharp, pair.blurred, stretch, ("psnr",))["psnr"]
        found.setdefault(title, []).append(float(psnr))
    return {title: float(np.mean(values)) for title, values in found.items()}


def views(truth: Path, data: Path, count: int = 20) -> Iterator[tuple[str, Stretch, Pair]]:
    """What is scored: a heading, the stretch, and the pair."""
    held = (each for each in composites(data) if validation_mask([each.id]).all())
    for each in islice(held, count):
        scale = INSTRUMENTS["sdss"].pixel_scale
        image = SkyImage(each.flux[::-1], ("g", "r", "i"), "nanomaggy", pixel_scale=scale)
        for noise in NOISES:
            pair = Degradation(fwhm=1.8, noise=noise)(image, object_rng(0, each.id))
            yield f"composites, {noise:g} σ", GalaxyGANStretch(), _square(pair)
    store = open_truth(truth)
    galaxies = [k for k in np.flatnonzero(validation_mask(store.ids)) if "sdss" not in store.ids[k]]
    for index in np.random.default_rng(1).permutation(galaxies)[:count]:
        for peak in PEAKS:
            yield f"peak of {peak:g}", NoiseStretch(), view(store, int(index), peak, BLUR)


def _square(pair: Pair) -> Pair:
    """The middle, of a side that all levels can halve."""
    multiple = PellucidConfig().multiple
    height, width = (length // multiple * multiple for length in pair.sharp.flux.shape[1:])
    top, left = ((length % multiple) // 2 for length in pair.sharp.flux.shape[1:])
    window = (top, left, height, width)
    return Pair(pair.blurred.cutout(*window), pair.sharp.cutout(*window), pair.blur)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--width", type=int, default=32)
    options = parser.parse_args()
    with ProcessPoolExecutor(len(KINDS), get_context("spawn")) as pool:
        given = (options.truth, options.data, options.width, options.minutes)
        running = {name: pool.submit(learn, name, *given) for name in KINDS}
        results = {name: each.result() for name, each in running.items()}
    first = next(iter(results.values()))
    lines = [
        [title, *(f"{result[title]:.2f}".removesuffix(".00") for result in results.values())]
        for title in first
    ]
    print(markdown_table(["", *results], lines))


if __name__ == "__main__":
    main()

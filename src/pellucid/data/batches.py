"""Training batches as a pure function of (seed, step): killed and resumed, they are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.data.pairs import PairStore
from pellucid.errors import InputError
from pellucid.sky import Background, background_of, robust_background
from pellucid.sky.image import SkyImage
from pellucid.stretch import GalaxyGANStretch, Stretch

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class PairSampler:
    """What batch belongs to a step; ``sampler[step]`` is (blurred, sharp) in [−1, 1].

    Parameters
    ----------
    store
        Where the images are.
    indices
        The objects to train on.
    stretch
        Flux to the network's range; its noise is that of the blurred image.
    size
        Side of the square given to the network in pixels: larger images are cropped, smaller
        ones mirrored at their edges, at a random place.
    batch
        Images a step, over all processes.
    seed
        Of everything random.
    symmetry
        ``"flip"`` mirrors left and right, as the paper; ``"square"`` adds quarter turns.
    grey
        Fraction of samples in which one band stands for all, with its noise, so that one network
        serves single-band images, too.
    composite
        Fraction of samples whose blurred image goes through an 8-bit composite and back.
    rank, world
        This process and how many there are.
    """

    store: PairStore
    indices: NDArray[np.integer]
    stretch: Stretch
    size: int
    batch: int
    seed: int
    symmetry: Literal["flip", "square"] = "flip"
    grey: float = 0.0
    composite: float = 0.0
    rank: int = 0
    world: int = 1

    def __getitem__(self, step: int) -> Pair:
        positions = range(step * self.batch + self.rank, (step + 1) * self.batch, self.world)
        samples = [self._sample(position) for position in positions]
        blurred, sharp = (np.stack(side) for side in zip(*samples, strict=True))
        return blurred, sharp

    def _sample(self, position: int) -> Pair:
        epoch, place = divmod(position, len(self.indices))
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.indices))
        index = int(self.indices[order[place]])
        rng = np.random.default_rng([self.seed, position, 1])
        sharp, blurred = self.store.draw(index, rng)
        try:
            return self._made(sharp, blurred, rng)
        except InputError as error:
            name = self.store.ids[index]
            raise InputError(f"{self.store.path}: object {name}: {error}") from error

    def _made(self, sharp: SkyImage, blurred: SkyImage, rng: np.random.Generator) -> Pair:
        if rng.random() < self.composite:
            blurred = blurred.with_flux(as_composite(blurred.flux))
        pair = np.stack([blurred.flux, sharp.flux])
        if rng.random() < self.grey:
            band = rng.integers(pair.shape[1])
            pair = np.repeat(pair[:, band : band + 1], pair.shape[1], axis=1)
        sky = robust_background(pair[0]) if blurred.sky is None else background_of(blurred)
        pair = self._turned(_fitted(pair, self.size, rng), rng)
        network_range = [2.0 * self.stretch.forward(flux, sky) - 1.0 for flux in pair]
        return network_range[0], network_range[1]

    def _turned(self, pair: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        if rng.random() < 0.5:
            pair = pair[..., ::-1]
        if self.symmetry == "square":
            pair = np.rot90(pair, int(rng.integers(4)), axes=(-2, -1))
        return np.ascontiguousarray(pair)


def network_input(image: SkyImage, stretch: Stretch) -> tuple[NDArray[np.float32], Background]:
    """A whole image in the network's range [−1, 1], and the sky that leads back to flux."""
    sky = background_of(image)
    return 2.0 * stretch.forward(image.flux, sky) - 1.0, sky


def as_composite(flux: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is left of a flux in nanomaggies after an 8-bit composite in GalaxyGAN's stretch."""
    stretch = GalaxyGANStretch()
    return stretch.inverse(np.rint(stretch.forward(flux) * 255.0) / 255.0)


def _fitted(pair: NDArray[np.float32], size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Crop or mirror the last two axes to ``size`` at a random place."""
    for axis in (-2, -1):
        side = pair.shape[axis]
        if side >= size:
            start = int(rng.integers(side - size + 1))
            pair = pair.take(range(start, start + size), axis=axis)
        else:
            before = int(rng.integers(size - side + 1))
            widths = [(0, 0)] * pair.ndim
            widths[axis] = (before, size - side - before)
            pair = np.pad(pair, widths, mode="symmetric")
    return pair

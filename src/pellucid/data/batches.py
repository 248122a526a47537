"""Training batches as a pure function of (seed, step): killed and resumed, they are the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.data.channels import IMAGE, Known, input_channels, pixel_weights
from pellucid.data.pairs import Pairs
from pellucid.errors import InputError
from pellucid.sky import PSF, background_of, robust_background
from pellucid.stretch import GalaxyGANStretch, Stretch, to_network


class Batch(NamedTuple):
    """What one training step sees, in the network's range [−1, 1].

    Parameters
    ----------
    blurred
        The network's input channels, shape (image, channel, y, x); the image itself comes first.
    sharp
        What it shall become, shape (image, band, y, x).
    blurs
        The kernel of each image, where one is known and a channel asked for it.
    """

    blurred: NDArray[np.float32]
    sharp: NDArray[np.float32]
    blurs: tuple[PSF | None, ...]


@dataclass(frozen=True)
class PairSampler:
    """What batch belongs to a step; ``sampler[step]`` is a `Batch`.

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
    inputs
        What the network is told; see `pellucid.data.channels`.
    """

    store: Pairs
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
    inputs: tuple[str, ...] = IMAGE

    def __getitem__(self, step: int) -> Batch:
        positions = range(step * self.batch + self.rank, (step + 1) * self.batch, self.world)
        blurred, sharp, blurs = zip(*map(self._sample, positions), strict=True)
        return Batch(np.stack(blurred), np.stack(sharp), blurs)

    def _sample(self, position: int) -> tuple[NDArray[np.float32], NDArray[np.float32], PSF | None]:
        """Channels, sharp image and blur of one image."""
        epoch, place = divmod(position, len(self.indices))
        index = int(self.indices[_order(self.seed, epoch, len(self.indices))[place]])
        rng = np.random.default_rng([self.seed, position, 1])
        pair = self.store.draw(index, rng, with_blur=self.inputs != IMAGE)
        blurred, stamps = pair.blurred, pair.blur and pair.blur.stamps
        if rng.random() < self.composite:
            blurred = blurred.with_flux(as_composite(blurred.flux))
        planes = [blurred.flux, pair.sharp.flux]
        if "weight" in self.inputs:
            planes.append(pixel_weights(blurred))
        flux = np.stack(planes)
        if rng.random() < self.grey:
            bands = flux.shape[1]
            band = rng.integers(bands)
            flux = np.repeat(flux[:, band : band + 1], bands, axis=1)
            if stamps is not None and len(stamps) > 1:
                stamps = stamps[band : band + 1]
        sky = robust_background(flux[0]) if blurred.sky is None else background_of(blurred)
        flux = _fitted(flux, self.size, rng)
        mirrored = rng.random() < 0.5
        turns = int(rng.integers(4)) if self.symmetry == "square" else 0
        flux = _turned(flux, mirrored, turns)
        blur = None
        if pair.blur is not None and stamps is not None:
            blur = PSF(_turned(stamps, mirrored, turns), pair.blur.pixel_scale)
        try:
            value = [to_network(self.stretch.forward(planes, sky)) for planes in flux[:2]]
            weight = flux[2] if len(flux) > 2 else None
            known = Known(value[0], flux[0], sky, blur, self.stretch, weight)
            channels = input_channels(self.inputs, known)
        except InputError as error:
            name = self.store.ids[index]
            raise InputError(f"{self.store.path}: object {name}: {error}") from error
        return channels, value[1], blur


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> NDArray[np.integer]:
    """In which order an epoch takes its objects: drawn once, for all of its samples."""
    return np.random.default_rng([seed, epoch]).permutation(count)


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


def _turned(planes: NDArray[np.float32], mirrored: bool, turns: int) -> NDArray[np.float32]:
    """Mirror left and right, then make so many quarter turns."""
    if mirrored:
        planes = planes[..., ::-1]
    return np.ascontiguousarray(np.rot90(planes, turns, axes=(-2, -1)))

"""What a network is told of an image: the image itself, and what is known of it.

A network names its channels (``inputs`` of its configuration, the image first); training's batches
and the restorer make them by the same functions, on a whole image, never on a tile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.deconvolution.bank import wiener_bank
from pellucid.errors import InputError
from pellucid.optics import block_mean
from pellucid.sky import PSF, Background, SkyImage
from pellucid.sky.psf import stamp_fwhm
from pellucid.stretch import Stretch, to_network

IMAGE = ("image",)
#: Of the Wiener filters: how much of the noise they are told of.
STRENGTHS = (0.1, 1.0, 10.0)
#: Planes of random numbers a band, from which a sampler draws.
DICE = 2
#: Sides in pixels of the squares on which the noise's grain is measured.
GRAINS = (1, 2, 4)
#: No pixel is worth more than this beside one of the sky.
HEAVIEST = 3.0


@dataclass(frozen=True, eq=False)
class Known:
    """What channels are made from.

    Parameters
    ----------
    value
        The image in the network's range [−1, 1], shape (band, y, x).
    flux
        The same in the image's unit.
    sky
        Its sky and noise.
    blur
        What is to be undone, in the image's pixels; None where it is not known.
    stretch
        Between both.
    weight
        How much each pixel is worth beside one of the sky, of `pixel_weights`; None where all are
        worth the same.
    seed
        Of what a sampler draws.
    signal, grains, whole
        Of a window what is of its whole image: `wiener_bank`'s signal, shape (band,),
        `noise_grains`, and (height, width).
    """

    value: NDArray[np.float32]
    flux: NDArray[np.float32]
    sky: Background
    blur: PSF | None
    stretch: Stretch
    weight: NDArray[np.float32] | None = None
    seed: int | tuple[int, ...] = 0
    signal: NDArray[np.floating] | None = None
    grains: NDArray[np.floating] | None = None
    whole: tuple[int, int] | None = None

    @cached_property
    def banks(self) -> NDArray[np.float32]:
        """Each band above its sky, deconvolved at each strength: (band, strength, y, x)."""
        sky = self.sky.sky[:, None, None]
        stamps = _known_blur(self).for_bands(len(self.flux))
        signal = [None] * len(stamps) if self.signal is None else self.signal
        bands = zip(self.flux - sky, stamps, signal, strict=True)
        sigma = self.sky.sigma
        whole = self.whole
        return np.stack([wiener_bank(band, k, sigma, STRENGTHS, s, whole) for band, k, s in bands])


def pixel_weights(image: SkyImage, of_sky: float | None = None) -> NDArray[np.float32]:
    """σ of the sky over that of each pixel, 0 where there is no data, shape (band, y, x).

    Only ratios within a band count, so that a variance plane may be wrong by a factor; the sky's
    is its median, or ``of_sky``.
    """
    weight = np.ones(image.flux.shape, dtype=np.float32)
    if image.variance is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            middle = of_sky or np.nanmedian(image.variance, axis=(1, 2), keepdims=True)
            weight = np.sqrt(middle / image.variance).astype(np.float32)
        weight = np.nan_to_num(np.minimum(weight, np.float32(HEAVIEST)), copy=False)
    if image.mask is not None:
        weight[image.mask] = 0.0
    weight[~np.isfinite(image.flux)] = 0.0
    return weight


class Channel(NamedTuple):
    """How many planes it has for each band, how many beside these, and how they are made."""

    a_band: int
    shared: int
    make: Callable[[Known], NDArray[np.float32]]


def input_channels(inputs: Sequence[str], known: Known) -> NDArray[np.float32]:
    """The channels by name, shape (channel, y, x)."""
    made = [CHANNELS[name].make(known) for name in inputs]
    return made[0] if len(made) == 1 else np.concatenate(made)


def channel_planes(inputs: Sequence[str], known: Known) -> list[NDArray[np.float32]]:
    """The planes of the channels, each of shape (y, x); constant ones take no memory."""
    return [plane for name in inputs for plane in CHANNELS[name].make(known)]


def network_inputs(network: Mapping[str, Any]) -> tuple[str, ...]:
    """The channels that a network's configuration names; the image alone where it names none."""
    return tuple(network.get("inputs", IMAGE))


def channel_count(inputs: Sequence[str], bands: int) -> int:
    """How many planes the channels have for an image of so many bands."""
    return sum(CHANNELS[name].a_band * bands + CHANNELS[name].shared for name in inputs)


def starting_planes(inputs: Sequence[str], bands: int) -> slice:
    """The planes, one a band, to which a network adds what it draws.

    What Wiener's filter makes of the band where the network is told, else the band itself. A slice,
    because a list of them would be sent to a GPU at each call.
    """
    first = 0
    for name in inputs:
        if name == "wiener":
            count = CHANNELS[name].a_band
            return slice(first + STRENGTHS.index(1.0), first + count * bands, count)
        first += CHANNELS[name].a_band * bands + CHANNELS[name].shared
    return slice(0, bands)


def reordered(inputs: Sequence[str], order: Sequence[int], bands: int) -> list[int]:
    """Which planes of the channels of so many bands make those of an image that has these bands."""
    planes: list[int] = []
    first = 0
    for name in inputs:
        own, shared, _ = CHANNELS[name]
        planes += [first + band * own + k for band in order for k in range(own)]
        first += bands * own
        planes += range(first, first + shared)
        first += shared
    return planes


def groups_of(bands: int, together: int) -> list[tuple[int, ...]]:
    """Which bands a network takes together that takes so many at a time.

    Neighbours; where some are missing, those before the last ones come again, or the last does.
    """
    if bands <= together:
        return [tuple(min(band, bands - 1) for band in range(together))]
    last = tuple(range(bands - together, bands))
    full = range(0, bands - together + 1, together)
    groups = [tuple(range(first, first + together)) for first in full]
    return groups if bands % together == 0 else [*groups, last]


def _known_blur(known: Known) -> PSF:
    if known.blur is None:
        raise InputError(
            "the network must know the blur: --blur FWHM_ARCSEC or KERNEL.fits, or --psf and "
            "--target, from Python restorer(image, blur=…)"
        )
    return known.blur


def _fwhm(known: Known) -> NDArray[np.float32]:
    """ln of the FWHM of each band's blur in pixels, constant planes."""
    widths = np.log([stamp_fwhm(stamp) for stamp in _known_blur(known).stamps])
    values = widths.astype(np.float32).reshape(-1, 1, 1)
    return np.broadcast_to(values, known.value.shape)


def _grain(known: Known) -> NDArray[np.float32]:
    """Those of `noise_grains`, constant planes."""
    values = known.grains
    values = noise_grains(known.flux, known.sky.sigma) if values is None else values
    values = values.astype(np.float32).reshape(-1, 1, 1)
    return np.broadcast_to(values, (len(values), *known.flux.shape[1:]))


def noise_grains(flux: NDArray[np.floating], sigma: float) -> NDArray[np.floating]:
    """ln of the noise on squares of several sides over what white noise has, (band, `GRAINS`).

    A resampled image's noise is smooth, and a noisy sky that was blurred shows at the blur's scale.
    """
    values = np.zeros((len(flux), len(GRAINS)))
    for plane, found in zip(flux, values, strict=True):
        for k, side in enumerate(GRAINS):
            if min(plane.shape) >= 4 * side:
                ratio = side * grain(block_mean(plane, side, side)) / sigma
                found[k] = np.log(np.clip(ratio, 0.05, 20.0)) if ratio > 0 else 0.0
    return values


def grain(plane: NDArray[np.floating]) -> float:
    """Standard deviation of white noise in a plane (y, x), whatever smooth light lies beneath.

    The median absolute value of the second difference along both axes, which smooth light does not
    reach (Immerkær 1996, CVIU 64, 300, doi:10.1006/cviu.1996.0060; there its mean). Where there is
    no data, NaN, there is no difference; 0 without any.
    """
    along = plane[:, :-2] - 2.0 * plane[:, 1:-1] + plane[:, 2:]
    second = along[:-2] - 2.0 * along[1:-1] + along[2:]
    second = np.abs(second[np.isfinite(second)])
    return float(np.median(second)) / (0.6745 * 6.0) if second.size else 0.0


def _wiener(known: Known) -> NDArray[np.float32]:
    """What Wiener's filter makes of each band at each strength, in the network's range."""
    sky = known.sky.sky[:, None, None]
    # A strength at a time, each band above its own sky; then the strengths of a band together.
    values = [
        to_network(known.stretch.forward(planes + sky, known.sky))
        for planes in known.banks.swapaxes(0, 1)
    ]
    return np.stack(values, axis=1).reshape(-1, *known.value.shape[1:])


def _weight(known: Known) -> NDArray[np.float32]:
    """What each pixel is worth beside one of the sky."""
    if known.weight is None:
        return np.ones_like(known.value)
    return known.weight


def _dice(known: Known) -> NDArray[np.float32]:
    """Random numbers of standard deviation 1: one plane that all bands share, and one of each.

    An arm that is drawn in one band is drawn in all, or samples would be a play of colours.
    """
    bands, height, width = known.value.shape
    seed = known.seed if isinstance(known.seed, tuple) else (known.seed,)
    dice = np.empty((bands, DICE, height, width), dtype=np.float32)
    dice[:, 0] = np.random.default_rng(seed[0]).standard_normal((height, width), dtype=np.float32)
    own = np.random.default_rng([*seed, 1])
    dice[:, 1:] = own.standard_normal((bands, DICE - 1, height, width), dtype=np.float32)
    return dice.reshape(DICE * bands, height, width)


def _guide(known: Known) -> NDArray[np.float32]:
    """The mean of all bands, each in the units of its noise and deconvolved, one plane."""
    middle = known.banks[:, STRENGTHS.index(1.0)]
    mean = middle.mean(axis=0, dtype=np.float32, keepdims=True)
    one = Background(np.zeros(1, dtype=np.float32), known.sky.sigma)
    return to_network(known.stretch.forward(mean, one))


CHANNELS = {
    "image": Channel(1, 0, lambda known: known.value),
    "fwhm": Channel(1, 0, _fwhm),
    "grain": Channel(len(GRAINS), 0, _grain),
    "wiener": Channel(len(STRENGTHS), 0, _wiener),
    "weight": Channel(1, 0, _weight),
    "guide": Channel(0, 1, _guide),
    "dice": Channel(DICE, 0, _dice),
}

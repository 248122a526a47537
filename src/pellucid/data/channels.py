"""What a network is told of an image: the image itself, and what is known of it.

A network names its channels (``inputs`` of its configuration, the image first); training's batches
and the restorer make them by the same functions, on a whole image, never on a tile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.sky import PSF, Background

IMAGE = ("image",)


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
    """

    value: NDArray[np.float32]
    flux: NDArray[np.float32]
    sky: Background
    blur: PSF | None


class Channel(NamedTuple):
    """How many planes it has for an image of so many bands, and how they are made."""

    planes_for: Callable[[int], int]
    make: Callable[[Known], NDArray[np.float32]]


def input_channels(inputs: Sequence[str], known: Known) -> NDArray[np.float32]:
    """The channels by name, shape (channel, y, x)."""
    return np.concatenate([CHANNELS[name].make(known) for name in inputs])


def network_inputs(network: Mapping[str, Any]) -> tuple[str, ...]:
    """The channels that a network's configuration names; the image alone where it names none."""
    return tuple(network.get("inputs", IMAGE))


def channel_count(inputs: Sequence[str], bands: int) -> int:
    """How many planes the channels have for an image of so many bands."""
    return sum(CHANNELS[name].planes_for(bands) for name in inputs)


def _fwhm(known: Known) -> NDArray[np.float32]:
    """ln of the blur's FWHM in pixels, one plane."""
    if known.blur is None:
        raise InputError(
            "the network must know the blur: --blur FWHM_ARCSEC or KERNEL.fits, or --psf and "
            "--target, from Python restorer(image, blur=…)"
        )
    value = np.log(known.blur.fwhm / known.blur.pixel_scale)
    return np.full((1, *known.value.shape[1:]), value, dtype=np.float32)


CHANNELS = {
    "image": Channel(lambda bands: bands, lambda known: known.value),
    "fwhm": Channel(lambda bands: 1, _fwhm),
}

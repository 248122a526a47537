"""A network for bands in the order and the number that an image has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pellucid.restoration.engine import Network
from pellucid.sky import Background
from pellucid.stretch import Stretch, from_network, to_network


def in_order(
    network: Network,
    order: Sequence[int],
    planes: Sequence[int],
    stretch: Stretch,
    sky: Background,
) -> Network:
    """The network of an image whose bands stand in its channels in this order.

    A band that stands in several becomes the mean of their fluxes, tile by tile: a frame holds each
    band once.

    Parameters
    ----------
    order
        The image's band of each of the network's.
    planes
        Which of the image's channels make each of the network's.
    stretch, sky
        Between flux and what the network sees; the sky of the image's bands.
    """
    sources = [[k for k, source in enumerate(order) if source == b] for b in range(len(sky.sky))]

    def mean_flux(values: NDArray[np.float32], band: int) -> NDArray[np.float32]:
        if len(values) == 1:
            return values
        own = Background(sky.sky[[band] * len(values)], sky.sigma)
        mean = stretch.inverse(from_network(values), own).mean(axis=0, keepdims=True)
        return to_network(stretch.forward(mean, Background(sky.sky[[band]], sky.sigma)))

    def restored(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        found = network(tiles[:, list(planes)])
        bands = [
            [mean_flux(tile[which], band) for band, which in enumerate(sources)] for tile in found
        ]
        return np.stack([np.concatenate(tile) for tile in bands])

    return restored

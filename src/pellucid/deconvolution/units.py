"""Flux in units of its own noise, so that a method works alike in any unit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.sky.background import robust_background


class Unit(NamedTuple):
    """Where a band's sky lies, and what one of its noise is, in the band's unit."""

    sky: float
    scale: float

    def above(self, plane: NDArray[np.floating]) -> NDArray[np.float32]:
        """Flux above the sky in units of the noise."""
        above = np.subtract(plane, np.float32(self.sky), dtype=np.float32)
        above /= np.float32(self.scale)
        return above

    def restore(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Back from units of the noise, in place."""
        plane *= np.float32(self.scale)
        plane += np.float32(self.sky)
        return plane


def unit_of(plane: NDArray[np.floating]) -> Unit:
    """The sky and the noise of one band, shape (y, x); a band without noise has that of its peak.

    A thousandth of it, and 1 in a constant band.
    """
    found = robust_background(plane[None])
    sky, scale = float(found.sky[0]), found.sigma
    if not scale > 0:
        scale = 1e-3 * max(float(plane.max()) - sky, sky - float(plane.min()))
    return Unit(sky, scale or 1.0)


def in_noise_units(plane: NDArray[np.floating]) -> tuple[NDArray[np.float32], Unit]:
    """A band above its sky in units of its noise, and the unit that it had."""
    unit = unit_of(plane)
    return unit.above(plane), unit

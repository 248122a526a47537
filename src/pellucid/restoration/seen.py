"""What a window of a large image is told of the whole, so that all windows are treated alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen of a whole image of which a window is at hand.

    Parameters
    ----------
    signal, grains
        As `pellucid.data.channels.Known` has them.
    shape
        (height, width) of it, in pixels of the work.
    chance
        What noise does at the psf's scale, over what white noise does: the spread of
        `pellucid.restoration.explained` and that of `pellucid.restoration.doubt.Doubt`, shape
        (2, band). None before it is known.
    core
        Rows and columns of the window, in pixels of the work, whose sums count.
    """

    signal: NDArray[np.floating]
    grains: NDArray[np.floating]
    shape: tuple[int, int]
    chance: NDArray[np.floating] | None = None
    core: tuple[slice, slice] | None = None

    def of_bands(self, some: Sequence[int]) -> Seen:
        """What was seen of some bands."""
        chance = None if self.chance is None else self.chance[:, some]
        signal, grains = self.signal[some], self.grains[some]
        return replace(self, signal=signal, grains=grains, chance=chance)

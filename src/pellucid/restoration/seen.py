"""What a window of a large image is told of the whole, so that all windows are treated alike."""

from __future__ import annotations

from dataclasses import dataclass

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
    core
        Rows and columns of the window, in pixels of the work, whose sums count.
    """

    signal: NDArray[np.floating]
    grains: NDArray[np.floating]
    shape: tuple[int, int]
    core: tuple[slice, slice] | None = None

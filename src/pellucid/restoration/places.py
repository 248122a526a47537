"""Where the pieces of a large image lie."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Place:
    """Where a piece lies in its image, in pixels of it.

    Parameters
    ----------
    core
        Rows and columns that it gives to the result.
    window
        Rows and columns that it is made from.
    shape
        (height, width) of the image.
    """

    core: tuple[slice, slice]
    window: tuple[slice, slice]
    shape: tuple[int, int]

    def inner(self, finer: int = 1) -> tuple[slice, slice]:
        """The core in its window, in pixels of which ``finer`` are a side of one."""
        rows, columns = (
            slice(finer * (core.start - around.start), finer * (core.stop - around.start))
            for core, around in zip(self.core, self.window, strict=True)
        )
        return rows, columns


def places(shape: tuple[int, int], core: int, halo: int) -> list[Place]:
    """The pieces of an image of this (height, width), row after row."""
    along = [
        [
            (slice(k, min(k + core, side)), slice(max(k - halo, 0), min(k + core + halo, side)))
            for k in range(0, side, core)
        ]
        for side in shape
    ]
    return [Place((y, x), (down, across), shape) for (y, down), (x, across) in product(*along)]

"""A large image that is read a window at a time, and what varies smoothly over it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pellucid.sky.image import SkyImage

#: Sides in pixels of what stands for the whole where something is measured on a part of it.
MIDDLE = 1024


class Field(Protocol):
    """An image whose pixels may lie in a file.

    ``frame`` is all that is known of it but its pixels: its planes hold one value, have the
    image's shape and take no memory.
    """

    @property
    def frame(self) -> SkyImage: ...

    def window(self, rows: slice, columns: slice) -> SkyImage:
        """The flux, the variance and the mask of a part."""
        ...


@dataclass(frozen=True, eq=False)
class HeldField:
    """An image in memory as a field."""

    image: SkyImage

    @property
    def frame(self) -> SkyImage:
        return emptied(self.image)

    def window(self, rows: slice, columns: slice) -> SkyImage:
        some = (slice(None), rows, columns)
        of_it = self.image
        return replace(
            of_it,
            flux=of_it.flux[some],
            variance=None if of_it.variance is None else of_it.variance[some],
            mask=None if of_it.mask is None else of_it.mask[some],
            wcs=None,
            header=None,
            layout=None,
        )


def emptied(image: SkyImage, shape: tuple[int, int, int] | None = None) -> SkyImage:
    """The image, of a ``shape``, with planes of one value, which take no memory."""
    variance, mask = image.variance, image.mask
    shape = shape or image.shape
    return replace(
        image,
        flux=np.broadcast_to(np.float32(0.0), shape),
        variance=None if variance is None else np.broadcast_to(np.float32(1.0), shape),
        mask=None if mask is None else np.broadcast_to(np.False_, shape),
    )


def middle_of(field: Field, side: int = MIDDLE) -> tuple[slice, slice]:
    """The rows and the columns of a square about the middle."""
    places = []
    for length in field.frame.shape[1:]:
        first = max(0, (length - side) // 2)
        places.append(slice(first, min(first + side, length)))
    return places[0], places[1]


def middle_image(field: Field, side: int = MIDDLE) -> SkyImage:
    """That square, with all that is known of the whole."""
    place, frame = middle_of(field, side), field.frame
    wcs = None if frame.wcs is None else frame.wcs[place]
    part = field.window(*place)
    return replace(part, wcs=wcs, psf=frame.psf, header=frame.header, notes=frame.notes)


@dataclass(frozen=True, eq=False)
class Smooth:
    """Values at nodes, and between them what varies linearly; beyond the last ones theirs.

    Parameters
    ----------
    rows, columns
        Where the nodes lie, in pixels, ascending.
    values
        Shape (band, row, column), float64.
    """

    rows: NDArray[np.floating]
    columns: NDArray[np.floating]
    values: NDArray[np.floating]

    def __call__(
        self, rows: NDArray[np.floating], columns: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """The values at some rows and columns; of one node shape (band, 1, 1)."""
        if self.values.shape[1:] == (1, 1):
            return self.values.astype(np.float32)
        (y, down), (x, along) = _between(rows, self.rows), _between(columns, self.columns)
        lines = self.values[:, y] * (1.0 - down)[:, None]
        lines += self.values[:, np.minimum(y + 1, len(self.rows) - 1)] * down[:, None]
        last = np.minimum(x + 1, len(self.columns) - 1)
        return (lines[:, :, x] * (1.0 - along) + lines[:, :, last] * along).astype(np.float32)


def _between(
    places: NDArray[np.floating], nodes: NDArray[np.floating]
) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
    """Which node lies before each place, and how far it is from there to the next."""
    place = np.interp(places, nodes, np.arange(len(nodes)))
    before = place.astype(np.intp)
    return before, place - before

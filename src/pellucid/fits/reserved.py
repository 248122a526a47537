"""An HDU whose pixels are put in after its file has been laid out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.fits.cards import with_lasting_cards

if TYPE_CHECKING:
    from astropy.io.fits import Header


@dataclass(eq=False)
class Reserved:
    """What is known of it: its header, the shape and the type of its pixels, and its planes.

    ``planes`` are the numbers of those that belong there, in their order.
    """

    header: Header
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    planes: tuple[int, ...]

    @property
    def name(self) -> str:
        return str(self.header.get("EXTNAME", "")).upper()

    @property
    def size(self) -> int:
        """Bytes of its pixels."""
        return math.prod(self.shape) * self.dtype.itemsize


def is_blank(planes: NDArray[Any]) -> bool:
    """Whether each plane is one number, which takes no memory and stands for pixels to come."""
    return planes.ndim > 1 and planes.size > 1 and planes.strides[-2:] == (0, 0)


def blank_planes(first: int, shape: tuple[int, int, int], kind: Any = np.float32) -> NDArray[Any]:
    """Planes (band, y, x) that stand for pixels to come, numbered from ``first``."""
    numbers = np.arange(first, first + shape[0]).astype(kind)
    return np.broadcast_to(numbers[:, None, None], shape)


def stacked_planes(planes: list[NDArray[Any]]) -> NDArray[Any]:
    """Planes (y, x) as one array, which takes no memory where theirs do not."""
    if all(map(is_blank, planes)):
        few = np.stack([plane[:1, :1] for plane in planes])
        return np.broadcast_to(few, (len(planes), *planes[0].shape))
    return np.stack(planes)


def reserved_hdu(planes: NDArray[Any], header: Header, primary: bool) -> Reserved:
    """The HDU of blank planes with a header's lasting cards."""
    from astropy.io import fits

    dtype = np.dtype(np.uint8 if planes.dtype.itemsize == 1 else ">f4")
    small = np.zeros((1,) * planes.ndim, dtype)
    made: Any = fits.PrimaryHDU(small) if primary else fits.ImageHDU(small)
    found = with_lasting_cards(made.header.cards, header)
    for axis, side in enumerate(reversed(planes.shape), 1):
        found[f"NAXIS{axis}"] = side
    numbers = tuple(int(number) for number in planes[..., 0, 0].ravel())
    return Reserved(found, planes.shape, dtype, numbers)

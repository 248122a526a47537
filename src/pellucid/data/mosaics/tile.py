"""One image of a mosaic: its header in memory, its pixels in the file."""

from __future__ import annotations

import atexit
import math
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.data.mosaics.geometry import pixel_of
from pellucid.data.mosaics.zero_point import zero_point_of
from pellucid.errors import TemporaryError, one_line, refusal
from pellucid.fits import FitsFile, band_names_of, chosen_hdus, open_fits, text_card
from pellucid.quiet import quiet
from pellucid.sky import PSF

if TYPE_CHECKING:
    from astropy.wcs import WCS


@dataclass(frozen=True, eq=False)
class Tile:
    """One image of a mosaic.

    Parameters
    ----------
    path
        The file as the user named it.
    hdu
        Number of the HDU.
    wcs
        Celestial.
    shape
        (y, x), pixels.
    psf
        In the tile's own pixels; None where unknown.
    unit
        As BUNIT has it, or None.
    zero_point
        AB magnitude of one unit of flux, as the header has it, or None.
    zero_is_gap
        Whether patches of exactly 0 were never exposed: so in drizzled images, not in integers.
    gain
        What its pixels are multiplied by, to have the zero point of the mosaic.
    unpacked
        Where a gzipped file lies unpacked.
    bands
        As the header names them.
    """

    path: Path
    hdu: int
    wcs: WCS
    shape: tuple[int, int]
    psf: PSF | None = None
    unit: str | None = None
    zero_point: float | None = None
    zero_is_gap: bool = True
    gain: float = 1.0
    unpacked: Path | None = None
    bands: tuple[str, ...] = ()

    def pixel_of(self, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.float64]:
        """Pixels (y, x) of places on the sky (ICRS, deg), shape (…, 2)."""
        return pixel_of(self.wcs, ra, dec)

    def holds(self, places: NDArray[np.floating]) -> bool:
        """Whether all of these pixels (y, x) lie on the tile."""
        return bool(((places >= -0.5) & (places <= np.array(self.shape) - 0.5)).all())

    def box(self, places: NDArray[np.floating]) -> tuple[slice, slice]:
        """The smallest part (rows, columns) of the tile around these pixels (y, x)."""
        low = np.maximum(np.floor(places.min(axis=0) + 0.5), 0).astype(int)
        high = np.minimum(np.ceil(places.max(axis=0) + 0.5), self.shape).astype(int)
        return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))

    def read(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """A part of the tile, NaN where it has no data; nothing else is read or decompressed.

        Of several bands it is the first.
        """
        from astropy.io import fits

        path = self.unpacked or self.path
        try:
            # Not memory-mapped: mapped pixels cannot be scaled, and count as memory.
            with quiet(), fits.open(path, memmap=False, lazy_load_hdus=True, uint=False) as opened:
                image: Any = opened[self.hdu]
                values = np.asarray(image.section[..., rows, columns])
        except MemoryError:
            raise TemporaryError(f"{self.path}: a window does not fit in memory") from None
        except Exception as error:  # the tile decoders raise whatever they stumble over
            fault = f"HDU {self.hdu} cannot be read ({one_line(error)})"
            raise refusal(self.path, fault, "fetch the file again") from error
        flux = values.reshape(-1, *values.shape[-2:])[0].astype(np.float32)
        if self.zero_is_gap:
            flux[_patches(flux == 0.0)] = np.nan
        return flux if self.gain == 1.0 else flux * np.float32(self.gain)


def open_tile(path: Path, hdu: str | int | None = None, bands: bool = False) -> Tile:
    """Read the header of a tile, which may hold several ``bands``; errors as of `open_mosaic`."""
    with open_fits(path) as file:
        chosen = chosen_hdus(file, hdu)
        if len(chosen) > 1 and not bands:
            names = ", ".join(map(str, chosen))
            raise file.refuse("holds several images", f"choose one of {names}")
        image = chosen[0]
        if math.prod(image.shape[:-2]) != 1 and not bands:
            raise file.refuse(f"HDU {image} is a cube", "a mosaic has (y, x)")
        wcs = file.wcs(image)
        if wcs is None:
            fault = f"HDU {image} has no celestial WCS"
            raise file.refuse(fault, "add its CTYPE, CRVAL, CRPIX and CD")
        headers = (image.header, file.hdus[0].header)
        height, width = image.shape[-2:]
        return Tile(
            path,
            image.number,
            wcs,
            (height, width),
            unit=next(filter(None, (text_card(cards, "BUNIT") for cards in headers)), None),
            zero_point=zero_point_of(headers),
            zero_is_gap=image.bitpix < 0,
            unpacked=_unpacked(file),
            bands=tuple(
                name
                for each in chosen
                for name in band_names_of(file.header(each), math.prod(each.shape[:-2]))
            ),
        )


def _patches(zero: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those that lie in blocks of 3×3: a lone 0 is a value, and lossy compression makes many."""
    if not zero.any():
        return zero
    from scipy.ndimage import binary_dilation, binary_erosion

    block = np.ones((3, 3), dtype=bool)
    middles = np.asarray(binary_erosion(zero, block, border_value=1), dtype=bool)
    return np.asarray(binary_dilation(middles, block), dtype=bool) & zero


# Windows are read again and again, and packed ones cannot be read from the middle.
_unpacked_files: dict[tuple[str, int, int], Path] = {}


def _unpacked(file: FitsFile) -> Path | None:
    """A temporary copy of a packed file, gone when the program ends; None for a plain one."""
    with file.path.open("rb") as packed:
        if packed.read(9) == b"SIMPLE  =":
            return None
    state = file.path.stat()
    key = (str(file.path.resolve()), state.st_mtime_ns, state.st_size)
    if key not in _unpacked_files:
        try:
            descriptor, name = tempfile.mkstemp(dir=_folder(), suffix=".fits")
            with os.fdopen(descriptor, "wb") as copy:
                file.stream.seek(0)
                shutil.copyfileobj(file.stream, copy, 2**20)
        except OSError as error:
            raise TemporaryError(f"{file.path}: no room to unpack it ({error.strerror})") from error
        _unpacked_files[key] = Path(name)
    return _unpacked_files[key]


@cache
def _folder() -> str:
    folder = tempfile.mkdtemp(prefix="pellucid-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder

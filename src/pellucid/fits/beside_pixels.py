"""Planes that a restoration's file holds beside its pixels: uncertainty, doubt, samples."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.fits.cards import text_card
from pellucid.fits.file import open_fits
from pellucid.fits.hdu import HDU
from pellucid.fits.layout import Part
from pellucid.fits.restored import EARLIER
from pellucid.fits.roles import OF, called
from pellucid.quiet import quiet
from pellucid.sky.image import SkyImage


def planes_beside(
    image: SkyImage, wanted: tuple[str, ...] = EARLIER
) -> dict[str, NDArray[np.float32]]:
    """What the file that an image was read from holds of its pixels.

    Parameters
    ----------
    wanted
        Of `EARLIER`, the beginnings of the names.

    Returns
    -------
    dict
        Shape (band, y, x), NaN in bands that it says nothing of, by the extensions' names.
    """
    bands, order = _bands_of(image)
    named: dict[str, list[Part]] = defaultdict(list)
    for part in getattr(image.layout, "parts", ()):
        if text_card(part.header, "PLCROLE") in wanted and part.raw:
            named[text_card(part.header, "EXTNAME").upper()].append(part)
    found: dict[str, NDArray[np.float32]] = {}
    for name, of_it in named.items():
        cube = np.full(image.shape, np.nan, np.float32)
        for part in of_it:
            planes = _pixels(part.raw)
            if planes.shape[1:] != cube.shape[1:]:
                continue
            _put(cube, planes, bands.get(text_card(part.header, OF), order))
            found[name] = cube
    return found


@contextmanager
def windows_beside(
    path: str | os.PathLike[str], frame: SkyImage, wanted: tuple[str, ...] = EARLIER
) -> Iterator[dict[str, Callable[[slice, slice], NDArray[np.float32]]]]:
    """The same of a file that is not in memory: by name, what reads rows and columns of a plane.

    ``frame`` is the image without its pixels.
    """
    bands, order = _bands_of(frame)
    with open_fits(path) as file:
        named: dict[str, list[tuple[HDU, Sequence[int]]]] = defaultdict(list)
        for hdu in file.hdus:
            there = hdu.shape[-2:] == frame.shape[1:]
            if there and text_card(hdu.header, "PLCROLE") in wanted:
                of = bands.get(text_card(hdu.header, OF), order)
                named[hdu.name].append((hdu, of))

        def reader(hdus: list[tuple[HDU, Sequence[int]]]) -> Any:
            def read(rows: slice, columns: slice) -> NDArray[np.float32]:
                sides = rows.stop - rows.start, columns.stop - columns.start
                cube = np.full((len(frame.bands), *sides), np.nan, np.float32)
                for hdu, of in hdus:
                    planes = file.at(rows, columns).pixels(hdu).reshape(-1, *sides)
                    _put(cube, planes, of)
                return cube

            return read

        yield {name: reader(hdus) for name, hdus in named.items()}


def _bands_of(image: SkyImage) -> tuple[dict[str, tuple[int, ...]], list[int]]:
    """The places of the bands of each HDU that holds some, by its name, and all in their order."""
    parts = getattr(image.layout, "parts", ())
    bands = {called(part.header): part.planes for part in parts if part.role == "bands"}
    return bands, [k for planes in bands.values() for k in planes]


def _put(cube: NDArray[Any], planes: NDArray[Any], of: Sequence[int]) -> None:
    """Put planes where they belong; one without a band's name serves all bands."""
    for place, k in enumerate(k for k in of if k < len(cube)):
        cube[k] = planes[min(place, len(planes) - 1)]


def _pixels(raw: bytes) -> NDArray[Any]:
    """The planes of an HDU that was copied as it stands in its file."""
    from astropy.io import fits

    primary = fits.PrimaryHDU().header.tostring().encode("ascii")
    with quiet(), fits.HDUList.fromstring(primary + raw) as hdus:
        hdu: Any = hdus[1]
        data = hdu.data
    return np.asarray(data).reshape(-1, *data.shape[-2:])

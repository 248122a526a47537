"""How a FITS file is built, so that what is written is built as what was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pellucid.fits.cards import shared_cards, with_inherited, without_wcs
from pellucid.fits.choose import Plane
from pellucid.fits.coordinates import scale_card
from pellucid.fits.file import FitsFile
from pellucid.sky.distortion import has_tables, without_tables

if TYPE_CHECKING:
    from astropy.io.fits import Header

    from pellucid.sky.image import SkyImage


#: Bytes of what is copied beside an image that is not read whole.
MOST_COPIED = 2**24


@dataclass(frozen=True)
class Part:
    """One HDU of a file to be written: ``bands``, a ``header`` without data, or one that is copied.

    What is copied has its own role.
    """

    role: str
    header: Header
    planes: tuple[int, ...] = ()  # of the flux, which it holds or accompanies
    cube: bool = False  # whether its pixels have a band axis
    raw: bytes = b""  # of what is copied, as it was read
    read: bool = False  # whether the image's variance, weight or mask was made of it
    stored: tuple[int, ...] = ()  # the shape of bands in the file, where it may have idle axes


@dataclass(frozen=True, eq=False)
class Layout:
    """How the file that an image came from is built: its HDUs in their order."""

    parts: tuple[Part, ...]
    shape: tuple[int, int, int] = (0, 0, 0)  # (band, y, x) of the image
    #: As they were read: while an image carries these very arrays, HDUs are copied, not made anew.
    variance: NDArray[np.floating] | None = None
    mask: NDArray[np.bool_] | None = None
    #: The variance that stood in files of their own, in the pixels of these.
    beside: NDArray[np.floating] | None = None
    #: Whether what is written of them says again which pixels are not used.
    told: bool = False
    #: Side of a pixel of the image in pixels of the file.
    ratio: float = 1.0
    #: Bands that were not chosen; parts count their planes after those of the image.
    rest: SkyImage | None = None


def layout_of(file: FitsFile, planes: Sequence[Plane]) -> Layout:
    """The HDUs to write again: bands in their place, all others as bytes."""
    parts: list[Part] = []
    of_band: list[tuple[int, ...]] = []  # the flux's planes of each HDU that is a band
    count = 0
    for plane in planes:
        if plane.use == "band":
            depth = plane.hdu.shape[0] if len(plane.hdu.shape) == 3 else 1
            of_band.append(tuple(range(count, count + depth)))
            count += depth
    for plane in planes:
        hdu = plane.hdu
        if file.window is not None and plane.use != "band" and hdu.size > MOST_COPIED:
            file.note(f"HDU {hdu} is not copied: the image is restored piece by piece")
            continue
        cube = len(hdu.shape) == 3
        of_it = tuple(k for band in plane.bands for k in of_band[band])
        if plane.use == "band":
            parts.append(Part("bands", hdu.header, of_it, cube, stored=hdu.stored))
        elif plane.role == "header":
            parts.append(Part("header", hdu.header))
        else:
            read = plane.use == "read"
            parts.append(Part(plane.role, hdu.header, of_it, cube, file.raw(hdu), read))
    return Layout(tuple(parts))


def placed(header: Header, image: SkyImage) -> Header:
    """A header whose cards place pixels on the sky as the image lies there."""
    if image.wcs is not None:
        header = without_wcs(header)
        wcs = image.wcs
        if has_tables(wcs):
            wcs = without_tables(wcs, image.shape[1:])
        for card in wcs.to_header(relax=True).cards:
            header[card.keyword] = (card.value, card.comment)
    if image.pixel_scale and scale_card(header) != image.pixel_scale:
        header = header.copy()
        header["PIXSCALE"] = (image.pixel_scale, "[arcsec] per pixel")
    return header


def merged(layouts: Sequence[Layout], names: Sequence[str]) -> Layout:
    """One file for several: an empty primary HDU, then a band an extension with its companions.

    EXTVER ties each band to its companions.
    """
    primaries = [layout.parts[0].header for layout in layouts]
    parts = [Part("header", shared_cards(primaries))]
    for k, (layout, name) in enumerate(zip(layouts, names, strict=True)):
        for part in layout.parts:
            if part.role == "header":
                continue
            header = part.header.copy()
            if part.role == "bands":
                header = with_inherited(header, primaries[k])
                header["EXTNAME"] = name
            header["EXTVER"] = k + 1
            parts.append(replace(part, header=header, planes=(k,)))
    return Layout(tuple(parts))

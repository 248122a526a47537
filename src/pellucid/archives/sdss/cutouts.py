"""Windows around objects, cut out of the frames of a drift scan in whole pixels.

Along the scan a field goes on in the next one, pixel on pixel, so a window may take rows from
both; nothing is resampled, and white noise stays white.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.archives.bring import RejectedError
from pellucid.archives.sdss.frames import read_frame
from pellucid.archives.sdss.sample import SdssGalaxy
from pellucid.data.mosaics.geometry import pixel_of
from pellucid.errors import refusal
from pellucid.files import make_folder
from pellucid.fits import Card, text_card, wcs_cards, write_image
from pellucid.quiet import quiet
from pellucid.sky.image import SkyImage

BANDS = ("g", "r", "i")
#: The band whose astrometry the other two are laid on, as the survey's own is tied to r.
REFERENCE = "r"
#: How far, in pixels, the WCS of two fields may be from agreeing that they share a grid.
_ALIGNED = 0.3


def cut_window(frame_at: Callable[[int], SkyImage], ra: float, dec: float, size: int) -> SkyImage:
    """The square window whose middle is the pixel nearest to a position.

    Parameters
    ----------
    frame_at
        The frame of the object's own field for 0, of the one before it along the scan for −1,
        of the one after it for +1; flux of shape (1, y, x), the scan runs along y.
    ra, dec
        Position in deg (ICRS).
    size
        Pixels a side.

    Returns
    -------
    SkyImage
        Shape (1, size, size), with the frame's unit, header and WCS, its CRPIX moved.

    Raises
    ------
    RejectedError
        When the frames do not hold all of the window's pixels.
    """
    own = frame_at(0)
    _, height, width = own.shape
    y, x = _pixel(own, ra, dec)
    bottom, left = np.round(np.subtract((y, x), (size - 1) / 2))
    if not -size < bottom < height:  # a place without pixels is NaN
        raise RejectedError("its field does not show it")
    if not 0 <= left <= width - size:
        raise RejectedError("lies within half a window of the left or right edge of its field")
    left, bottom = int(left), int(bottom)
    flux = np.full((size, size), np.nan, np.float32)
    assert own.header is not None
    assert own.wcs is not None
    header = own.header.copy()
    for step, first, end in (
        (0, max(bottom, 0), min(bottom + size, height)),
        (-1, bottom, 0),
        (1, height, bottom + size),
    ):
        if first >= end:
            continue
        frame = frame_at(step)
        dx, dy = _offset(own, frame, x, first if step > 0 else end - 1) if step else (0, 0)
        _, rows, columns = frame.shape
        if min(first + dy, left + dx) < 0 or end + dy > rows or left + dx + size > columns:
            raise RejectedError("the neighbouring field does not continue its own far enough")
        flux[first - bottom : end - bottom] = frame.flux[
            0, first + dy : end + dy, left + dx : left + dx + size
        ]
        if step:
            of = f"of the {'next' if step > 0 else 'previous'} field"
            header.add_history(f"rows {first - bottom} to {end - bottom - 1} are {of}")
    if not np.isfinite(flux).all():
        raise RejectedError("has pixels without a value")
    wcs = own.wcs.deepcopy()
    wcs.wcs.crpix = wcs.wcs.crpix - (left, bottom)
    wcs.pixel_shape = (size, size)
    return SkyImage(flux, bands=own.bands, unit=own.unit, wcs=wcs, header=header)


def sky_of(image: SkyImage, x: float, y: float) -> tuple[float, float]:
    """(ra, dec) in deg (ICRS) of a place in an image."""
    wcs: Any = image.wcs
    with quiet():
        sky = wcs.pixel_to_world(x, y).icrs
    return float(sky.ra.deg), float(sky.dec.deg)


def write_cutouts(folder: Path, galaxy: SdssGalaxy, cutouts: Mapping[str, SkyImage]) -> None:
    """Write one file a band: ``<id>/<id>-g.fits`` and so on.

    The bands of a drift scan are not on one grid: whole pixels leave up to half of one between
    them. All get the WCS of r, as one image has one WCS; each band's own follows as the alternate
    WCS A.
    """
    make_folder(folder / galaxy.id)
    grid = cutouts[REFERENCE].wcs
    for band, cutout in cutouts.items():
        assert cutout.wcs is not None
        with quiet():
            own = wcs_cards(cutout.wcs.to_header(relax=True, key="A"))
        cards: dict[str, Card] = {
            "FILTER": (band, "band of the survey"),
            "OBJID": (galaxy.id, "object in SDSS DR12"),
            "Z": (galaxy.z, "spectroscopic redshift"),
            "RA_TARG": (galaxy.ra, "[deg] of the object"),
            "DEC_TARG": (galaxy.dec, "[deg] of the object"),
            "RUN": (galaxy.run, "imaging run"),
            "RERUN": (str(galaxy.rerun), "processing of the run"),
            "CAMCOL": (galaxy.camcol, "column of the camera"),
            "FIELD": (galaxy.field, "field along the scan"),
            **{card.keyword: (card.value, card.comment) for card in own.cards},
        }
        image = replace(cutout, wcs=grid, bands=(band,), unit="nanomaggy")
        write_image(image, cutout_path(folder, galaxy, band), overwrite=True, cards=cards)


def check_cutouts(folder: Path, galaxy: SdssGalaxy, size: int) -> None:
    """Refuse an object whose files are not all there, whole, and what they should be."""
    for band in BANDS:
        path = cutout_path(folder, galaxy, band)
        image = read_frame(path, band)
        assert image.header is not None
        away = np.abs(_pixel(image, galaxy.ra, galaxy.dec) - (size - 1) / 2).max()
        if image.shape != (1, size, size):
            fault = f"has shape {image.shape}, not (1, {size}, {size})"
        elif text_card(image.header, "OBJID") != galaxy.id:
            fault = f"is not of {galaxy.id}"
        elif not np.isfinite(image.flux).all():
            fault = "has pixels without a value"
        elif not away <= 1:  # NaN is far
            fault = "does not have the object in its middle"
        else:
            continue
        raise refusal(path, fault, "fetch it again")


def cutout_path(folder: Path, galaxy: SdssGalaxy, band: str) -> Path:
    """Where an object's cutout in a band lies."""
    return folder / galaxy.id / f"{galaxy.id}-{band}.fits"


def _pixel(image: SkyImage, ra: float, dec: float) -> NDArray[np.float64]:
    """(y, x) of a position, the middle of the first pixel being (0, 0)."""
    wcs: Any = image.wcs
    with quiet():
        return pixel_of(wcs, ra, dec)


def _offset(own: SkyImage, neighbour: SkyImage, x: float, y: float) -> tuple[int, int]:
    """What to add to a pixel of ``own`` to name the same pixel of the scan in ``neighbour``."""
    exact = _pixel(neighbour, *sky_of(own, x, y)) - (y, x)
    if not np.isfinite(exact).all() or np.abs(exact - np.round(exact)).max() > _ALIGNED:
        raise RejectedError("the pixels of the neighbouring field do not line up with its own")
    dy, dx = np.round(exact).astype(int)
    return int(dx), int(dy)

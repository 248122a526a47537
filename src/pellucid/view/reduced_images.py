"""Images that are larger than a page holds, in means of pixels; the largest are never in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.batch.large import is_large_file
from pellucid.batch.request import Request
from pellucid.display import is_composite, picture_cards
from pellucid.fits import Whole, card_value, open_field, planes_beside, windows_beside
from pellucid.optics import scaled_wcs
from pellucid.optics.own_psf import with_own_psf
from pellucid.restoration.files import read_image
from pellucid.sky import SkyImage
from pellucid.sky.image import per_pixel
from pellucid.view.subject import Subject

#: Values of all bands of an image that a page holds.
LARGEST = 2**22
#: Values that are read at a time of one that is never in memory.
_SOME = 2**24


@dataclass(frozen=True, eq=False)
class Shown:
    """An image of files, as a page can hold it.

    Parameters
    ----------
    image
        Its pixels, or means of ``factor`` × ``factor`` of them where it is too large to be read.
    beside
        What its file holds of them.
    frame
        Of which size it is in the files, and how these are built.
    """

    image: SkyImage
    frame: SkyImage
    beside: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    factor: int = 1


def read_shown(
    *paths: str | os.PathLike[str],
    asked: Request | None = None,
    factor: int = 1,
    wanted: tuple[str, ...] = (),
) -> Shown:
    """Read an image; one that is too large a window at a time.

    Parameters
    ----------
    asked
        How it is read.
    factor
        How many pixels a side one is made of at least, where it is too large.
    wanted
        Names of planes beside it.
    """
    asked = asked or Request()
    how: Any = {
        "hdu": asked.hdu,
        "bands": asked.bands,
        "pixel_scale": asked.pixel_scale,
        "bad_bits": asked.bad_bits,
    }
    if is_large_file(paths, asked):
        try:
            return _read_reduced(paths, how, factor, wanted)
        except Whole:  # a window does not tell what its values are
            pass
    image = read_image(*paths, **how)
    beside = planes_beside(image, wanted) if wanted else {}
    if is_composite(paths[0]) and (cards := picture_cards(paths[0])):
        image = _told(image, cards)
    return Shown(image, image, beside)


def _told(image: SkyImage, cards: str) -> SkyImage:
    """A picture with what its text tells of it."""
    from astropy.io.fits import Header

    header = Header.fromstring(cards, sep="\n")
    scale = card_value(header, "PIXSCALE")
    known = float(scale) if isinstance(scale, int | float) else image.pixel_scale
    return replace(image, header=header, pixel_scale=known)


def _read_reduced(
    paths: tuple[str | os.PathLike[str], ...],
    how: Any,
    factor: int,
    wanted: tuple[str, ...],
) -> Shown:
    with open_field(*paths, **how) as opened:
        frame = opened.frame
        bands, height, width = frame.shape
        factor = max(factor, int(np.ceil(np.sqrt(bands * height * width / LARGEST))))

        def flux(rows: slice, columns: slice) -> NDArray[np.float32]:
            part = opened.window(rows, columns)
            return np.where(part.holes, np.float32(np.nan), part.flux)

        shape = bands, height // factor, width // factor
        means = _means(flux, shape, factor)
    beside = {}
    if wanted:
        with windows_beside(paths[0], frame, wanted) as windows:
            beside = {name: _means(read, shape, factor) for name, read in windows.items()}
    area = factor**2 if per_pixel(frame.unit) else 1
    for name in beside.keys() - {"DOUBT"}:
        beside[name] *= area
    frame = with_own_psf(frame, paths[0]) if len(paths) == 1 else frame
    image = _coarser(frame, means * np.float32(area), factor)
    return Shown(image, frame, beside, factor)


def _means(
    read: Callable[[slice, slice], NDArray[np.floating]], shape: tuple[int, int, int], factor: int
) -> NDArray[np.float32]:
    """Means of pixels that are read some rows at a time."""
    bands, height, width = shape
    columns = slice(0, width * factor)
    step = max(1, _SOME // (bands * factor * width * factor))
    found = np.empty(shape, np.float32)
    for rows in _steps(height, step):
        part = read(slice(rows.start * factor, rows.stop * factor), columns)
        found[:, rows] = joined(part, factor)
    return found


def _steps(length: int, step: int) -> Iterator[slice]:
    return (slice(first, min(first + step, length)) for first in range(0, length, step))


def _coarser(sky: SkyImage, flux: NDArray[np.float32], factor: int) -> SkyImage:
    wcs = sky.wcs and scaled_wcs(sky.wcs, factor, sky.shape[1:])
    scale = sky.pixel_scale and sky.pixel_scale * factor
    return SkyImage(
        flux,
        bands=sky.bands,
        unit=sky.unit,
        wcs=wcs,
        psf=sky.psf,
        header=sky.header,
        pixel_scale=scale,
        notes=sky.notes,
    )


def reduced(subject: Subject) -> Subject:
    """A subject in means of pixels, where it has more of them than a page holds."""
    factor = int(np.ceil(np.sqrt(subject.image.flux.size / LARGEST)))
    if factor > 1:
        area = factor**2 if per_pixel(subject.image.unit) else 1

        def image(sky: SkyImage | None) -> SkyImage | None:
            share = factor**2 if sky is not None and per_pixel(sky.unit) else 1
            return sky and _coarser(sky, joined(sky.flux, factor) * np.float32(share), factor)

        shown = image(subject.image)
        assert shown is not None
        left = subject.residual
        subject = replace(
            subject,
            image=shown,
            beside={
                key: joined(cube, factor) * np.float32(1 if key == "DOUBT" else area)
                for key, cube in subject.beside.items()
            },
            given=image(subject.given),
            truth=image(subject.truth),
            residual=None if left is None else joined(left, factor) * np.float32(area),
            reduced=subject.reduced * factor,
        )
    if subject.reduced == 1:
        return subject
    note = f"shown reduced: {subject.reduced} × {subject.reduced} pixels are one here"
    return replace(subject, notes=[*subject.notes, note])


def joined(cube: NDArray[np.floating], factor: int) -> NDArray[np.float32]:
    """Means of ``factor`` × ``factor`` pixels; what is left over at the far edges is not shown."""
    bands, rows, columns = cube.shape
    rows, columns = rows // factor, columns // factor
    cut = cube[:, : rows * factor, : columns * factor]
    parts = cut.reshape(bands, rows, factor, columns, factor)
    return parts.mean(axis=(2, 4), dtype=np.float32)

"""FITS files as a field: read a window at a time, whatever their size."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import numpy as np

from pellucid.fits.beside import part_files
from pellucid.fits.choose import Plane, planes_of
from pellucid.fits.file import FitsFile, open_fits
from pellucid.fits.nodata import all_empty_pixels
from pellucid.fits.nonlinear import form_of
from pellucid.fits.planes import Planes, read_planes
from pellucid.fits.read import Read, composed, read_opened, stacked
from pellucid.sky.blocks import blocks
from pellucid.sky.field import emptied
from pellucid.sky.image import SkyImage

#: Sides in pixels of what is read of a frame to tell all of it but its pixels.
SAMPLE = 1024
#: Rows that are read at a time where all of a frame is gone over.
STRIP = 512


class Whole(Exception):
    """Why these files are not read a window at a time."""


@dataclass(frozen=True, eq=False)
class Opened:
    """A file of a field, with ``count`` HDUs of ``depth`` bands each, called as ``given``."""

    file: FitsFile
    planes: Sequence[Plane]
    count: int
    depth: int
    given: Sequence[str]
    read: Read

    def names(self, k: int) -> Sequence[str]:
        """Of the bands of an HDU."""
        if len(self.given) != self.count * self.depth:
            return ()
        return self.given[k * self.depth : (k + 1) * self.depth]


@dataclass(frozen=True, eq=False)
class FieldFiles:
    """An image in files as `pellucid.sky.field.Field`; the files stay open."""

    frame: SkyImage
    opened: Sequence[Opened]
    bad_bits: str | int | None
    empties: Sequence[Sequence[Sequence[float]]]

    def window(self, rows: slice, columns: slice) -> SkyImage:
        """The flux, the variance and the mask of a part."""
        hdus: list[Planes] = []
        empties = iter(self.empties)
        for each in self.opened:
            file = each.file.at(rows, columns)
            for k in range(each.count):
                planes = read_planes(
                    file, k, each.planes, (), self.bad_bits, each.names(k), next(empties)
                )
                hdus.append(planes)
        flux, variance, mask = stacked(hdus)
        if mask is None and self.frame.mask is not None:
            mask = np.zeros(flux.shape, dtype=bool)
        return SkyImage(
            flux,
            bands=self.frame.bands,
            unit=self.frame.unit,
            variance=variance,
            mask=mask,
            pixel_scale=self.frame.pixel_scale,
        )


def pixels_of(*paths: str | os.PathLike[str], hdu: int | str | None = None) -> int:
    """How many pixels a band of an image has, without reading them."""
    images = part_files(paths).images
    with open_fits(images[0]) as file:
        first = next(plane.hdu for plane in planes_of(file, hdu) if plane.use == "band")
        return first.shape[-2] * first.shape[-1]


@contextmanager
def open_field(
    *paths: str | os.PathLike[str],
    hdu: int | str | None = None,
    bands: Sequence[str] | None = None,
    pixel_scale: float | None = None,
    bad_bits: str | int | None = None,
) -> Iterator[FieldFiles]:
    """Open an image to be read a window at a time; parameters as for `read_image`.

    What nothing but all pixels tell (values that stand for no data) is looked for in every so
    manieth row and column.

    Raises
    ------
    Whole
        When it has to be read whole.
    """
    images, beside, left = part_files(paths)
    if beside:
        raise Whole("masks and weights are in files of their own")
    several = len(images) > 1
    given = [bands or () for _ in images]
    if several and bands is not None and len(bands) == len(images):
        given = [(name,) for name in bands]
    sides = (0, 0)
    with ExitStack() as stack:
        opened: list[Opened] = []
        for path, names in zip(images, given, strict=True):
            file = stack.enter_context(open_fits(path))
            planes = planes_of(file, hdu)
            chosen = [plane.hdu for plane in planes if plane.use == "band"]
            if any(form_of(file, each) is not None for each in chosen):
                raise Whole("its values are no linear flux")
            if any(each.shape[-2:] != chosen[0].shape[-2:] for each in chosen):
                raise Whole("its planes have different shapes")
            sides = (chosen[0].shape[-2], chosen[0].shape[-1])
            middle = (slice(max(0, (s - SAMPLE) // 2), min((s + SAMPLE) // 2, s)) for s in sides)
            sample = file.at(*middle)
            read = read_opened(sample, hdu, several, [], bad_bits, names)
            depth = chosen[0].shape[0] if len(chosen[0].shape) == 3 else 1
            opened.append(Opened(file, planes, len(chosen), depth, names, read))
        image = composed([each.read for each in opened], paths, bands, pixel_scale, {})
        if image.layout.rest is not None or len(image.flux) != sum(
            each.count * each.depth for each in opened
        ):
            raise Whole("--bands chooses among its bands")
        shape = (len(image.flux), sides[0], sides[1])
        frame = emptied(image, shape)
        frame = replace(
            frame,
            layout=replace(image.layout, shape=shape, variance=frame.variance, mask=frame.mask),
            notes=(*(note for note in image.notes if "are not used and stay" not in note), *left),
        )
        empties = [_empties(e.file, e.planes, k) for e in opened for k in range(e.count)]
        if any(map(any, empties)) and frame.mask is None:
            frame = replace(frame, mask=np.broadcast_to(np.False_, shape))
        yield FieldFiles(frame, opened, bad_bits, empties)


def _empties(file: FitsFile, planes: Sequence[Plane], band: int) -> list[list[float]]:
    """Of each plane of an HDU the values that stand for no data."""
    hdu = [plane.hdu for plane in planes if plane.use == "band"][band]
    height, width = hdu.shape[-2:]
    step = 1 + max(height, width) // SAMPLE
    rows = []
    for some in blocks(height, STRIP // step * step or step):
        part = file.at(some, slice(0, width)).pixels(hdu)
        rows.append(part[..., ::step, ::step].astype(np.float32))
    few = np.concatenate(rows, axis=-2)
    return [
        [value for _, value in all_empty_pixels(plane)]
        for plane in few.reshape(-1, *few.shape[-2:])
    ]

"""The file of an image that comes out in other pixels than it was read in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pellucid.fits.bands import name_planes
from pellucid.fits.cards import with_lasting_cards
from pellucid.fits.coordinates import rescaled
from pellucid.fits.hdu import BLOCK, as_extension
from pellucid.fits.layout import Layout, Part, placed
from pellucid.fits.made import raw_hdu
from pellucid.fits.restored import as_input
from pellucid.fits.roles import UNCERTAINTIES
from pellucid.sky.nearest import nearest

if TYPE_CHECKING:
    from astropy.io.fits import Header

    from pellucid.sky.image import SkyImage

#: The extension of a cube's planes that were not chosen, in the pixels that they had.
OTHERS = "OTHER_BANDS"
#: How a file stores numbers: what with_lasting_cards leaves out and flags cannot do without.
_STORAGE = ("BSCALE", "BZERO", "BLANK")


def on_other_pixels(layout: Layout, image: SkyImage) -> Layout:
    """What the file was, around an image in other pixels.

    Its bands stay what and where they were, and so do errors, which are made anew. Flags and
    weights that were read take the value of the nearest pixel. Bands that were not chosen keep
    their own pixels, in an extension of their own where they were planes of the same cube, and
    whatever was not read has its own coordinates.
    """
    count = len(image.flux)
    parts = []
    for part in layout.parts:
        chosen = [place for place, k in enumerate(part.planes) if k < count]
        left = [place for place, k in enumerate(part.planes) if k >= count]
        if part.role == "bands" and chosen:
            header = placed(rescaled(part.header, layout.ratio), image)
            parts.append(_some_of(part, chosen, header, image))
            if left:
                other = _some_of(part, left, part.header.copy(), image)
                other.header["EXTNAME"] = OTHERS
                parts.append(other)
        elif not part.read or not chosen:
            parts.append(replace(part, read=False))
        elif part.role not in UNCERTAINTIES:
            parts.append(_carried(part, chosen, image, layout.ratio))
            if left:  # these have the old pixels
                parts.append(as_input(part, marked=False))
        elif image.variance is not None and not left:
            header = placed(rescaled(part.header, layout.ratio), image)
            parts.append(replace(part, header=header))
    return replace(layout, parts=tuple(parts), shape=image.shape, variance=None, mask=None)


def _some_of(part: Part, places: Sequence[int], header: Header, image: SkyImage) -> Part:
    """Some planes of a cube, or the whole of what is none, with the names that they have."""
    planes = tuple(part.planes[place] for place in places)
    depth, ours = len(part.planes), planes[0] < len(image.flux)
    rest = image.layout.rest
    if len(planes) < depth and part.cube:
        names = [image.bands[k] if ours else rest.bands[k - len(image.flux)] for k in planes]
        name_planes(header, names, depth)
    sides = image.shape[1:] if ours else part.stored[-2:]
    axes = (len(planes) if side > 1 else 1 for side in part.stored[:-2])
    return replace(part, header=header, planes=planes, stored=(*axes, *sides))


def _carried(part: Part, chosen: Sequence[int], image: SkyImage, ratio: float) -> Part:
    """Flags or weights on the image's pixels, in the numbers that they were stored in."""
    from astropy.io import fits

    primary = part.raw.startswith(b"SIMPLE")
    packed = part.raw.startswith(b"XTENSION= 'BINTABLE")  # its counts are those of its heap
    hdu = raw_hdu(part.raw if packed else as_extension(part.raw))
    values = np.asarray(hdu.data)
    *axes, height, width = values.shape
    planes = values.reshape(-1, height, width)
    header = placed(rescaled(part.header, ratio), image)
    if len(chosen) < len(part.planes) == len(planes):
        name_planes(header, [image.bands[part.planes[place]] for place in chosen], len(planes))
        planes = planes[list(chosen)]
        axes = [len(chosen) if side > 1 else 1 for side in axes]
    planes = nearest(planes, image.shape).reshape(*axes, *image.shape[1:])
    planes = planes.astype(planes.dtype.newbyteorder(">"))
    made = (fits.PrimaryHDU if primary else fits.ImageHDU)(planes)
    header = with_lasting_cards(made.header.cards, header)
    for keyword in _STORAGE:
        if keyword in hdu.header:
            header[keyword] = (hdu.header[keyword], hdu.header.comments[keyword])
    data = planes.tobytes()
    raw = header.tostring().encode("ascii") + data + b"\0" * (-len(data) % BLOCK)
    kept = tuple(part.planes[place] for place in chosen)
    return replace(part, header=header, planes=kept, raw=raw)

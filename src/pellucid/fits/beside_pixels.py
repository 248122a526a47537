"""Planes that a restoration's file holds beside its pixels: uncertainty, doubt, samples."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.fits.cards import quiet, text_card
from pellucid.fits.layout import Part
from pellucid.fits.restored import EARLIER
from pellucid.fits.roles import OF, called
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
    parts = getattr(image.layout, "parts", ())
    bands = {called(part.header): part.planes for part in parts if part.role == "bands"}
    order = [k for planes in bands.values() for k in planes]
    named: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        if text_card(part.header, "PLCROLE") in wanted and part.raw:
            named[text_card(part.header, "EXTNAME").upper()].append(part)
    found: dict[str, NDArray[np.float32]] = {}
    for name, of_it in named.items():
        cube = np.full(image.shape, np.nan, np.float32)
        for part in of_it:
            planes = _pixels(part.raw)
            if planes.shape[1:] != cube.shape[1:]:
                continue
            of = [k for k in bands.get(text_card(part.header, OF), order) if k < len(cube)]
            for place, k in enumerate(of):  # one plane without a band's name serves them all
                cube[k] = planes[min(place, len(planes) - 1)]
            found[name] = cube
    return found


def _pixels(raw: bytes) -> NDArray[Any]:
    """The planes of an HDU that was copied as it stands in its file."""
    from astropy.io import fits

    primary = fits.PrimaryHDU().header.tostring().encode("ascii")
    with quiet(), fits.HDUList.fromstring(primary + raw) as hdus:
        hdu: Any = hdus[1]
        data = hdu.data
    return np.asarray(data).reshape(-1, *data.shape[-2:])

"""The planes of one cube that are an image and its error, where cards that name them say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pellucid.fits.cards import text_card
from pellucid.fits.planes import Planes
from pellucid.fits.roles import COMPANIONS, UNCERTAINTIES, bands_among, role_of_name
from pellucid.fits.some import with_bands
from pellucid.sky.image import SkyImage, variance_type


def image_planes(hdus: Sequence[Planes]) -> list[int] | None:
    """The places of the bands in a cube that holds other planes, too; None where all are bands."""
    if len(hdus) != 1 or None in hdus[0].names:
        return None
    roles = [role_of_name(name or "") for name in hdus[0].names]
    bands = [k for k, role in enumerate(roles) if role in (None, "image")]
    return bands if 0 < len(bands) < len(roles) else None


def with_its_planes(image: SkyImage, places: Sequence[int]) -> SkyImage:
    """The bands at these places of a cube, with what its other planes say of an only one.

    In a restoration's file they say it of the input.
    """
    roles = {k: role_of_name(image.bands[k]) for k in range(len(image.bands)) if k not in places}
    done = image.header is not None and text_card(image.header, "PLCTYPE") == "RESTORATION"
    read = {k: role for k, role in roles.items() if role in COMPANIONS}
    if len(places) > 1 or done:
        read = {}
    said = [f"plane {k + 1} ({image.bands[k]}) as {roles[k]}" for k in read]
    left = [f"plane {k + 1} ({image.bands[k]}), {roles[k]}" for k in roles if k not in read]
    bands = ", ".join(f"plane {k + 1} ({image.bands[k]})" for k in places)
    note = f"of its cube {bands} is read as image" + "".join(f", {each}" for each in said)
    note += f"; not used, copied as it is: {'; '.join(left)}" if left else ""
    notes = [note]
    found = with_bands(image, places, notes)
    variance, mask = found.variance, found.mask
    for k, role in read.items():
        values = image.flux[[k]]
        bad: NDArray[np.bool_] = values > 0 if role == "mask" else ~(values > 0)
        if role in UNCERTAINTIES and variance is None:
            with np.errstate(over="ignore", divide="ignore"):
                total = UNCERTAINTIES[role].to_variance(values.astype(np.float64))
            total[bad] = np.nan
            variance = total.astype(variance_type(total))
            bad |= ~np.isfinite(variance)
        if not bad.all():
            mask = bad if mask is None else mask | bad
            if bad.any():
                notes.append(f"{bad.sum()} pixels have no data by its plane {k + 1}")
    names = image.bands if image.header is None else bands_among(image.bands, image.header)
    bands = tuple(names[k] for k in places)
    return replace(found, bands=bands, variance=variance, mask=mask, notes=(*image.notes, *notes))

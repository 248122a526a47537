"""Whether a restoration and the truth can be compared: one sky, one unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.errors import InputError
from pellucid.fits import largest_shift
from pellucid.sky import SkyImage
from pellucid.sky.unit import factor_between

#: Pixels by which two grids may lie apart.
SAME_PLACE = 0.1


def made_comparable(restored: SkyImage, truth: SkyImage) -> SkyImage:
    """The restoration in the unit of the truth; a note says where that was converted or assumed.

    Raises
    ------
    InputError
        When both show different sky, or their units cannot be converted.
    """
    if truth.wcs is not None and restored.wcs is not None and restored.shape == truth.shape:
        shift = largest_shift(truth.wcs, restored.wcs, truth.shape)
        if shift > SAME_PLACE:
            raise InputError(
                f"shows another sky than the truth ({shift:.1f} pixels apart); reproject one of "
                "them, or choose another with --hdu"
            )
    if truth.unit is None or restored.unit is None:
        if truth.unit == restored.unit:
            return restored
        known = truth.unit or restored.unit
        note = f"one of both images states no unit (BUNIT); {known} was taken for both"
        return replace(restored, notes=(*restored.notes, note))
    factor = factor_between(restored.unit, truth.unit)
    if factor is None:
        raise InputError(
            f"is in {restored.unit}, the truth in {truth.unit}; convert one of them to the other's "
            "unit"
        )
    if factor == 1.0:
        return restored
    note = f"the restoration was converted from {restored.unit} to {truth.unit} (× {factor:.6g})"
    flux = restored.flux * np.float32(factor)
    return restored.with_flux(flux, unit=truth.unit, notes=(*restored.notes, note))

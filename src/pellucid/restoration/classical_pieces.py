"""Deconvolution of a large image, piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.deconvolution.settled import SETTLED, Settled
from pellucid.restoration.field_sky import FieldSky, flattened
from pellucid.restoration.holes import with_restored
from pellucid.restoration.pieces import Restored
from pellucid.restoration.places import Place
from pellucid.restoration.varying import CONSTANT, Elsewhere, middle_of_core, variation
from pellucid.sky import PSF, SkyImage
from pellucid.sky.field import Field, middle_of
from pellucid.sky.inpaint import whole
from pellucid.sky.psf import widths_of

#: Side of a core in pixels.
CORE = 1024
#: What is seen around it: so many radii of the PSF's stamp, and pixels at least.
RADII, LEAST = 3, 64


@dataclass(frozen=True, eq=False)
class ClassicalPieces:
    """As `Pieces` has them, and what they are made by."""

    method: str
    kernel: PSF
    bands: Sequence[Settled]
    units: tuple[NDArray[np.float32], NDArray[np.float32]]
    core: int
    halo: int
    elsewhere: Elsewhere | None = None
    said: Sequence[str] = ()
    finer: int = 1
    area: float = 1.0
    names: Sequence[str] = ()

    @property
    def undone(self) -> list[float]:
        return widths_of(self.kernel)

    def restore(self, window: SkyImage, place: Place) -> Restored:
        """A window restored, each band by itself."""
        level, sigma = self.units
        complete = whole(window)
        planes = (complete.flux - level) / sigma
        kernel = self.elsewhere(*middle_of_core(place)) if self.elsewhere else self.kernel
        each = zip(self.bands, planes, kernel.for_bands(len(planes)), strict=True)
        found = np.stack([band(plane, stamp) for band, plane, stamp in each])
        flux = with_restored(window, found * sigma + level, complete).flux
        return Restored({"flux": flux}, complete.flux)

    def frame(self, image: SkyImage) -> SkyImage:
        """The result without its pixels."""
        return image

    def keeps_totals(self, sums: Mapping[str, Any]) -> bool:
        return True

    def provenance(self, sums: Mapping[str, Any], bands: Sequence[str]) -> dict[str, Any]:
        """What is known of the result."""
        notes = [*self.kernel.notes, *self.said]
        return {"method": self.method, "psf_fwhm": round(self.kernel.fwhm, 4), "notes": notes}


def classical_pieces(
    method: str, field: Field, sky: FieldSky, kernel: PSF, elsewhere: Elsewhere | None = None
) -> ClassicalPieces:
    """The pieces in which a field is restored; what the method measures, the middle shows.

    The ``kernel`` is that of the middle, and all over where it is no other ``elsewhere``.
    """
    place = middle_of(field)
    level, sigma = sky.units
    sample = (whole(flattened(field.window(*place), sky, *place)[0]).flux - level) / sigma
    stamps = kernel.for_bands(len(sample))
    bands = [SETTLED[method](plane, stamp) for plane, stamp in zip(sample, stamps, strict=True)]
    halo = max(LEAST, RADII * (max(stamps.shape[1:]) // 2))
    core = CONSTANT if elsewhere else CORE
    said = variation(elsewhere, field.frame.shape)
    return ClassicalPieces(method, kernel, bands, sky.units, core, halo, elsewhere, said)

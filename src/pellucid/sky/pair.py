"""`Pair`: what a blurred telescope saw and what a sharp one would have seen."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.sky.image import SkyImage
from pellucid.sky.psf import PSF


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images of the same sky, blurred = blur ⊛ sharp + noise.

    Parameters
    ----------
    blurred, sharp
        On one grid, in one unit.
    blur
        The kernel between them, in their pixels; None where it is not known.
    """

    blurred: SkyImage
    sharp: SkyImage
    blur: PSF | None

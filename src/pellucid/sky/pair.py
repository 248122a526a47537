"""`Pair`: what a blurred telescope saw and what a sharp one would have seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from pellucid.sky.image import SkyImage
from pellucid.sky.psf import PSF


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images of the same sky, blurred = blur ⊛ sharp + noise.

    Parameters
    ----------
    blurred, sharp
        On one grid, in one unit.
    kernel
        What is between them, in their pixels, or how it is found: that of two telescopes' PSFs
        takes seconds, which not everybody needs. None where it is not known.
    """

    blurred: SkyImage
    sharp: SkyImage
    kernel: PSF | Callable[[], PSF | None] | None

    @cached_property
    def blur(self) -> PSF | None:
        """The kernel between the images, in their pixels; None where it is not known."""
        return self.kernel() if callable(self.kernel) else self.kernel

"""A network that takes squares of one band, on a large image piece by piece.

The squares lie alike whatever the piece, and those at its edge are computed for its neighbour, too.
Finer pixels than the image's are made a window at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.optics import regrid
from pellucid.optics.resampling import on_scale
from pellucid.restoration.holes import finer, with_restored
from pellucid.restoration.neural import OVERLAP, NeuralRestorer
from pellucid.restoration.pieces import Restored
from pellucid.restoration.places import Place
from pellucid.restoration.totals import bright_light, of_another_band
from pellucid.sky import PSF, Background, SkyImage
from pellucid.sky.image import per_pixel
from pellucid.sky.inpaint import whole
from pellucid.tiling import tiles_over

#: Squares along a piece, by what they do not share with the next.
ALONG = 16
#: Pixels of the image beyond the squares: so far reaches the spline that makes finer ones.
SPLINE = 12
#: What `bright_light` tells, as it is added up.
LIGHT = ("bright", "light given", "light drawn")


@dataclass(frozen=True, eq=False)
class NeuralPieces:
    """As `Pieces` has them, and what they are made by; ``kernel`` is in the model's pixels."""

    restorer: NeuralRestorer
    kernel: PSF | None
    units: tuple[NDArray[np.float32], NDArray[np.float32]]
    finer: int
    unit: str | None
    said: Sequence[str]
    names: Sequence[str] = ()
    undone: None = None

    @property
    def size(self) -> int:
        """Side of a square, in the model's pixels."""
        return self.restorer.card.tile

    @property
    def overlap(self) -> int:
        """What two of them share."""
        return int(OVERLAP * self.size)

    @property
    def core(self) -> int:
        return max(1, ALONG // self.finer) * (self.size - self.overlap)

    @property
    def halo(self) -> int:
        return -(-(self.size - self.overlap) // self.finer) + SPLINE

    @property
    def area(self) -> float:
        """Of the flux of a pixel of the image, what one of the result holds."""
        return 1.0 / self.finer**2 if per_pixel(self.unit) else 1.0

    def restore(self, window: SkyImage, place: Place) -> Restored:
        """A window whose sky and noise are ``units``, restored."""
        complete = whole(window)
        given = complete
        if self.finer > 1:
            plain = replace(complete, variance=None, mask=None, psf=None)
            given = regrid(replace(plain, pixel_scale=float(self.finer)), 1.0)
        area = np.float32(self.area)
        level, sigma = self.units
        sky = Background(area * level.ravel(), float(area * sigma.item()))
        core = place.inner(self.finer)
        tiles = tiles_over((given.shape[1], given.shape[2]), core, self.size, self.overlap)
        notes: list[str] = []
        network = replace(self.restorer, tiles=tiles)
        flux, _ = network.restored_planes(given.flux, sky, self.kernel, notes)
        inner = (slice(None), *core)
        light = bright_light(given.flux[inner], flux[inner], sky)
        sums: dict[str, Any] = dict(zip(LIGHT, light, strict=True))
        grid = finer(window, given, float(area)) if self.finer > 1 else window
        flux = with_restored(grid, flux, given).flux
        return Restored({"flux": flux}, complete.flux, sums, notes)

    def frame(self, image: SkyImage) -> SkyImage:
        """The result without its pixels."""
        if self.finer == 1:
            return image
        assert image.pixel_scale is not None
        return on_scale(image, image.pixel_scale / self.finer)

    def keeps_totals(self, sums: Mapping[str, Any]) -> bool:
        """Whether the light that it draws is the image's."""
        return not self._other(sums)

    def provenance(self, sums: Mapping[str, Any], bands: Sequence[str]) -> dict[str, Any]:
        """What is known of the result."""
        return self.restorer.made_by([*self.said, *self._other(sums)])

    def _other(self, sums: Mapping[str, Any]) -> list[str]:
        return of_another_band(*(float(sums[name]) for name in LIGHT))

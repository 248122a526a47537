"""A network that takes one band at a time, on a large image piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.channels import noise_grains, pixel_weights
from pellucid.optics import blur_of
from pellucid.optics.resampling import on_scale
from pellucid.restoration.bandwise import BandwiseRestorer
from pellucid.restoration.field_sky import FieldSky, flattened
from pellucid.restoration.grid import Plan, on_grid, plan_elsewhere
from pellucid.restoration.holes import finer, with_restored
from pellucid.restoration.noise import of_many_pixels
from pellucid.restoration.pieces import Restored
from pellucid.restoration.places import Place
from pellucid.restoration.seen import Seen
from pellucid.restoration.varying import CONSTANT, Elsewhere, corners, middle_of_core, variation
from pellucid.sky import SkyImage
from pellucid.sky.field import Field, middle_of
from pellucid.sky.image import per_pixel
from pellucid.sky.inpaint import whole
from pellucid.sky.nearest import nearest

#: Sides in pixels of the work: of what the network takes at once, with which what memory holds
#: grows, and of the least that is kept of it.
SIDE, LEAST = 1216, 512
#: What the steps after the network see beside what it sees, in pixels of the work, and in radii of
#: the blur's stamp.
BESIDE, RADII = 64, 2


@dataclass(frozen=True, eq=False)
class BandwisePieces:
    """As `Pieces` has them, and what they are made by."""

    restorer: BandwiseRestorer
    plan: Plan
    units: tuple[NDArray[np.float32], NDArray[np.float32]]
    seen: Seen
    core: int
    halo: int
    unit: str | None
    elsewhere: Elsewhere | None = None
    said: Sequence[str] = ()
    names: Sequence[str] = ("uncertainty", "range_95", "doubt", "chi2")

    @property
    def finer(self) -> int:
        return 2 if self.plan.ratio < 1.0 else 1

    @property
    def area(self) -> float:
        """Of the flux of a pixel of the image, what one of the result holds."""
        return 1.0 / self.finer**2 if per_pixel(self.unit) else 1.0

    @property
    def undone(self) -> list[float] | None:
        return self.plan.undone

    def restore(self, window: SkyImage, place: Place) -> Restored:
        """A window, above its sky in units of its noise, restored."""
        plan = self.plan
        if self.elsewhere is not None:
            plan = _plan_at(plan, self.elsewhere, window, *middle_of_core(place))
        weight, complete, work = _ready(window, plan)
        ratio = plan.ratio
        core = tuple(
            slice(round(part.start / ratio), min(round(part.stop / ratio), side))
            for part, side in zip(place.inner(), work.shape[1:], strict=True)
        )
        seen = replace(self.seen, core=core)
        made = self.restorer.made(work, weight, self.units, plan, window, seen)
        flux, *others = made.planes
        grid, full = window, complete
        if ratio < 1.0 and window.holes.any():
            grid = finer(window, work, self.area)
            full = replace(work, flux=np.float32(self.area) * nearest(complete.flux, work.shape))
        flux = with_restored(grid, flux, full).flux if grid.holes.any() else flux
        planes = dict(zip(("flux", *self.names), (flux, *others), strict=True))
        sums = {"misfit": made.light * made.reduced, "light": made.light}
        return Restored(planes, complete.flux, sums, made.notes)

    def frame(self, image: SkyImage) -> SkyImage:
        """The result without its pixels."""
        if self.finer > 1:
            scale = self.plan.blur.pixel_scale
            own = image.pixel_scale or scale / self.plan.ratio
            image = on_scale(replace(image, pixel_scale=own, psf=None), scale)
        return replace(image, psf=self.plan.target)

    def keeps_totals(self, sums: Mapping[str, Any]) -> bool:
        return True

    def provenance(self, sums: Mapping[str, Any], bands: Sequence[str]) -> dict[str, Any]:
        """What is known of the result."""
        notes = [*self.plan.blur.notes, *self.said, *self.restorer.range_notes(self.plan.blur)]
        reduced = sums["misfit"] / np.maximum(sums["light"], 1e-6)
        doubted = float(sums["doubted"] / sums["seen"]) if sums["seen"] else 1.0
        return self.restorer.facts(self.plan, bands, reduced, doubted, None, notes)


def bandwise_pieces(
    restorer: BandwiseRestorer,
    field: Field,
    sky: FieldSky,
    plan: Plan,
    elsewhere: Elsewhere | None = None,
) -> BandwisePieces:
    """The pieces in which a field is restored: as large as `SIDE` and a PSF that varies allow.

    The ``plan`` is that of the middle; ``elsewhere`` another PSF than its own counts.
    """
    multiple = restorer.card.multiple
    place = middle_of(field)
    window = flattened(field.window(*place), sky, *place)[0]
    plans = [plan]
    if elsewhere is not None:
        there = corners(field.frame.shape)
        plans += [_plan_at(plan, elsewhere, window, y, x) for y, x in there]
    radius = max(max(each.blur.stamps.shape[1:]) // 2 for each in plans)
    halo = _up(restorer.sight, multiple) + _up(max(BESIDE, RADII * radius), multiple)
    core = max((SIDE - 2 * halo) // multiple * multiple, LEAST)
    if elsewhere is not None:
        core = min(core, _up(round(CONSTANT / plan.ratio), multiple))
    weight, complete, work = _ready(window, plan)
    level, plain = sky.units
    smooth = [
        of_many_pixels(window.of_bands([k]), float(each.item())) for k, each in enumerate(plain)
    ]
    factor = np.array(smooth, dtype=np.float32)[:, None, None]
    sigma = plain * factor
    area = np.float32(plan.ratio**2 if per_pixel(work.unit) else 1.0)
    grains = noise_grains((work.flux / area - level) / sigma, 1.0)
    side, around = (max(1, round(length * plan.ratio)) for length in (core, halo))
    # Finer and coarser pixels have less noise than the image's own, and holes are filled in.
    given = np.where(window.holes, np.nan, (complete.flux - level) / sigma)
    own = np.nanvar(given, axis=(1, 2), dtype=np.float64)
    new = np.var((work.flux / area - level) / sigma, axis=(1, 2))
    signal = (sky.signal + 1.0) / np.square(factor.ravel()) - 1.0
    height, width = (max(1, round(length / plan.ratio)) for length in field.frame.shape[1:])
    seen = Seen(signal + new - own, grains, (height, width))
    said = variation(elsewhere, field.frame.shape)
    units = level, sigma
    seen = replace(seen, chance=restorer.made(work, weight, units, plan, window, seen).chance)
    return BandwisePieces(restorer, plan, units, seen, side, around, work.unit, elsewhere, said)


def _plan_at(plan: Plan, elsewhere: Elsewhere, window: SkyImage, y: float, x: float) -> Plan:
    """The plan at a place of the image that a window is of."""
    psf = blur_of(window, psf=elsewhere(y, x))
    assert psf is not None
    return plan_elsewhere(plan, psf)


def _ready(window: SkyImage, plan: Plan) -> tuple[Any, SkyImage, SkyImage]:
    """The weights of a window, the window without holes, and that on the grid of the work."""
    weight = pixel_weights(window, 1.0)
    complete = whole(replace(window, mask=weight == 0))
    return weight, complete, on_grid(replace(complete, mask=None), plan, window=True)


def _up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple

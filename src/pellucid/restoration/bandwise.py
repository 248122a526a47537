"""A network that takes some bands at a time, of however many there are, as a restorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.data.channels import (
    Known,
    channel_planes,
    network_inputs,
    pixel_weights,
)
from pellucid.restoration.band_groups import at_once, of_all_bands, planes_of_groups
from pellucid.restoration.band_limit import band_limited
from pellucid.restoration.calibration import calibrated
from pellucid.restoration.change import with_change
from pellucid.restoration.doubt import Doubt, doubt_of, in_words
from pellucid.restoration.engine import Network
from pellucid.restoration.explained import explained, spread_of_missing
from pellucid.restoration.field_sky import FieldSky
from pellucid.restoration.grid import Plan, joined_back, on_grid, plan_of
from pellucid.restoration.holes import finer, with_restored
from pellucid.restoration.neural import NeuralRestorer, Planes
from pellucid.restoration.noise import skies_of
from pellucid.restoration.pieces import Pieces, is_large, restored_in_pieces
from pellucid.restoration.result import Restoration
from pellucid.restoration.seen import Seen
from pellucid.restoration.suited import ABOVE, BELOW
from pellucid.restoration.totals import keep_totals
from pellucid.restoration.unlike import UNUSUAL, UNUSUAL_FORM, unlikeness
from pellucid.restoration.varying import varying
from pellucid.sky import PSF, Background, SkyImage
from pellucid.sky.bands import by_wavelength
from pellucid.sky.field import Field, middle_image
from pellucid.sky.image import per_pixel
from pellucid.sky.inpaint import whole
from pellucid.sky.nearest import nearest
from pellucid.sky.psf import widths_of
from pellucid.stretch import Stretch
from pellucid.tiling import map_windows, passes

#: Side of what a larger image is worked on at a time.
CORE = 1024
#: Up to this side it is worked on at once.
WHOLE = 1664
#: Of the network's reach: what lies further away changes a pixel by 0.004 of the noise at most.
SIGHT = 0.5


class Made(NamedTuple):
    """The planes (flux, uncertainty, range of 95 %, doubt, χ²), and what is known of them."""

    planes: tuple[NDArray[np.float32], ...]
    reduced: NDArray[np.floating]
    light: NDArray[np.floating]
    chance: NDArray[np.floating]
    unlike: float | None
    notes: list[str]


class BandwiseRestorer(NeuralRestorer):
    """Any bands, any pixels, any unit: each band in units of its own noise above its own sky."""

    def __call__(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Restoration:
        """Restore ``image``, undoing its blur; see `Restorer`.

        Without a ``target`` it is restored to a well-sampled Gaussian, on finer pixels where its
        own are too coarse for that.

        Raises
        ------
        InputError
            When the blur is not known, or a band has no noise.
        """
        if is_large(image, blur, psf):
            return restored_in_pieces(self, image, blur, psf, target)
        weight = pixel_weights(image)
        complete = whole(replace(image, mask=weight == 0))
        units = skies_of(complete)
        plan = plan_of(complete, blur, psf, target)
        work = on_grid(replace(complete, mask=None), plan)
        notes = [*plan.blur.notes, *self.range_notes(plan.blur)]
        made = self.made(work, weight, units, plan, image)
        notes += made.notes
        # A pixel of the work holds so much of the flux of one of the image.
        area = np.float32(plan.ratio**2) if per_pixel(image.unit) else np.float32(1.0)
        flux, deviation, range_95, doubt, chi2 = made.planes
        grid, full = image, complete
        if plan.ratio > 1.0:  # what was joined is spread again by a spline, which keeps no sum
            keep_totals(complete.flux, flux)
        if plan.ratio < 1.0:
            grid = finer(image, work, float(area))
            # A spline through pixels has not quite their sum.
            total = area * complete.flux.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
            flux += (total - flux.mean(axis=(1, 2), keepdims=True)).astype(np.float32)
            if image.holes.any():
                full = replace(work, flux=area * nearest(complete.flux, work.shape))
        result = replace(with_restored(grid, flux, full), psf=plan.target)
        holes = result.holes
        seen = doubt[~holes]
        # Where there is no data nothing was restored: no deviation is of it, and all is doubted.
        deviation[holes] = range_95[holes] = chi2[holes] = np.nan
        doubt[holes] = 1.0
        doubted = float((seen > 0.5).mean()) if seen.size else 1.0
        provenance = self.facts(plan, image.bands, made.reduced, doubted, made.unlike, notes)
        restoration = Restoration(result, deviation, doubt, provenance, None, chi2, range_95)
        return with_change(image, restoration, plan.undone)

    def facts(
        self,
        plan: Plan,
        bands: Sequence[str],
        reduced: NDArray[np.floating],
        doubted: float,
        unlike: float | None,
        notes: list[str],
    ) -> dict[str, Any]:
        """The provenance of a restoration of which this is known."""
        if plan.ratio < 1.0:
            scale = f'{plan.blur.pixel_scale:.3g}"'
            notes = [*notes, f"pixels were halved, to {scale}: the image's own are too coarse"]
        provenance = {
            "model": self.card.name,
            "sha256": self.sha256,
            "engine": self.engine,
            "notes": notes,
            "blur_fwhm": round(plan.blur.fwhm, 4),
            "chi2": [round(float(value), 3) for value in reduced],
            "doubted": round(doubted, 5),
        }
        if len(plan.blur.stamps) > 1:
            widths = enumerate(widths_of(plan.blur))
            left = (0.0 if band in plan.broadened else width for band, width in widths)
            provenance["blur_fwhms"] = [round(width, 4) for width in left]
        provenance["trust"] = in_words(doubted, list(reduced), bands)
        if unlike is not None:
            provenance["unlike"] = round(unlike, 4)
            if unlike > UNUSUAL:
                provenance["trust"] += f"; {UNUSUAL_FORM}"
        if plan.target is not None:
            provenance["target_fwhm"] = round(plan.target.fwhm, 4)
        return provenance

    def by_pieces(self, image: SkyImage) -> bool:
        """Whether it works on a large image piece by piece: on any."""
        return True

    @property
    def together(self) -> int:
        """How many bands the network takes at a time."""
        return int(self.card.network["bands"])

    @property
    def sight(self) -> int:
        """How far around a pixel the network is to see, in pixels of the work."""
        return round(SIGHT * self.card.reach)

    def pieces(
        self,
        field: Field,
        sky: FieldSky,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Pieces:
        """How it works on a large image; see `Pieces`."""
        from pellucid.restoration.bandwise_pieces import bandwise_pieces

        plan = plan_of(middle_image(field), blur, psf, target)
        return bandwise_pieces(self, field, sky, plan, varying(field.frame, blur, psf))

    def made(
        self,
        work: SkyImage,
        weight: NDArray[np.float32],
        units: tuple[NDArray[np.float32], NDArray[np.float32]],
        plan: Plan,
        image: SkyImage,
        seen: Seen | None = None,
    ) -> Made:
        """What is restored of an image on the grid of its plan, and what is known of that.

        Parameters
        ----------
        work
            The image without holes on that grid.
        weight
            Of the pixels of the ``image`` itself.
        units
            Its sky's level and noise, shape (band, 1, 1).
        seen
            What was seen of the whole where this is a window of it.
        """
        level, sigma = units
        area = np.float32(plan.ratio**2) if per_pixel(image.unit) else np.float32(1.0)
        stamps, scale = plan.blur.stamps, plan.blur.pixel_scale
        # Red first, as in training, whatever order they are given in.
        order = by_wavelength(image.bands)[::-1]
        groups = [order[some] for some in at_once(len(order), work.flux[0].size, self.together)]
        several = len(groups) > 1
        found: tuple[NDArray[np.float32], ...] = ()
        (reduced, light), chance = np.zeros((2, 2, len(order)))
        notes, unlike = [], None
        for number, some in enumerate(passes(groups)):
            share = weight[some] if plan.ratio == 1.0 else nearest(weight[some], work.shape)
            told = {"weight": share, "seed": (self.seed, number)}
            part = None if seen is None else seen.of_bands(some)
            if part is not None:
                told |= {"signal": part.signal, "grains": part.grains, "whole": part.shape}
            said: list[str] = []
            given = (work.flux[some] / area - level[some]) / sigma[some]
            kernel = PSF(stamps if len(stamps) == 1 else stamps[some], scale)
            bands = self._bands(given, kernel, told, said, part)
            restored, widths, doubted, chance[:, some] = bands
            if not several and seen is None:  # a large image shows many objects
                unlike = unlikeness(restored, self.card.forms)
            planes = [restored * sigma[some] + level[some], *(w * sigma[some] for w in widths)]
            planes += [doubted.doubt, doubted.chi2]
            if plan.ratio > 1.0:
                planes = joined_back(planes, plan.ratio, image.shape)
            elif plan.ratio < 1.0:
                planes[:3] = [area * each for each in planes[:3]]
            shape = (len(order), *planes[0].shape[1:])
            found = found or tuple(np.empty(shape, dtype=np.float32) for _ in planes)
            for every, each in zip(found, planes, strict=True):
                every[some] = each
            reduced[some], light[some] = doubted.reduced, doubted.light
            where = f"{', '.join(image.bands[k] for k in some)}: " if several else ""
            notes += [where + note for note in said]
        return Made(found, reduced, light, chance, unlike, notes)

    def _bands(
        self,
        given: NDArray[np.float32],
        blur: PSF,
        told: dict[str, Any],
        notes: list[str],
        seen: Seen | None,
    ) -> tuple[NDArray[np.float32], Sequence[NDArray[np.float32]], Doubt, NDArray[np.floating]]:
        """Some bands in units of their noise, restored; how sure; their doubt; `Seen.chance`."""
        unit = Background(np.zeros(len(given), dtype=np.float32), 1.0)
        restored, spread = self.restored_planes(given, unit, blur, notes, told)
        stamps, share = blur.for_bands(len(given)), told["weight"]
        core, chance = (None, None) if seen is None else (seen.core, seen.chance)
        missing, noise = (None, None) if chance is None else chance
        if seen is not None and chance is None:  # it is measured now, for all windows
            missing = spread_of_missing(restored, given, stamps, share)
        restored = explained(restored, given, stamps, share, missing)
        if seen is None:  # what crosses a window's edge is in the next
            keep_totals(given, restored)
        if spread is None:
            spread = np.ones_like(restored)
        widths = calibrated(spread, restored, self.card.calibration)
        doubt = doubt_of(restored, widths[0], given, stamps, share, core, noise)
        known = np.stack([doubt.spread if missing is None else missing, doubt.spread])
        return restored, widths, doubt, known

    def _told(self, known: Known) -> Planes:
        inputs = network_inputs(self.card.network)
        made = channel_planes(inputs, known)
        return planes_of_groups(made, inputs, len(known.value), self.together)

    def _mapped(self, network: Network, channels: Planes) -> NDArray[np.float32]:
        core = WHOLE if max(channels[0].shape) <= WHOLE else CORE
        found = map_windows(network, channels, core, self.sight, self.card.multiple)
        bands = len(found) // 2 if self.card.network.get("spread") else len(found)
        found[:bands] = band_limited(found[:bands])
        return found

    def _checked(
        self, channels: Planes, stretch: Stretch, sky: Background, notes: list[str]
    ) -> Network:
        network, reference = (
            each and of_all_bands(each, len(sky.sky), self.together)
            for each in (self.network, self.reference)
        )
        assert network is not None
        every = replace(self, network=network, reference=reference)
        return NeuralRestorer._checked(every, channels, stretch, sky, notes)

    def range_notes(self, blur: PSF) -> list[str]:
        low, high = self.card.fwhm  # in pixels: training knew no arcsec
        width = blur.fwhm / blur.pixel_scale
        if BELOW * low <= width <= ABOVE * high:
            return []
        return [
            f"a blur of {width:.1f} pixels is outside what the model was trained on "
            f"({low:g} to {high:g})"
        ]

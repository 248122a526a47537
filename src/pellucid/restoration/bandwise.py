"""A network that takes one band at a time, with what all of them show as a guide, as a restorer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pellucid.data.channels import band_channels, network_inputs, pixel_weights
from pellucid.errors import InputError
from pellucid.optics.inpaint import whole
from pellucid.restoration.change import with_change
from pellucid.restoration.doubt import doubt_of, in_words
from pellucid.restoration.engine import Network
from pellucid.restoration.explained import explained
from pellucid.restoration.grid import brought_back, on_grid, plan_of
from pellucid.restoration.holes import finer, nearest, with_restored
from pellucid.restoration.neural import NeuralRestorer, keep_totals
from pellucid.restoration.result import Restoration
from pellucid.restoration.suited import ABOVE, BELOW
from pellucid.sky import PSF, Background, SkyImage, background_of
from pellucid.sky.image import per_pixel
from pellucid.stretch import Stretch
from pellucid.tiling import map_windows

#: Side of what a larger image is worked on at a time.
CORE = 1024
#: Bands of up to this side go through the network together.
SMALL = 384


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
        notes: list[str] = []
        weight = pixel_weights(image)
        complete = whole(replace(image, mask=weight == 0))
        level, sigma = _skies(complete)
        plan = plan_of(complete, blur, psf, target)
        work = on_grid(replace(complete, mask=None), plan)
        notes += [*plan.blur.notes, *self._range_notes(plan.blur)]
        # A pixel of the work holds so much of the flux of one of the image.
        area = np.float32(plan.ratio**2) if per_pixel(image.unit) else np.float32(1.0)
        share = weight if plan.ratio == 1.0 else nearest(weight, work.shape)
        given = (work.flux / area - level) / sigma
        unit = Background(np.zeros(len(level), dtype=np.float32), 1.0)
        restored, spread = self._restore(given, unit, plan.blur, notes, share)
        stamps = plan.blur.for_bands(len(given))
        restored = explained(restored, given, stamps, share)
        keep_totals(given, restored)
        if spread is None:
            spread = np.ones_like(restored)
        doubted = doubt_of(restored, spread, given, stamps, share)
        flux, deviation = restored * sigma + level, spread * sigma
        layers = [deviation, doubted.doubt, doubted.chi2]
        grid, full = image, complete
        if plan.ratio > 1.0:
            flux = brought_back(plan.ratio, flux, image.shape)
            layers = [  # the spline overshoots
                np.clip(brought_back(plan.ratio, each, image.shape), each.min(), each.max())
                for each in layers
            ]
        elif plan.ratio < 1.0:
            flux, layers[0] = area * flux, area * deviation
            grid = finer(image, work, float(area))
            # A spline through pixels has not quite their sum.
            full = replace(work, flux=area * nearest(complete.flux, work.shape))
            flux += (full.flux - flux).mean(axis=(1, 2), keepdims=True)
        result = with_restored(grid, flux, full)
        result = replace(result, psf=plan.target)
        provenance = {
            "model": self.card.name,
            "sha256": self.sha256,
            "engine": self.engine,
            "notes": notes,
            "blur_fwhm": round(plan.blur.fwhm, 4),
            "chi2": [round(float(value), 3) for value in doubted.reduced],
            "doubted": round(float((layers[1] > 0.5).mean()), 5),
        }
        provenance["trust"] = in_words(provenance["doubted"], doubted.reduced, image.bands)
        if plan.target is not None:
            provenance["target_fwhm"] = round(plan.target.fwhm, 4)
        deviation, doubt, chi2 = layers
        restoration = Restoration(result, deviation, doubt, provenance, chi2=chi2)
        return with_change(image, restoration)

    def _mapped(self, network: Network, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        return map_windows(network, channels, CORE, self.card.reach, self.card.multiple)

    def _checked(
        self, channels: NDArray[np.float32], stretch: Stretch, sky: Background, notes: list[str]
    ) -> Network:
        picked = band_channels(network_inputs(self.card.network), len(sky.sky))

        def by_band(network: Network) -> Network:
            def restored(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
                given = [tiles[:, list(planes)] for planes in picked]
                if tiles[0, 0].size <= SMALL**2:
                    found = network(np.concatenate(given)).reshape(
                        len(picked), len(tiles), -1, *tiles.shape[2:]
                    )
                else:
                    found = np.stack([network(planes) for planes in given])
                # What is restored of each band, then the spread of each.
                return np.moveaxis(found, 0, 2).reshape(len(tiles), -1, *tiles.shape[2:])

            return restored

        reference = None if self.reference is None else by_band(self.reference)
        together = replace(self, network=by_band(self.network), reference=reference)
        return NeuralRestorer._checked(together, channels, stretch, sky, notes)

    def _range_notes(self, blur: PSF) -> list[str]:
        low, high = self.card.fwhm  # in pixels: training knew no arcsec
        width = blur.fwhm / blur.pixel_scale
        if BELOW * low <= width <= ABOVE * high:
            return []
        return [
            f"a blur of {width:.1f} pixels is outside what the model was trained on "
            f"({low:g} to {high:g})"
        ]


def _skies(image: SkyImage) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sky level and noise of each band, shape (band, 1, 1)."""
    skies = [background_of(image.of_bands([band])) for band in range(len(image.flux))]
    for band, sky in zip(image.bands, skies, strict=True):
        if not sky.sigma > 0:
            raise InputError(f"the sky of band {band} is constant: without noise no scale")
    level = np.array([sky.sky[0] for sky in skies], dtype=np.float32)
    sigma = np.array([sky.sigma for sky in skies], dtype=np.float32)
    return level[:, None, None], sigma[:, None, None]

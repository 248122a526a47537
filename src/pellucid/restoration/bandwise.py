"""A network that takes one band at a time, with what all of them show as a guide, as a restorer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pellucid.data.channels import band_channels, network_inputs, pixel_weights
from pellucid.errors import InputError
from pellucid.optics import blur_of
from pellucid.optics.inpaint import filled
from pellucid.restoration.engine import Network
from pellucid.restoration.neural import NeuralRestorer
from pellucid.restoration.result import Restoration, with_restored
from pellucid.sky import PSF, Background, SkyImage, background_of
from pellucid.stretch import Stretch


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

        Raises
        ------
        InputError
            When the blur is not known, or a band has no noise.
        """
        kernel = blur_of(image, blur, psf, target)
        notes: list[str] = []
        whole = image.with_flux(filled(image.flux, image.mask))
        skies = [background_of(_one_band(whole, band)) for band in range(len(image.flux))]
        for band, sky in zip(image.bands, skies, strict=True):
            if not sky.sigma > 0:
                raise InputError(f"the sky of band {band} is constant: without noise no scale")
        level = np.array([sky.sky[0] for sky in skies], dtype=np.float32)[:, None, None]
        sigma = np.array([sky.sigma for sky in skies], dtype=np.float32)[:, None, None]
        unit = Background(np.zeros(len(skies), dtype=np.float32), 1.0)
        restored, spread = self._restore(
            (whole.flux - level) / sigma, unit, kernel, notes, pixel_weights(image)
        )
        provenance = {
            "model": self.card.name,
            "sha256": self.sha256,
            "engine": self.engine,
            "notes": notes,
        }
        if kernel is not None:
            provenance["psf_fwhm"] = round(kernel.fwhm, 4)
        result = with_restored(image, restored * sigma + level)
        uncertainty = None if spread is None else spread * sigma
        return Restoration(result, uncertainty, provenance=provenance)

    def _checked(
        self, channels: NDArray[np.float32], stretch: Stretch, sky: Background, notes: list[str]
    ) -> Network:
        picked = band_channels(network_inputs(self.card.network), len(sky.sky))

        def by_band(network: Network) -> Network:
            def restored(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
                bands = np.stack([network(tiles[:, list(planes)]) for planes in picked], axis=2)
                # What is restored of each band, then the spread of each.
                return bands.reshape(len(tiles), -1, *tiles.shape[2:])

            return restored

        reference = None if self.reference is None else by_band(self.reference)
        together = replace(self, network=by_band(self.network), reference=reference)
        return NeuralRestorer._checked(together, channels, stretch, sky, notes)


def _one_band(image: SkyImage, band: int) -> SkyImage:
    one = slice(band, band + 1)
    return replace(
        image,
        flux=image.flux[one],
        bands=image.bands[one],
        variance=None if image.variance is None else image.variance[one],
        mask=None if image.mask is None else image.mask[one],
        sky=None if image.sky is None else image.sky[one],
        layout=None,
    )

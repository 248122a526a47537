"""A network with its card as a restorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.channels import Known, input_channels, network_inputs, reordered
from pellucid.errors import InputError
from pellucid.networks.bundle import Card
from pellucid.optics import blur_of, resampled_psf
from pellucid.restoration.change import with_change
from pellucid.restoration.each_band import each_band
from pellucid.restoration.engine import Network
from pellucid.restoration.field_sky import FieldSky
from pellucid.restoration.holes import with_restored
from pellucid.restoration.models_grid import (
    background_on,
    brought_back,
    moved,
    on_the_models_grid,
    pixels_along,
)
from pellucid.restoration.order import in_order
from pellucid.restoration.pieces import Pieces, has_many_pixels, restored_in_pieces
from pellucid.restoration.result import Restoration
from pellucid.restoration.suited import blur_notes, channels_of, psf_notes, scale_notes
from pellucid.restoration.totals import with_light_kept
from pellucid.sky import PSF, Background
from pellucid.sky.band_names import band_in_words
from pellucid.sky.blocks import blocks
from pellucid.sky.field import Field, middle_image
from pellucid.sky.image import SkyImage
from pellucid.sky.inpaint import whole
from pellucid.stretch import Stretch, from_network, stretch_from_dict, to_network
from pellucid.tiling import Tiling, map_tiles, plan_tiles

#: What a network is told, planes of shape (y, x).
Planes = Sequence[NDArray[np.float32]] | NDArray[np.float32]
#: Neighbouring tiles share this fraction of their side.
OVERLAP = 0.25
#: Pixels further than this below the sky pass by the network.
OUTLIER_SIGMAS = 10.0
#: bf16 may change a tile's summed flux by this fraction of the light in it.
FLUX_TOLERANCE = 0.01
#: A spread that is wider than this, in the network's range, says no more: a factor of 20 in flux.
WIDEST = np.float32(0.5)
#: What is restored beyond this, in the network's range, is no light: training saw no more.
FARTHEST = np.float32(2.0)


@dataclass(frozen=True)
class NeuralRestorer:
    """A network with its card: noise → stretch → network → stretch back → flux.

    Parameters
    ----------
    card
        Of the bundle.
    network
        From `load_network`.
    sha256
        Of the bundle.
    engine
        What runs the network, for the record.
    reference
        The network in single precision, which a faster one is checked against once an image.
    seed
        Of what a sampler draws.
    force
        Whether it takes what is far from what it was trained on.
    tiles
        Where its tiles lie; without it the fewest that cover an image.
    """

    card: Card
    network: Network
    sha256: str
    engine: str = "onnx fp32"
    reference: Network | None = None
    seed: int = 0
    force: bool = False
    tiles: Tiling | None = None

    @property
    def name(self) -> str:
        return self.card.name

    def __call__(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Restoration:
        """Restore ``image``; what is known of its blur, as `Restorer` has it, is checked."""
        if has_many_pixels(image) and self.by_pieces(image):
            return restored_in_pieces(self, image, blur, psf, target)
        if len(self.card.bands) == 1 < len(image.bands):
            learned = f"{band_in_words(self.card.bands[0])} alone"
            return each_band(self, image, blur, psf, target, learned)
        kernel, order, notes = self.suited(image, blur, psf, target)
        complete = whole(image)
        given = on_the_models_grid(complete, self.card)
        if kernel is not None and given is not complete:
            kernel = resampled_psf(kernel, self.card.pixel_scale)
        sky = background_on(given, complete)
        bands, _ = self._in_order(order, sky).restored_planes(given.flux, sky, kernel, notes)
        notes += with_light_kept(given.flux, bands, sky)
        if given is complete:
            result = with_restored(image, bands, complete)
        else:
            result = brought_back(bands, image, complete, self.card, notes)
        return with_change(image, Restoration(result, provenance=self.made_by(notes)))

    def suited(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> tuple[PSF | None, list[int], list[str]]:
        """The blur of an image, which of its bands goes to each channel, and what to know of it.

        Raises
        ------
        InputError
            When it is far from what the network was trained for, and not by ``force``.
        """
        order = channels_of(image.bands, self.card)
        scaled = replace(image, pixel_scale=image.pixel_scale or self.card.pixel_scale)
        kernel = blur_of(scaled, blur, psf, target)
        notes = scale_notes(image, self.card, self.force)
        told = "fwhm" in network_inputs(self.card.network)
        if blur is not None or told:
            notes += blur_notes(kernel, self.card, self.force)
        else:  # it undoes one blur whatever the psf, which it should have met
            stars = kernel if target is None else blur_of(scaled, psf=psf)
            notes += psf_notes(stars, self.card, self.force)
        if kernel is not None:
            notes = [*kernel.notes, *notes]
        if target is not None and not told:
            notes.append("the model has a target of its own; the one that is stated has no say")
        if len(image.flux) == 1 < len(order):
            notes.append(f"one band stood for all {len(order)} of the model's")
        return kernel, order, notes

    def made_by(self, notes: list[str]) -> dict[str, Any]:
        """The provenance of what it restored."""
        provenance: dict[str, Any] = {"model": self.card.name, "sha256": self.sha256}
        provenance |= {"engine": self.engine, "notes": notes}
        if self.card.fwhm[1] > 0:
            provenance["psf_fwhm"] = self.card.fwhm[1]
        return provenance

    def by_pieces(self, image: SkyImage) -> bool:
        """Whether it works on a large image piece by piece: of one band, in pixels that fit."""
        one = len(self.card.bands) == 1 == len(image.bands)
        return one and pixels_along(image, self.card) is not None

    def pieces(
        self,
        field: Field,
        sky: FieldSky,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Pieces:
        """How it works on a large image; see `Pieces`."""
        from pellucid.restoration.neural_pieces import NeuralPieces

        kernel, _, notes = self.suited(middle_image(field), blur, psf, target)
        finer = pixels_along(field.frame, self.card)
        assert finer is not None
        if finer > 1:
            notes = [*notes, moved(field.frame, self.card)]
            kernel = kernel and resampled_psf(kernel, self.card.pixel_scale)
        return NeuralPieces(self, kernel, sky.units, finer, field.frame.unit, notes)

    def restored_planes(
        self,
        flux: NDArray[np.float32],
        sky: Background,
        blur: PSF | None,
        notes: list[str],
        known: Mapping[str, Any] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Flux restored, and its standard deviation where the network gives one.

        What else is ``known`` are fields of `Known`.
        """
        stretch = stretch_from_dict(self.card.stretch)
        if not sky.sigma > 0:
            raise InputError("the image's sky is constant: without noise there is no scale")
        value, taken, beyond = (np.empty_like(flux) for _ in range(3))
        bright = 0
        # Some rows at a time, so that nothing of the frame's size is made in between.
        for rows in blocks(flux.shape[1]):
            some, level = flux[:, rows], sky.sky[:, None, None]
            # Noise does not reach so deep: what does (a bad pixel) is none of the network's
            # business.
            deep = some < level - np.float32(OUTLIER_SIGMAS * sky.sigma)
            taken[:, rows] = np.where(deep, level, some)
            given = to_network(stretch.forward(taken[:, rows], sky))
            bright += int(np.count_nonzero(given > self.card.ceiling))
            value[:, rows] = np.minimum(given, np.float32(self.card.ceiling))
            # What lies beyond what the network was trained on passes by it: no flux is lost.
            kept = stretch.inverse(from_network(value[:, rows]), sky)
            above = np.maximum(taken[:, rows] - kept, 0.0)
            beyond[:, rows] = some - taken[:, rows] + above
        if bright:
            notes.append(
                f"{bright} pixels are brighter than any in training; their excess was left as it is"
            )
        channels = self._told(Known(value, taken, sky, blur, stretch, **(known or {})))
        del value, taken
        network = self._checked(channels, stretch, sky, notes)
        found = self._mapped(network, channels)
        del channels
        restored, spread = found[: len(flux)], found[len(flux) :]
        result = stretch.inverse(from_network(restored), sky)
        result += beyond
        if not np.isfinite(result).all():
            raise InputError(f"model {self.card.name} makes values of it that are no numbers")
        del beyond
        deviation = None
        if len(spread):
            upper, lower = (
                stretch.inverse(from_network(restored + change), sky)
                for change in (np.minimum(spread, WIDEST), -np.minimum(spread, WIDEST))
            )
            deviation = np.float32(0.5) * (upper - lower)
        return result, deviation

    def _in_order(self, order: list[int], sky: Background) -> NeuralRestorer:
        """The restorer of an image's bands in their own order."""
        if order == list(range(len(order))):
            return self
        stretch = stretch_from_dict(self.card.stretch)
        planes = reordered(network_inputs(self.card.network), order, len(order))
        network, reference = (
            None if each is None else in_order(each, order, planes, stretch, sky)
            for each in (self.network, self.reference)
        )
        assert network is not None
        return replace(self, network=network, reference=reference)

    def _told(self, known: Known) -> Planes:
        """The channels, each of shape (y, x)."""
        return input_channels(network_inputs(self.card.network), known)

    def _mapped(self, network: Network, channels: Planes) -> NDArray[np.float32]:
        """What the network makes of channels of any sides."""
        size = self.card.tile
        tiles = self.tiles or plan_tiles(channels[0].shape, size, int(OVERLAP * size))
        return map_tiles(network, np.asarray(channels), tiles)

    def _checked(
        self, channels: Planes, stretch: Stretch, sky: Background, notes: list[str]
    ) -> Network:
        """The fast network if it keeps the flux of the brightest tile, else the reference."""
        if self.reference is None:
            return self.network
        any_side = self.card.scale_rule == "any"
        size = 2 * self.card.multiple if any_side else self.card.tile
        tile = _brightest_tile(channels, len(sky.sky), size)
        fluxes = [
            stretch.inverse(from_network(network(tile[None])[0, : len(sky.sky)]), sky)
            - sky.sky[:, None, None]
            for network in (self.network, self.reference)
        ]
        light = np.abs(fluxes[1]).sum()
        change = abs(float(fluxes[0].sum() - fluxes[1].sum()) / float(light))
        if change <= FLUX_TOLERANCE:
            return self.network
        notes.append(f"bf16 changed the flux by {change:.1%}, so single precision was used")
        return self.reference


def _brightest_tile(channels: Planes, bands: int, size: int) -> NDArray[np.float32]:
    """The square around the image's brightest pixel; its bands are the first channels."""
    light = np.sum(channels[:bands], axis=0)
    row, column = np.unravel_index(int(light.argmax()), light.shape)
    places = []
    for centre, side in zip((row, column), light.shape, strict=True):
        whole = np.pad(np.arange(side), (0, max(0, size - side)), mode="symmetric")
        start = int(np.clip(centre - size // 2, 0, len(whole) - size))
        places.append(whole[start : start + size])
    return np.stack([plane[np.ix_(*places)] for plane in channels])

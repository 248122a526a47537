"""Views of truth: what a telescope with any PSF and noise would have seen of a galaxy.

A scene is drawn in pixels of the output grid: the galaxy at a random size, with neighbours and
stars, as sharp as the target. It is blurred by a kernel of any shape, real or made, and noise is
added: y = blur ⊛ t + n. All fluxes are in units of that noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pellucid.data.band_differences import BandRecipe
from pellucid.data.damage import damaged_pixels
from pellucid.data.halving import enlarge, shrink
from pellucid.data.kernels import centred, made_kernel
from pellucid.data.placing import add_star, fade, paste, star
from pellucid.data.truth import TruthStore
from pellucid.optics import convolve, object_rng
from pellucid.sky import PSF, Pair, SkyImage
from pellucid.sky.inpaint import filled
from pellucid.sky.psf import FWHM_PER_SIGMA

#: Truth is shrunk until its own FWHM is at most this fraction of the target's.
SHARPNESS = 0.85
#: FWHM in pixels of the blur left in images that were enlarged twofold.
ENLARGED_FWHM = (2.3, 10.0)
#: Fraction of the smooth noise that is smooth over many pixels.
WIDE = 0.35
#: Fraction of the views whose variance is told.
KNOWN = 0.6


@dataclass(frozen=True)
class SceneRecipe:
    """From what a view is drawn.

    Parameters
    ----------
    size
        Pixels a side.
    margin
        Pixels that are drawn around it, so that light comes in from beyond a frame's edge.
    target
        FWHM of the target, pixels, smallest and largest.
    blur
        FWHM of the blur, pixels, smallest and largest.
    peak
        Signal over noise of the blurred scene's brightest pixel, smallest and largest.
    smallest
        Truth is shrunk to at most this fraction.
    neighbours, stars
        Up to so many more galaxies, and stars.
    native
        Of truth that is hardly sharper than the target, the fraction that is its own target.
    real
        Fraction of the kernels that are those of real point sources.
    enlarged, correlated
        Fraction of the views whose pixels were halved, and of those whose noise is smooth, as a
        resampled image's.
    photons, uneven, shared
        Of those in which the source's own photons are noisy, of those that were exposed for longer
        in one part than in another, and of those with one noise in all bands, as GalaxyGAN's.
    damaged
        Of those with pixels without data: cosmic rays, columns, saturated cores.
    dazzling
        Of those with a star far brighter than all else.
    brightest
        Signal over noise of such a star's brightest pixel, smallest and largest.
    bands
        How bands differ.
    """

    size: int = 128
    margin: int = 16
    target: tuple[float, float] = (2.0, 2.5)
    blur: tuple[float, float] = (1.5, 9.0)
    peak: tuple[float, float] = (3.0, 500.0)
    smallest: float = 0.2
    neighbours: int = 2
    stars: int = 4
    native: float = 0.6
    real: float = 0.35
    enlarged: float = 0.3
    correlated: float = 0.2
    photons: float = 0.5
    uneven: float = 0.15
    shared: float = 0.2
    damaged: float = 0.2
    dazzling: float = 0.12
    brightest: tuple[float, float] = (300.0, 5000.0)
    bands: BandRecipe = field(default_factory=BandRecipe)


@dataclass
class ScenePairs:
    """Pairs that are drawn from truth when they are asked for; see `pellucid.data.pairs.Pairs`."""

    truth: TruthStore
    recipe: SceneRecipe

    def __post_init__(self) -> None:
        self.path, self.ids = self.truth.path, self.truth.ids
        self.bands, self.unit = self.truth.bands, self.truth.unit
        self.pixel_scale, self.blurred_scale = self.truth.pixel_scale, None

    def __len__(self) -> int:
        return len(self.truth)

    def sharp(self, index: int) -> SkyImage:
        """See `Pairs`; as it is drawn for `pair`."""
        return self.pair(index).sharp

    def pair(self, index: int, seed: int = 0) -> Pair:
        """See `Pairs`."""
        return self.draw(index, object_rng(seed, self.ids[index]))

    def draw(self, index: int, rng: np.random.Generator, with_blur: bool = True) -> Pair:
        """See `Pairs`; whatever is drawn, the blur is known."""
        recipe = self.recipe
        own = float(self.truth.fwhm[index])
        # A frame no sharper than the target is its own target, with its noise.
        fwhm = rng.uniform(*recipe.target)
        if rng.random() < recipe.native and own <= 1.5 * recipe.target[1]:
            zoom, target = 1.0, own
        else:
            target = fwhm
            most = min(SHARPNESS * target / own, 1.0)
            zoom = float(np.exp(rng.uniform(np.log(min(recipe.smallest, most)), np.log(most))))
        side = recipe.size + 2 * recipe.margin
        frame = (slice(None), *[slice(recipe.margin, recipe.margin + recipe.size)] * 2)
        sharp = np.zeros((len(self.bands), side, side), dtype=np.float32)
        place = 0.5 * side + rng.uniform(-0.2, 0.2, 2) * recipe.size
        self._add(sharp, index, zoom, target, place, 1.0)
        grain = float(self.truth.noise[index]) * zoom
        for _ in range(rng.integers(recipe.neighbours + 1)):
            other = int(rng.integers(len(self)))
            small = zoom * rng.uniform(0.3, 1.0) * own / float(self.truth.fwhm[other])
            place = rng.uniform(0.0, side, 2)
            brightness = _log_uniform((0.02, 1.0), rng)
            small = min(small, 1.0)
            self._add(sharp, other, small, target, place, brightness)
            grain = max(grain, brightness * float(self.truth.noise[other]) * small)
        for _ in range(rng.integers(recipe.stars + 1)):
            add_star(sharp, target, rng)
        sharp *= recipe.bands.depth(len(sharp), rng)
        wanted = _log_uniform(recipe.blur, rng)
        blur = recipe.bands.blurs(lambda width: self._kernel(width, rng), wanted, len(sharp), rng)
        seen = convolve(sharp, blur.for_bands(len(sharp)), "reflect")
        # The truth's own noise must drown in that of the view, or it would be learned as structure.
        clean = 1.0 / max(grain, 1e-6)
        peak = min(_log_uniform(recipe.peak, rng), max(clean, 2.0 * recipe.peak[0]))
        scale = peak / max(float(seen[frame].max()), 1e-6)
        sharp, seen = sharp * np.float32(scale), seen * np.float32(scale)
        if rng.random() < recipe.dazzling:
            dazzling = star(sharp.shape, target, rng)
            through = convolve(dazzling, blur.for_bands(len(sharp)), "reflect")
            height = np.float32(_log_uniform(recipe.brightest, rng) / max(through.max(), 1e-6))
            sharp, seen = sharp + height * dazzling, seen + height * through
        sharp, seen = sharp[frame], seen[frame]
        noise, enlarged = self._noise(seen.shape, blur.fwhm, rng)
        if enlarged:
            seen = enlarge(shrink(seen), seen.shape)
        deviation = self._deviation(seen, rng)
        blurred = seen + deviation * noise
        # Nobody knows the sky and its noise to the last digit.
        factor, offset = np.exp(rng.normal(0.0, 0.04)), rng.normal(0.0, 0.05)
        sharp, blurred = (factor * flux + np.float32(offset) for flux in (sharp, blurred))
        variance = np.square(deviation) if rng.random() < KNOWN else np.ones_like(deviation)
        mask = damaged_pixels(blurred, rng) if rng.random() < recipe.damaged else None
        order = recipe.bands.order(len(sharp), rng)
        given = replace(
            self._image(filled(blurred, mask)[order]),
            variance=np.broadcast_to(variance, blurred.shape)[order],
            mask=None if mask is None else mask[order],
        )
        if len(blur.stamps) > 1:
            blur = PSF(blur.stamps[order], blur.pixel_scale)
        return Pair(given, self._image(sharp[order]), blur)

    def origin(self) -> Mapping[str, Any]:
        """See `Pairs`."""
        return {"pairs": "drawn", "scenes": asdict(self.recipe)}

    def blurs(self) -> list[float]:
        """See `Pairs`; in pixels, which count as one arcsec."""
        return list(self.recipe.blur)

    def noises(self) -> list[float]:
        """See `Pairs`."""
        return []

    def _image(self, flux: NDArray[np.float32]) -> SkyImage:
        return SkyImage(
            flux,
            bands=self.bands,
            variance=np.ones_like(flux),
            sky=(0.0,) * len(flux),
            pixel_scale=self.pixel_scale,
        )

    def _add(
        self,
        scene: NDArray[np.float32],
        index: int,
        zoom: float,
        target: float,
        place: NDArray[np.floating],
        brightness: float,
    ) -> None:
        """Add an object, as large as ``zoom`` says and as sharp as the target, to a scene."""
        from scipy.ndimage import gaussian_filter

        flux = self.truth.flux(index)
        if len(flux) != len(scene):
            flux = flux[np.linspace(0, len(flux) - 1, len(scene)).round().astype(int)]
        height, width = (max(8, round(side * zoom)) for side in flux.shape[1:])
        missing = target**2 - (zoom * float(self.truth.fwhm[index])) ** 2
        for plane, whole in zip(scene, flux, strict=True):
            small = whole
            if zoom < 1.0:
                picture = Image.fromarray(whole).resize((width, height), Image.Resampling.BOX)
                small = np.asarray(picture)
            small = small * fade(small.shape[0])[:, None] * fade(small.shape[1])
            if missing > 0.1:
                small = gaussian_filter(small, np.sqrt(missing) / FWHM_PER_SIGMA)
            paste(plane, small * np.float32(brightness), place)

    def _kernel(self, wanted: float, rng: np.random.Generator) -> PSF:
        """About so wide, in pixels."""
        if self.truth.kernels and rng.random() < self.recipe.real:
            stamp = self.truth.kernel(int(rng.integers(self.truth.kernels)))
            known = 2.0 * np.sqrt((stamp > 0.5 * stamp.max()).sum() / np.pi)
            side = max(3, round(stamp.shape[0] * wanted / max(known, 1.0))) | 1
            picture = Image.fromarray(stamp).resize((side, side), Image.Resampling.BICUBIC)
            return PSF(centred(np.clip(np.asarray(picture), 0.0, None)), self.pixel_scale)
        return PSF(made_kernel(wanted, rng), self.pixel_scale)

    def _noise(
        self, shape: tuple[int, ...], fwhm: float, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], bool]:
        """Noise of standard deviation 1, white or as it is after an image was resampled.

        And whether the image was enlarged twofold, as is done where its psf is narrow.
        """
        from scipy.ndimage import gaussian_filter

        noise = rng.standard_normal(shape, dtype=np.float32)
        if rng.random() < self.recipe.shared:
            noise[:] = noise[0]
        kind = rng.random()
        if kind < self.recipe.enlarged:
            if ENLARGED_FWHM[0] < fwhm < ENLARGED_FWHM[1]:
                own = noise[:, : -(-shape[1] // 2), : -(-shape[2] // 2)]
                return enlarge(own, shape), True
        elif kind < self.recipe.enlarged + self.recipe.correlated:
            # Most are resampled once; drizzled and smoothed images are smooth over many pixels.
            width = _log_uniform((0.7, 2.0), rng) if rng.random() < WIDE else rng.uniform(0.3, 0.7)
            noise = gaussian_filter(noise, (0, width, width))
            noise /= noise.std()
        return noise, False

    def _deviation(
        self, seen: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Standard deviation of each pixel's noise, 1 in the sky."""
        variance = np.ones_like(seen)
        if rng.random() < self.recipe.photons:
            gain = _log_uniform((3.0, 100.0), rng)
            variance += np.maximum(seen, 0.0) / np.float32(gain)
        if rng.random() < self.recipe.uneven:
            edge = int(rng.integers(seen.shape[2] // 2))
            turned = variance if rng.random() < 0.5 else variance.swapaxes(1, 2)
            turned[:, :, :edge] *= np.float32(_log_uniform((0.3, 10.0), rng))
        return np.sqrt(variance)


def _log_uniform(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))

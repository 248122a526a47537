"""Pictures out: an image as 8-bit PNG, in a stretch that anyone can reproduce."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pellucid.display.composite import CARDS
from pellucid.errors import UsageError
from pellucid.files import write_atomically
from pellucid.sky.bands import by_wavelength
from pellucid.sky.image import SkyImage, is_nanomaggy, per_pixel
from pellucid.sky.inpaint import filled
from pellucid.stretch import GalaxyGANStretch

_MAD_TO_SIGMA = 1.482602218505602
#: White is at least so far above the sky, in units of the noise.
_FAINTEST_WHITE = 30.0
#: Of the noise of the image that another was made of, what is drawn as the noise of that one.
_QUIETEST = 0.5
#: Bands whose noises differ by more than this are not counted in one unit, whatever it is called.
_ALIKE = 10.0
#: Holes in all bands that a square of so many pixels fits into are left as they are.
_NARROW = 5


@dataclass(frozen=True)
class Lupton:
    """Lupton's stretch, as ``astropy.visualization.make_lupton_rgb`` has it.

    With I the mean of r, g and b above their minima, each is multiplied by f(I)/I, f(I) = 0.1
    asinh(Q I/stretch)/asinh(0.1 Q); what would be brighter than 1 is scaled down to 1, so that it
    keeps its colour. Bands that are counted in other units (VIS and NISP of Euclid) are divided by
    their ``noise`` first.

    References
    ----------
    Lupton et al. 2004, PASP 116, 133, doi:10.1086/382245.
    """

    minimum: tuple[float, float, float]  # of red, green and blue, in the unit of the flux
    stretch: float  # a tenth of it above the minimum is drawn at a tenth of white
    q: float
    noise: tuple[float, ...] = ()  # of each band, where it is their unit

    def __str__(self) -> str:
        low = ", ".join(f"{value:.8g}" for value in self.minimum)
        return (
            f"make_lupton_rgb(r, g, b, minimum=[{low}], stretch={self.stretch:.8g}, Q={self.q:g})"
        )

    def __call__(self, flux: NDArray[np.floating], bands: tuple[str, ...]) -> NDArray[np.float64]:
        """Values from 0 to 1, red first, of the flux of these bands, shape (band, y, x)."""
        above = self.above(flux, bands)
        mean = above.mean(axis=0)
        bright = mean > 0
        gain = np.zeros_like(mean)
        gain[bright] = np.arcsinh(self.q * mean[bright]) / mean[bright]
        value = np.clip(above * gain * (0.1 / np.arcsinh(0.1 * self.q)), 0.0, None)
        return value / np.maximum(value.max(axis=0), 1.0)

    def above(self, flux: NDArray[np.floating], bands: tuple[str, ...]) -> NDArray[np.float64]:
        """Red, green and blue above their minima in units of the stretch; NaN is 0."""
        if self.noise:
            flux = flux / np.reshape(self.noise, (-1, 1, 1))
        rgb = np.asarray(_rgb(flux, bands), np.float64)
        return np.nan_to_num((rgb - np.reshape(self.minimum, (3, 1, 1))) / self.stretch, nan=0.0)


def lupton_of(image: SkyImage, made_of: SkyImage | None = None) -> Lupton:
    """The stretch that shows an image: the sky is dark grey, the 99.9th percentile white.

    Black is two σ below the median of each band, the median is drawn at a tenth of white, and white
    is 30 σ above it where the image has nothing as bright. So the picture is the same in any unit.
    What is masked has no say. A restoration's own σ would show what no data bear out: half of
    that of the image that it was ``made_of`` counts, where it is more. Where one band is ten times
    as noisy as another, they are not of one unit, and each is drawn in units of its own σ.
    """
    if made_of is not None and len(made_of.flux) != len(image.flux):
        made_of = None
    noise = _units(image if made_of is None else made_of)
    sky, sigma = _levels(image, noise)
    if made_of is not None:
        pixels = image.flux[0].size / made_of.flux[0].size if per_pixel(image.unit) else 1.0
        sigma = max(sigma, _QUIETEST * _levels(made_of, noise)[1] / pixels)
    channels = np.array(sky)[:, None, None] - 2.0 * sigma
    red, green, blue = (float(value) for value in _rgb(channels, image.bands)[:, 0, 0])
    rounded = [float(f"{value:.8g}") for value in (red, green, blue, 20.0 * sigma)]
    linear = Lupton((rounded[0], rounded[1], rounded[2]), rounded[3], 1.0, noise)
    return replace(linear, q=_softening(*_brightest(image, linear)))


def _brightest(image: SkyImage, stretch: Lupton) -> tuple[float, float]:
    """The I of what is drawn white, and how much more the brightest of r, g and b has there."""
    flux = image.flux if image.mask is None else np.where(image.mask, np.nan, image.flux)
    above = stretch.above(flux, image.bands)
    mean = above.mean(axis=0)
    top = float(np.percentile(mean, 99.9))
    bright = (mean >= top) & (mean > 0)
    colour = above.max(axis=0)[bright] / mean[bright]
    least = (_FAINTEST_WHITE + 2.0) / 20.0
    return max(top, least), float(np.median(colour)) if colour.size else 1.0


def _units(image: SkyImage) -> tuple[float, ...]:
    """The noise of each band where it has to be that band's unit; nothing where all have one."""
    noise = [_levels(image.of_bands([k]))[1] for k in range(len(image.flux))]
    alike = max(noise) <= _ALIKE * min(noise)
    return () if alike else tuple(float(f"{value:.8g}") for value in noise)


def _levels(image: SkyImage, noise: tuple[float, ...] = ()) -> tuple[list[float], float]:
    """The median of each band, and the scatter about it."""
    flux = image.flux.astype(np.float64)
    if noise:
        flux /= np.reshape(noise, (-1, 1, 1))
    finite = np.isfinite(flux) if image.mask is None else np.isfinite(flux) & ~image.mask
    sky = [np.median(p[ok]) if ok.any() else 0.0 for p, ok in zip(flux, finite, strict=True)]
    above = (flux - np.reshape(sky, (-1, 1, 1)))[finite]
    sigma = _MAD_TO_SIGMA * float(np.median(np.abs(above))) if above.size else 0.0
    if not sigma > 0:
        # A sky that was cut to a constant has no noise: let the light itself set the scale.
        top = float(np.percentile(above, 99.9)) if above.size else 0.0
        sigma = top / 100 if top > 0 else 1.0
    return sky, sigma


def _softening(white: float, colour: float) -> float:
    """The Q that draws I = ``white`` · stretch white: asinh(Q white) = 10 asinh(0.1 Q)/colour.

    White is where the brightest of r, g and b is: that of the mean would flatten the cores of red
    galaxies.
    """
    low, high = math.log(1e-3), math.log(1e9)
    for _ in range(60):
        middle = 0.5 * (low + high)
        q = math.exp(middle)
        brighter = math.asinh(q * white) * colour > 10.0 * math.asinh(0.1 * q)
        low, high = (middle, high) if brighter else (low, middle)
    return float(f"{math.exp(low):.3g}")


def to_rgb(image: SkyImage, stretch: Lupton | None = None) -> NDArray[np.uint8]:
    """The picture of an image, shape (y, x, 3): the reddest band is red, one band is grey.

    The last row of the flux is the first of the picture, at its top. Flux is drawn in Lupton's
    ``stretch``, that of the image itself where none is given; nanomaggies without a header are a
    composite's and are drawn in the GalaxyGAN stretch, so that it comes back as it was. Holes that
    are narrow or of some bands only have their surroundings there; wider ones are left as they
    are, and NaN in all bands is black.
    """
    # Row by row from the top, as pictures are stored.
    flux = _without_small_holes(image)[:, ::-1]
    if stretch is None and is_nanomaggy(image.unit) and image.header is None:
        return to_pixels(np.moveaxis(_rgb(GalaxyGANStretch().forward(flux), image.bands), 0, -1))
    value = (stretch or lupton_of(image))(flux, image.bands)
    # Cut down to whole levels, as astropy does.
    return np.moveaxis((value * 255).astype(np.uint8), 0, -1)


def _without_small_holes(image: SkyImage) -> NDArray[np.float32]:
    """The flux, with their surroundings in holes that are narrow, or that other bands fill.

    What stands in them is no part of the picture: a spot of colour, or the noise of a bad column in
    a sky that has none any more. The core of a saturated star is wider, and stays.
    """
    holes = image.holes
    if not holes.any():
        return image.flux
    from scipy.ndimage import binary_opening

    wide = np.asarray(binary_opening(holes.all(axis=0), np.ones((_NARROW, _NARROW))), dtype=bool)
    left = wide | ~np.isfinite(image.flux).any(axis=0)
    return np.where(holes & ~left, filled(image.flux, holes), image.flux)


def _rgb(planes: NDArray[np.floating], bands: tuple[str, ...]) -> NDArray[np.floating]:
    """What is drawn red, green and blue of planes of these bands, shape (3, y, x)."""
    order = by_wavelength(bands)
    middle = order[:2] if len(order) == 2 else [order[len(order) // 2]]
    return np.stack([planes[order[-1]], planes[middle].mean(axis=0), planes[order[0]]])


def asinh_scale(above: NDArray[np.floating], white: float) -> NDArray[np.floating]:
    """(asinh(u/3) − a)/(b − a) of flux u above the sky in units of the noise.

    It is 0 at u = −2 and 1 at u = ``white``.
    """
    low, high = np.arcsinh(-2.0 / 3.0), np.arcsinh(white / 3.0)
    return (np.arcsinh(above / 3.0) - low) / (high - low)


def to_pixels(value: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Levels of 8 bits for values from 0 to 1, which others are cut to; NaN is black."""
    return np.rint(np.clip(np.nan_to_num(value, nan=0.0), 0, 1) * 255).astype(np.uint8)


def write_png(
    image: SkyImage,
    path: str | os.PathLike[str],
    overwrite: bool = False,
    made_of: SkyImage | None = None,
    cards: str = "",
) -> Path:
    """Write the picture of an image, as `to_rgb` draws it; one band gives a grey PNG.

    Its text "Comment" says how to draw it again, but for holes; ``cards`` is what a FITS header
    would tell of it, a card a line. What it was ``made_of`` counts in its stretch.
    """
    if is_nanomaggy(image.unit) and image.header is None:
        drawn, comment = to_rgb(image), "the GalaxyGAN stretch"
    else:
        stretch = lupton_of(image, made_of)
        drawn = to_rgb(image, stretch)
        units = [f" / {sigma:.8g}" for sigma in stretch.noise] or [""] * len(image.bands)
        order = reversed(by_wavelength(image.bands))
        names = ", ".join(f"{image.bands[k]}{units[k]}" for k in order)
        comment = f"astropy.visualization.{stretch} of {names} (red first)"
    pixels = drawn[..., 0] if len(image.flux) == 1 else drawn
    return write_picture(pixels, path, overwrite, {"Comment": comment, CARDS: cards})


def check_picture_name(path: str | os.PathLike[str]) -> None:
    """Refuse a picture that would not be PNG, with `UsageError`."""
    if Path(path).suffix.lower() != ".png":
        raise UsageError(f"{path}: a picture is written as PNG; end its name in .png")


def write_picture(
    pixels: NDArray[np.uint8],
    path: str | os.PathLike[str],
    overwrite: bool = False,
    texts: Mapping[str, str] = {},
) -> Path:
    """Write pixels, shape (y, x, 3) or (y, x), the top row first, as PNG with texts by keys."""
    from PIL import Image, PngImagePlugin

    check_picture_name(path)
    picture = Image.fromarray(pixels)
    text = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        if value:
            text.add_text(key, value)

    def write(stream: BinaryIO) -> None:
        picture.save(stream, format="PNG", pnginfo=text)

    return write_atomically(path, write, overwrite)

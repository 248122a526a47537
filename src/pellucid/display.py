"""Colour composites in, pictures out.

Rows are kept in their order both ways: the first row of the flux is the top of the picture.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import UsageError, one_line, refusal
from pellucid.files import write_atomically
from pellucid.sky.image import SkyImage, is_nanomaggy
from pellucid.stretch import GalaxyGANStretch

COMPOSITE_SUFFIXES = (".png", ".jpg", ".jpeg")
COMPOSITE_BANDS = ("g", "r", "i")
_WAVELENGTH_ORDER = "ugrizy"
_MAD_TO_SIGMA = 1.482602218505602


def is_composite(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name says that it is a picture, PNG or JPEG."""
    return Path(path).suffix.lower() in COMPOSITE_SUFFIXES


def read_composite(path: str | os.PathLike[str], pixel_scale: float | None = None) -> SkyImage:
    """Read a colour composite as the GalaxyGAN stretch of linear flux.

    Red, green and blue are the i, r and g bands; a grey picture is r alone. Transparency is
    dropped.

    Parameters
    ----------
    path
        PNG or JPEG, 8 or 16 bits a colour, with or without a palette.
    pixel_scale
        Arcsec per pixel.

    Returns
    -------
    SkyImage
        Flux, shape (band, y, x), in nanomaggies, within the stretch's limits.

    References
    ----------
    Schawinski et al. 2017, MNRAS 467, L110, doi:10.1093/mnrasl/slx008.
    """
    value = _read_values(Path(path))
    bands = COMPOSITE_BANDS if value.ndim == 3 else ("r",)
    planes = value[None] if value.ndim == 2 else np.moveaxis(value, -1, 0)[::-1]
    flux = GalaxyGANStretch().inverse(planes)
    return SkyImage(flux, bands=bands, unit="nanomaggy", pixel_scale=pixel_scale)


def _read_values(path: Path) -> NDArray[np.float32]:
    """A picture's values in [0, 1], shape (y, x, 3) or (y, x)."""
    from PIL import Image, UnidentifiedImageError

    try:
        with (
            warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning),
            Image.open(path, formats=("PNG", "JPEG")) as picture,
        ):
            if picture.mode.startswith("I"):
                return (np.asarray(picture) / 65535).astype(np.float32)
            grey = picture.mode in ("1", "L", "LA")
            return (np.asarray(picture.convert("L" if grey else "RGB")) / 255).astype(np.float32)
    except FileNotFoundError:
        raise refusal(path, "not found", "check the path") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        fault = f"more than {Image.MAX_IMAGE_PIXELS} pixels"
        raise refusal(path, fault, "cut it into smaller pictures") from None
    except UnidentifiedImageError:
        raise refusal(path, "is not a PNG or JPEG picture", "give one, or FITS") from None
    except (OSError, SyntaxError, ValueError) as error:
        # Pillow's decoders raise these for truncated and corrupt data alike.
        raise refusal(path, f"cannot be decoded ({one_line(error)})", "fetch it again") from error


def to_rgb(image: SkyImage) -> NDArray[np.uint8]:
    """The picture of an image, shape (y, x, 3): the reddest band is red, one band is grey.

    Nanomaggies are shown in the GalaxyGAN stretch, so that a composite comes back as it was.
    Other units are shown as `asinh_scale` of u = (f − sky)/σ, white at the image's 99.9th
    percentile, or at u = 30 where that is fainter. NaN is black.
    """
    value = _values(image)
    blue, green, red = _colours(image.bands)
    middle = value[list(green)].mean(axis=0)
    return to_pixels(np.stack([value[red], middle, value[blue]], axis=-1))


def asinh_scale(above: NDArray[np.floating], white: float) -> NDArray[np.floating]:
    """(asinh(u/3) − a)/(b − a) of flux u above the sky in units of the noise.

    It is 0 at u = −2 and 1 at u = ``white``.
    """
    low, high = np.arcsinh(-2.0 / 3.0), np.arcsinh(white / 3.0)
    return (np.arcsinh(above / 3.0) - low) / (high - low)


def to_pixels(value: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Levels of 8 bits for values from 0 to 1, which others are cut to; NaN is black."""
    return np.rint(np.clip(np.nan_to_num(value, nan=0.0), 0, 1) * 255).astype(np.uint8)


def write_png(image: SkyImage, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Write the picture of an image, as `to_rgb` draws it; one band gives a grey PNG."""
    rgb = to_rgb(image)
    return write_picture(rgb[..., 0] if len(image.flux) == 1 else rgb, path, overwrite)


def check_picture_name(path: str | os.PathLike[str]) -> None:
    """Refuse a picture that would not be PNG, with `UsageError`."""
    if Path(path).suffix.lower() != ".png":
        raise UsageError(f"{path}: a picture is written as PNG; end its name in .png")


def write_picture(
    pixels: NDArray[np.uint8], path: str | os.PathLike[str], overwrite: bool = False
) -> Path:
    """Write pixels, shape (y, x, 3) or (y, x), as PNG."""
    from PIL import Image

    check_picture_name(path)
    picture = Image.fromarray(pixels)
    return write_atomically(path, lambda stream: picture.save(stream, format="PNG"), overwrite)


def _values(image: SkyImage) -> NDArray[np.floating]:
    if is_nanomaggy(image.unit):
        return GalaxyGANStretch().forward(image.flux)
    flux = image.flux.astype(np.float64)
    finite = np.isfinite(flux)
    sky = [np.median(p[ok]) if ok.any() else 0.0 for p, ok in zip(flux, finite, strict=True)]
    above = flux - np.reshape(sky, (-1, 1, 1))
    pixels = above[finite]
    if pixels.size == 0:
        return np.zeros_like(flux)
    top = float(np.percentile(pixels, 99.9))
    sigma = _MAD_TO_SIGMA * float(np.median(np.abs(pixels)))
    if not sigma > 0:
        # A sky that was cut to a constant has no noise: let the light itself set the scale.
        sigma = top / 100 if top > 0 else 1.0
    return asinh_scale(above / sigma, max(top / sigma, 30.0))


def _colours(bands: tuple[str, ...]) -> tuple[int, tuple[int, ...], int]:
    """Which bands are drawn blue, green (averaged) and red."""
    order = list(range(len(bands)))
    letters = [band[-1].lower() for band in bands]
    if all(letter in _WAVELENGTH_ORDER for letter in letters):
        order.sort(key=lambda k: _WAVELENGTH_ORDER.index(letters[k]))
    middle = (order[0], order[1]) if len(order) == 2 else (order[len(order) // 2],)
    return order[0], middle, order[-1]

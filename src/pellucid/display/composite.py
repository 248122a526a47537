"""Colour composites in: PNG and JPEG as the stretched flux that they show."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.display.deep_png import is_deep_png, read_deep_png
from pellucid.errors import one_line, refusal
from pellucid.quiet import quiet
from pellucid.sky.image import SkyImage
from pellucid.stretch import GalaxyGANStretch

COMPOSITE_SUFFIXES = (".png", ".jpg", ".jpeg")
COMPOSITE_BANDS = ("g", "r", "i")
#: The text of a PNG in which its FITS cards stand, a card a line.
CARDS = "FITS cards"
_EXIF_ORIENTATION = 0x0112
#: How EXIF says that a camera was held: what viewers do before they show the picture.
_TURNED = {
    2: lambda rows: rows[:, ::-1],
    3: lambda rows: rows[::-1, ::-1],
    4: lambda rows: rows[::-1],
    5: lambda rows: rows.swapaxes(0, 1),
    6: lambda rows: rows.swapaxes(0, 1)[:, ::-1],
    7: lambda rows: rows.swapaxes(0, 1)[::-1, ::-1],
    8: lambda rows: rows.swapaxes(0, 1)[::-1],
}


def is_composite(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name says that it is a picture, PNG or JPEG."""
    return Path(path).suffix.lower() in COMPOSITE_SUFFIXES


def read_composite(path: str | os.PathLike[str], pixel_scale: float | None = None) -> SkyImage:
    """Read a colour composite as the GalaxyGAN stretch of linear flux.

    Red, green and blue are the i, r and g bands; a grey picture is r alone. Transparency is
    dropped, and the last row is the first of the flux.

    Parameters
    ----------
    path
        PNG or JPEG, 8 or 16 bits a colour, with or without a palette; turned as EXIF says.
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
    value = _read_values(Path(path))[::-1]
    bands = COMPOSITE_BANDS if value.ndim == 3 else ("r",)
    planes = value[None] if value.ndim == 2 else np.moveaxis(value, -1, 0)[::-1]
    flux = GalaxyGANStretch().inverse(planes)
    return SkyImage(flux, bands=bands, unit="nanomaggy", pixel_scale=pixel_scale)


def picture_cards(path: str | os.PathLike[str]) -> str:
    """What `pellucid.display.write_png` was told of the picture; "" of any other."""
    from PIL import Image

    with quiet(), Image.open(path, formats=("PNG", "JPEG")) as picture:
        return str(picture.info.get(CARDS, ""))


def _read_values(path: Path) -> NDArray[np.float32]:
    """A picture's values in [0, 1] as viewers show it, shape (y, x, 3) or (y, x)."""
    from PIL import Image, UnidentifiedImageError

    try:
        with quiet(), Image.open(path, formats=("PNG", "JPEG")) as picture:
            if picture.width * picture.height > (Image.MAX_IMAGE_PIXELS or np.inf):
                raise Image.DecompressionBombError
            turn = _TURNED.get(picture.getexif().get(_EXIF_ORIENTATION, 1), lambda rows: rows)
            return turn(_values(picture, path))
    except FileNotFoundError:
        raise refusal(path, "not found", "check the path") from None
    except Image.DecompressionBombError:
        fault = f"more than {Image.MAX_IMAGE_PIXELS} pixels"
        raise refusal(path, fault, "cut it into smaller pictures") from None
    except UnidentifiedImageError:
        raise refusal(path, "is not a PNG or JPEG picture", "give one, or FITS") from None
    except (OSError, SyntaxError, ValueError) as error:
        # Pillow's decoders raise these for truncated and corrupt data alike.
        raise refusal(path, f"cannot be decoded ({one_line(error)})", "fetch it again") from error


def _values(picture: Any, path: Path) -> NDArray[np.float32]:
    if is_deep_png(path):
        # Pillow would keep 8 of the 16 bits of a colour.
        deep = read_deep_png(path).astype(np.float32) / np.float32(65535)
        return deep[..., :3] if deep.shape[-1] > 2 else deep[..., 0]
    grey = picture.mode in ("1", "L", "LA")
    return (np.asarray(picture.convert("L" if grey else "RGB")) / 255).astype(np.float32)

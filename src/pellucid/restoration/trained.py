"""What the shipped models were trained for, as far as their cards do not say it."""

from __future__ import annotations

from typing import NamedTuple


class Trained(NamedTuple):
    """What a model was trained for.

    Parameters
    ----------
    bands
        Together, or each of them alone where ``alone``.
    alone
        Which bands it takes one at a time; None for any.
    pixel_scale
        Arcsec; the camera's, by which it is known.
    scales
        The pixels that it takes where the header names the camera.
    camera
        What the header calls telescope or camera.
    blur
        FWHM in arcsec of what it undoes.
    psf
        And of what a star looked like in the images that it was trained on.
    """

    bands: tuple[str, ...]
    alone: tuple[str, ...] | None
    pixel_scale: float
    scales: tuple[float, float]
    camera: str
    whose: str
    blur: tuple[float, float]
    psf: tuple[float, float]


#: In the order in which they are tried.
MODELS = {
    "galaxygan-sdss": Trained(
        ("g", "r", "i"),
        alone=None,
        pixel_scale=0.396,
        scales=(0.376, 0.416),
        camera=r"\b(SDSS|SLOAN)\b|2\.5M",
        whose="SDSS",
        blur=(1.8, 1.8),
        psf=(2.2, 2.2),  # blurred on top of SDSS's own 1.3
    ),
    "seeinggan-hsc-hst": Trained(
        ("i",),
        alone=("i",),
        pixel_scale=0.168,
        scales=(0.03, 0.21),
        camera=r"\b(HSC|HYPER SUPRIME.CAM)\b",
        whose="HSC",
        blur=(0.56, 0.65),
        psf=(0.56, 0.65),
    ),
}


def in_words(range_: tuple[float, float]) -> str:
    """A FWHM in arcsec, from the smallest to the largest."""
    low, high = range_
    return f'{low:.3g}"' if low == high else f'{low:.3g}" to {high:.3g}"'

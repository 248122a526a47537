"""The bands of a FITS file, decoded with their variance and mask."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pellucid.fits.bands import cube_names, mosaic_pattern
from pellucid.fits.cards import BAND_CARDS, card_value, text_card
from pellucid.fits.file import FitsFile
from pellucid.fits.hdu import HDU, UNCERTAINTIES, role_of
from pellucid.fits.nonlinear import form_of

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

# Names that say what an HDU is, not which band it shows.
_GENERIC_NAMES = {"", "PRIMARY", "SCI", "IMAGE", "DATA", "COMPRESSED_IMAGE"}
_BAND_IN_NAME = re.compile(
    r"(?:^|[-_.])([ugrizyUBVRIZYJHKL]|[Ff]\d{3,4}[A-Za-z]{1,2}|Ks|[FN]UV|VIS|W[1-4])$"
)


@dataclass(frozen=True, eq=False)
class Planes:
    """The bands of one HDU as they were read, each array (band, y, x)."""

    source: str
    flux: NDArray[np.float32]
    names: Sequence[str | None]
    header: Header
    wcs: WCS | None
    unit: str
    variance: NDArray[np.float32] | None
    mask: NDArray[np.bool_] | None


def read_planes(
    file: FitsFile, hdu: HDU, companions: Sequence[HDU], chosen: Sequence[HDU]
) -> Planes:
    header = file.header(hdu)
    pattern = mosaic_pattern(header)
    if pattern and len(hdu.shape) == 2:
        fault = f"HDU {hdu} is a camera's colour mosaic ({pattern})"
        raise file.refuse(fault, "debayer it first, in Siril, PixInsight or ASTAP")
    values, form = file.pixels(hdu), form_of(file, hdu)
    if form is not None:
        file.note(form.note(hdu))
        values = form.to_flux(values)
    # float64 beyond float32's range becomes infinite here and is counted below.
    with np.errstate(over="ignore"):
        flux = values.astype(np.float32).reshape(-1, *values.shape[-2:])
    infinite = int(np.isinf(flux).sum())
    if infinite:
        fault = f"HDU {hdu} has {infinite} infinite pixels"
        raise file.refuse(fault, "set them to NaN, which means no data")
    for k, plane in enumerate(flux):
        if not np.isfinite(plane).any():
            which = f"plane {k + 1} of " if len(flux) > 1 else ""
            raise file.refuse(f"{which}HDU {hdu} has no finite pixel", "give an image with data")
    variance, mask = _companion_pixels(file, hdu, companions, chosen)
    variance = None if form else variance  # of the pixels, which are no flux
    names: Sequence[str | None]
    if len(flux) > 1:
        names = cube_names(header, len(flux)) or [None] * len(flux)
    else:
        # The primary header speaks for an only image.
        headers = [hdu.header, file.hdus[0].header] if len(chosen) == 1 else [hdu.header]
        names = [_band_name(headers, hdu.name, file.path)]
    source = f"{file.path}[{hdu.number}]"
    wcs, unit = file.wcs(hdu), form.unit if form else text_card(header, "BUNIT")
    return Planes(source, flux, names, header, wcs, unit, variance, mask)


def _band_name(headers: Sequence[Header], extension: str, path: Path) -> str | None:
    """The band of a plane: from its FILTER card, its extension's name, or its file's name."""
    cards = (text_card(header, card) for header in headers for card in BAND_CARDS)
    named = next(filter(None, cards), "")
    if named or extension not in _GENERIC_NAMES:
        return named or extension
    stem = re.sub(r"(\.(fits?|fts|fz|gz|bz2|xz|zip))+$", "", path.name, flags=re.IGNORECASE)
    match = _BAND_IN_NAME.search(stem)
    return match[1] if match else None


def _companion_pixels(
    file: FitsFile, hdu: HDU, companions: Sequence[HDU], chosen: Sequence[HDU]
) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_] | None]:
    """Variance and mask of one HDU's planes, each (band, y, x)."""
    shape = (1, *hdu.shape)[-3:]
    variance = mask = None
    for companion in companions:
        role = role_of(companion)
        if role in ("copy", "header") or companion.shape[-2:] != shape[-2:]:
            continue
        planes = companion.shape[0] if len(companion.shape) == 3 else 1
        # A cube beside single planes has one plane for each of them.
        spread = len(companion.shape) == 3 and planes == len(chosen) > 1
        if not spread and (companion.version != hdu.version or planes not in (1, shape[0])):
            continue
        values = file.pixels(companion)
        if spread:
            values = values[chosen.index(hdu)]
        if role == "mask":
            bad = _bad(values, companion.header)
            mask = np.broadcast_to(bad if mask is None else mask | bad, shape)
        elif variance is None:
            with np.errstate(over="ignore", divide="ignore"):
                exact = UNCERTAINTIES[role].to_variance(values.astype(np.float64))
                variance = np.broadcast_to(exact.astype(np.float32), shape)
    return variance, mask


def _bad(values: NDArray[np.generic], header: Header) -> NDArray[np.bool_]:
    """Bad pixels: any bit set, but for bits that only say that an object was found there."""
    if not np.issubdtype(values.dtype, np.integer):
        return values.astype(np.float64) != 0
    harmless = 0
    for keyword in ("MP_DETECTED", "MP_DETECTED_NEGATIVE"):  # Hyper Suprime-Cam's pipeline
        bit = card_value(header, keyword)
        if isinstance(bit, int) and 0 <= bit < 63:
            harmless |= 1 << bit
    return (values.astype(np.int64) & ~harmless) != 0

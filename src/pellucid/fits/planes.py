"""The bands of a FITS file, decoded with their variance and what must not be used of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pellucid.fits.bands import (
    BAND_WORD,
    CAMERA,
    commented_names,
    cube_names,
    filter_name,
    mosaic_pattern,
)
from pellucid.fits.beside import Beside
from pellucid.fits.cards import text_card
from pellucid.fits.choose import Plane
from pellucid.fits.file import FitsFile
from pellucid.fits.hdu import HDU
from pellucid.fits.masks import bad_pixels
from pellucid.fits.nodata import absurd_noise, all_empty_pixels, where_empty
from pellucid.fits.nonlinear import form_of
from pellucid.fits.roles import UNCERTAINTIES, rest_of_name
from pellucid.sky.image import variance_type

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

_BAND_IN_NAME = re.compile(rf"(?:^|[-_.])({BAND_WORD})$")


@dataclass(frozen=True, eq=False)
class Planes:
    """The bands of one HDU as they were read, each array (band, y, x)."""

    source: str
    flux: NDArray[np.float32]
    names: Sequence[str | None]
    header: Header
    wcs: WCS | None
    unit: str
    variance: NDArray[np.floating] | None
    mask: NDArray[np.bool_] | None
    #: Pixels of each plane that have no data, by the first reason for it.
    unused: Mapping[str, NDArray[np.int64]]
    told: bool  # whether flags, weights and NaN alone tell all of these


def read_planes(
    file: FitsFile,
    band: int,
    planes: Sequence[Plane],
    others: Sequence[Beside] = (),
    bad_bits: str | int | None = None,
    given: Sequence[str] = (),
    empties: Sequence[Sequence[float]] | None = None,
) -> Planes:
    """The HDU that is the ``band``-th, with what is read beside it; ``others`` have own files.

    ``given`` are the names that a user gives its bands, where the file has none, ``empties`` the
    values that stand for no data, where they are known.
    """
    chosen = [plane.hdu for plane in planes if plane.use == "band"]
    hdu = chosen[band]
    header = file.header(hdu)
    pattern = mosaic_pattern(header)
    if pattern and len(hdu.shape) == 2:
        fault = f"HDU {hdu} is a camera's colour mosaic ({pattern})"
        raise file.refuse(fault, "debayer it first, in Siril, PixInsight or ASTAP")
    if text_card(header, "ROWORDER").upper() == "TOP-DOWN":
        shown = "pictures stand as DS9 shows them, upside down to what a camera's program shows"
        file.note(f"its rows are stored from the top (ROWORDER) and stay so; {shown}")
    values, form = file.pixels(hdu), form_of(file, hdu)
    if form is not None:
        file.note(form.note(hdu))
        values = form.to_flux(values)
    # float64 beyond float32's range becomes infinite here, which is no data.
    with np.errstate(over="ignore"):
        flux = values.astype(np.float32).reshape(-1, *values.shape[-2:])
    for k, plane in enumerate(flux):
        if file.window is None and not np.isfinite(plane).any():
            which = f"plane {k + 1} of " if len(flux) > 1 else ""
            raise file.refuse(f"{which}HDU {hdu} has no finite pixel", "give an image with data")
    names: Sequence[str | None] | None = None
    if len(hdu.shape) == 3:
        names = cube_names(header, len(flux))
    if len(flux) > 1:
        names = names or [None] * len(flux)
        if names == CAMERA:
            file.note(f"the planes of HDU {hdu} were taken as a camera's red, green and blue")
        elif None in names:
            file.note(f"nothing names the planes of HDU {hdu}; --bands does")
        elif names == commented_names(header, len(flux)):
            called = ", ".join(filter(None, names))
            file.note(f"the planes of HDU {hdu} are {called} by the comments of its header")
    elif names is None:
        # The primary header speaks for an only image.
        headers = [hdu.header, file.hdus[0].header] if len(chosen) == 1 else [hdu.header]
        names = [_band_name(headers, hdu.name, file, len(chosen) == 1)]
    beside = [
        Beside(plane, _beside(file, plane.hdu, band, len(chosen)), file)
        for plane in planes
        if plane.use == "read" and band in plane.bands
    ]
    for other in others:
        if other.values.shape[1:] != flux.shape[1:] or len(other.values) not in (1, len(flux)):
            shapes = " and ".join("×".join(map(str, a.shape)) for a in (other.values, flux))
            advice = "leave it out, or give the one of this image"
            raise other.file.refuse(f"does not fit {file.path.name} ({shapes})", advice)
        beside.append(other)
    variance = _variance(beside, flux.shape)
    called = names if any(names) or len(given) != len(flux) else given
    holes = _holes(file, flux, called, variance, beside, bad_bits, empties)
    mask, unused = None, {"not a finite number": (~np.isfinite(flux)).sum(axis=(1, 2))}
    if holes or any(each.plane.role == "mask" for each in beside):
        mask = np.zeros(flux.shape, dtype=bool)
        for reason, bad in holes.items():
            unused[reason] = (bad & ~mask & np.isfinite(flux)).sum(axis=(1, 2))
            mask |= bad
        useless = (mask | ~np.isfinite(flux)).all(axis=(1, 2))
        for k in np.flatnonzero(useless & (file.window is None)):
            which = f"of plane {k + 1} " if len(flux) > 1 else ""
            fault = f"every pixel {which}of HDU {hdu} is bad or has no data ({', '.join(holes)})"
            raise file.refuse(fault, "--bad-bits says which flags of a mask are bad")
    variance = None if form else variance  # of the pixels, which are no flux
    source = f"{file.path}[{hdu.number}]"
    wcs, unit = file.wcs(hdu), form.unit if form else text_card(header, "BUNIT")
    told = all(_is_told(reason) for reason, counts in unused.items() if counts.any())
    return Planes(source, flux, names, header, wcs, unit, variance, mask, unused, told)


def _is_told(reason: str) -> bool:
    """Whether what a file keeps through a restoration says again that a pixel has no data."""
    kept = reason.startswith(("flagged", "no weight", "not a finite"))
    return kept and not reason.endswith("(--bad-bits)")


def _band_name(
    headers: Sequence[Header], extension: str, file: FitsFile, alone: bool
) -> str | None:
    """The band of a plane: from its cards, its extension's name, its file's tables or name."""
    cards = next(filter(None, map(filter_name, headers)), "")
    named = cards or "_".join(rest_of_name(extension))
    if named or not alone:
        return named or None
    if label := _filter_label(file):
        return label
    stem = re.sub(
        r"(\.(fits?|fts|fz|gz|bz2|xz|zip|tiff?|xisf))+$", "", file.path.name, flags=re.IGNORECASE
    )
    match = _BAND_IN_NAME.search(stem)
    return match[1] if match else None


def _filter_label(file: FitsFile) -> str:
    """The band in the table of an LSST exposure that holds its FilterLabel; empty without one."""
    for hdu in file.hdus:
        if hdu.kind == "table" and text_card(hdu.header, "AR_NAME") == "FilterLabel":
            rows = file.rows(hdu)[:1]
            columns = [name for name in ("band", "physical") if name in rows.names]
            told = (str(value).strip() for column in columns for value in rows[column])
            return next(filter(None, told), "")
    return ""


def _beside(file: FitsFile, hdu: HDU, band: int, count: int) -> NDArray[np.generic]:
    """The pixels of a companion for one of several HDUs, (band, y, x) or (1, y, x)."""
    values = file.pixels(hdu)
    # A cube beside single planes has one plane for each of them.
    if values.ndim == 3 and len(values) == count > 1:
        values = values[band]
    return values.reshape(-1, *values.shape[-2:])


def _variance(beside: Sequence[Beside], shape: tuple[int, ...]) -> NDArray[np.floating] | None:
    """The variance, from the one plane that says it or the sum of its parts."""
    parts = []
    for each in beside:
        if each.plane.role in UNCERTAINTIES:
            with np.errstate(over="ignore", divide="ignore"):
                make = UNCERTAINTIES[each.plane.role].to_variance
                values = each.values.astype(np.float64)
                part = make(values)
            part[values < 0] = np.nan  # -99 is no error that was measured
            parts.append(part)
    if not parts:
        return None
    total = np.sum(parts, axis=0)
    with np.errstate(over="ignore"):
        return np.broadcast_to(total.astype(variance_type(total)), shape)


def _holes(
    file: FitsFile,
    flux: NDArray[np.float32],
    names: Sequence[str | None],
    variance: NDArray[np.floating] | None,
    beside: Sequence[Beside],
    bad_bits: str | int | None,
    empties: Sequence[Sequence[float]] | None,
) -> dict[str, NDArray[np.bool_]]:
    """The pixels that must not be used, by the reason for it; each (band, y, x)."""
    found: dict[str, NDArray[np.bool_]] = {}
    for each in beside:
        plane, values = each.plane, each.values
        if plane.role == "mask":
            bad, rule = bad_pixels(values, plane.hdu, each.file, names, bad_bits)
            found[f"flagged in {plane} ({rule})"] = np.broadcast_to(bad, flux.shape)
        elif plane.role == "weight":
            weight = values.astype(np.float64)
            none = ~(weight > 0)
            with np.errstate(divide="ignore", over="ignore"):
                none |= absurd_noise(1.0 / weight)  # what a resampling leaves beside no data
            found[f"no weight in {plane}"] = np.broadcast_to(none, flux.shape)
        elif variance is not None:
            none = ~((variance > 0) & np.isfinite(variance))
            found[f"no finite variance by {plane}"] = none
            # What a restorer is unsure of may be as wide as it is.
            if text_card(plane.hdu.header, "PLCROLE") != "UNCERT":
                found[f"an absurd noise by {plane}"] = absurd_noise(variance) & ~none
    anywhere = [r for r, bad in found.items() if not r.startswith("flagged") and bad.all()]
    for reason in anywhere if file.window is None else ():
        # Nobody would keep an image of which nothing is of use.
        file.note(f"{reason} anywhere, which was passed over")
        del found[reason]
    for k, pixels in enumerate(flux):
        of_it = all_empty_pixels(pixels) if empties is None else where_empty(pixels, empties[k])
        for empty, value in of_it:
            reason = f"the value {value:g}, which stands for no data"
            found.setdefault(reason, np.zeros(flux.shape, dtype=bool))[k] = empty
    return {reason: bad for reason, bad in found.items() if bad.any()}

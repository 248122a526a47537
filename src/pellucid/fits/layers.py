"""Planes that are written beside an image: what a restorer knows of it, its variance, its mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.fits.cards import ascii_text, text_card, wcs_cards
from pellucid.fits.layout import Layout, Part
from pellucid.fits.made import image_hdu
from pellucid.fits.nonlinear import scale_of_flux
from pellucid.fits.reserved import stacked_planes
from pellucid.fits.restored import INPUT, PURPOSES
from pellucid.fits.roles import OF, UNCERTAINTIES, called, role_of_name
from pellucid.sky import SkyImage, background_of
from pellucid.sky.nearest import nearest
from pellucid.sky.unit import power_of


def untold(image: SkyImage, layout: Layout, restored: bool) -> dict[str, NDArray[Any]]:
    """The variance and the mask, where no plane of the file that was read says them.

    Parameters
    ----------
    layout
        Of the file that was read, if ``restored``; else of the one that is written.
    restored
        Whether the pixels are no longer what was measured.
    """
    read = {part.role for part in layout.parts if part.read}
    found: dict[str, NDArray[Any]] = {}
    # In other pixels `input_variance` writes what files of their own told.
    beside = restored and layout.beside is not None and layout.shape != image.shape
    if image.variance is not None and not read & UNCERTAINTIES.keys() and not beside:
        found[INPUT + "VARIANCE" if restored else "VARIANCE"] = image.variance
    mask = image.mask
    if mask is None:
        return found
    if restored:
        # A MASK of the file's own is of flags, which this is not.
        own = any(_is_mask_of_its_own(part.header) for part in layout.parts)
        if mask.any() and not _says_again(layout, mask):
            found["UNRESTORED" if own else "MASK"] = mask
    # What reading found to be no data is found again; only what came after needs a plane.
    elif mask is not layout.mask and "mask" not in read:
        found["MASK"] = mask
    return found


def _is_mask_of_its_own(header: Any) -> bool:
    return text_card(header, "EXTNAME").upper() == "MASK" and not text_card(header, "PLCROLE")


def _says_again(layout: Layout, mask: NDArray[np.bool_]) -> bool:
    """Whether the mask is the one that was read, from planes that stay in the file."""
    if not layout.told or layout.mask is None:
        return False
    return mask is layout.mask or np.array_equal(mask, nearest(layout.mask, mask.shape))


def layer_hdus(
    image: SkyImage,
    layout: Layout,
    layers: Mapping[str, NDArray[Any]],
    tiled: bool,
    restored: bool,
) -> list[Any]:
    """An HDU a layer, of the bands that the file has in the image's pixels, in its order.

    Where these stand in HDUs of their own, each has a plane of its own, too: its EXTVER counts the
    bands, and its PLCOF names the band's HDU.
    """
    count, rest = len(image.flux), layout.rest
    parts = [part for part in layout.parts if part.role == "bands"]
    order = [k for part in parts for k in part.planes]
    if rest is None or rest.shape[1:] != image.shape[1:]:
        order = [k for k in order if k < count]
    versions = _own_planes(parts)
    hdus = []
    for name, data in layers.items():
        if data.ndim == 3 and versions:
            for part, version in zip(parts, versions, strict=True):
                if (plane := _own_plane(name, data, part, image, layout)) is not None:
                    hdu = _layer(name, plane, part, image, layout, tiled, restored)
                    hdu.header["EXTVER"] = version
                    hdu.header[OF] = (called(part.header), "the plane that it is of")
                    hdus.append(hdu)
            continue
        planes = data
        if data.ndim == 3 and order != list(range(count)):
            planes = stacked_planes(
                [data[k] if k < count else _of_rest(name, image, k) for k in order]
            )
        if planes.ndim == 3 and len(planes) == 1 and not parts[0].cube:
            planes = planes[0]
        hdu = _layer(name, planes, parts[0], image, layout, tiled, restored)
        if planes.ndim == 3:
            _name_bands(hdu.header, [_band_name(image, k) for k in order])
        hdus.append(hdu)
    return hdus


def input_variance(image: SkyImage, layout: Layout, tiled: bool) -> list[Any]:
    """The variance that files of their own told of an image that has other pixels now, in theirs.

    ``layout`` is that of the file that was read.
    """
    if layout.beside is None:
        return []
    flux = np.zeros(layout.beside.shape, np.float32)
    there = replace(image, flux=flux, variance=None, mask=None)
    layers = {INPUT + "VARIANCE": layout.beside}
    return layer_hdus(there, replace(layout, rest=None), layers, tiled, True)


def _layer(
    name: str,
    planes: NDArray[Any],
    part: Part,
    image: SkyImage,
    layout: Layout,
    tiled: bool,
    restored: bool,
) -> Any:
    hdu = image_hdu(planes, wcs_cards(part.header), False, tiled)
    hdu.header["EXTNAME"] = name
    purpose = next((key for key in PURPOSES if name.startswith(key)), None)
    purpose = "MASK" if name == "UNRESTORED" else purpose
    if restored and purpose:
        hdu.header["PLCROLE"] = (purpose, PURPOSES[purpose])
    uncertainty = UNCERTAINTIES.get(role_of_name(name) or "other")
    power = uncertainty.power if uncertainty else 1
    if uncertainty or purpose in ("RANGE95", "SAMPLE"):
        if image.unit:
            hdu.header["BUNIT"] = ascii_text(power_of(image.unit, power))
        if scale := scale_of_flux(part.header, layout.parts[0].header):
            hdu.header["COMMENT"] = ascii_text(f"its unit: {scale}")
    return hdu


def _own_planes(parts: Sequence[Part]) -> list[int] | None:
    """The EXTVER of each band's planes; None where the bands are planes of one HDU.

    That of the band where these count the bands, else its place.
    """
    names = [called(part.header) for part in parts]
    if len(parts) == 1 or len(set(names)) < len(parts) or any(len(p.planes) > 1 for p in parts):
        return None
    versions = [int(name.rpartition(",")[2]) for name in names]
    return versions if len(set(versions)) == len(parts) else list(range(1, len(parts) + 1))


def _own_plane(
    name: str, data: NDArray[Any], part: Part, image: SkyImage, layout: Layout
) -> NDArray[Any] | None:
    """A layer's plane of a band; None of one that was not chosen and has planes of its own."""
    (k,) = part.planes
    if k < len(image.flux):
        return data[k]
    role, rest = role_of_name(name), layout.rest
    if role not in UNCERTAINTIES or rest is None or rest.shape[1:] != image.shape[1:]:
        return None
    told = any(
        each.planes == (k,) and each.role in UNCERTAINTIES and each.read
        and text_card(each.header, "EXTNAME").upper() != name for each in layout.parts
    )  # fmt: skip
    return None if told or rest.variance is None else _of_rest(name, image, k)


def _of_rest(name: str, image: SkyImage, k: int) -> NDArray[Any]:
    """What a layer says of a band that was not chosen and is what it was; NaN for nothing.

    Of a band whose noise nothing tells it is measured, one value for all pixels.
    """
    place = k - len(image.flux)
    rest = image.layout.rest.of_bands([place])
    role = role_of_name(name)
    if role == "mask":
        return np.zeros(rest.shape[1:], bool) if rest.mask is None else rest.mask[0]
    if role not in UNCERTAINTIES:
        return np.full(rest.shape[1:], np.nan, np.float32)
    if rest.variance is None:
        sigma = background_of(rest).sigma
        variance = np.full(rest.shape[1:], sigma**2)
    else:
        variance = rest.variance[0]
    with np.errstate(divide="ignore"):
        return UNCERTAINTIES[role].from_variance(variance)


def _band_name(image: SkyImage, k: int) -> str:
    count = len(image.flux)
    return image.bands[k] if k < count else image.layout.rest.bands[k - count]


def _name_bands(header: Any, names: Sequence[str]) -> None:
    if names != [f"band{k + 1}" for k in range(len(names))]:
        for k, name in enumerate(names, 1):
            header[f"BAND{k}"] = (ascii_text(name), "band of this plane")

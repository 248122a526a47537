"""FITS out: what leaves is built as what came in, or plainly where nothing came in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.files import write_atomically
from pellucid.fits.bands import cube_names, name_planes
from pellucid.fits.cards import (
    BAND_CARDS,
    ascii_text,
    card_value,
    quiet,
    text_card,
    with_lasting_cards,
)
from pellucid.fits.coordinates import scale_card
from pellucid.fits.foreign import check_written_name
from pellucid.fits.hdu import as_extension
from pellucid.fits.layers import input_variance, layer_hdus, untold
from pellucid.fits.layout import Layout, Part, placed
from pellucid.fits.made import image_hdu, psf_hdu
from pellucid.fits.nonlinear import asinh_form, scale_of_flux
from pellucid.fits.other_pixels import on_other_pixels
from pellucid.fits.packed import pour_hdus
from pellucid.fits.restored import beside_restored
from pellucid.fits.roles import UNCERTAINTIES
from pellucid.fits.some import planes_of
from pellucid.sky import PSF
from pellucid.sky.image import SkyImage

if TYPE_CHECKING:
    from astropy.io.fits import Header

Card = tuple[str | int | float | bool, str]


def write_image(
    image: SkyImage,
    path: str | os.PathLike[str],
    overwrite: bool = False,
    history: Sequence[str] = (),
    cards: Mapping[str, Card] | None = None,
    layers: Mapping[str, NDArray[Any]] | None = None,
    psf: PSF | None = None,
    restored: bool = False,
) -> Path:
    """Write an image as FITS, float32, built as the file it was read from.

    Every card that does not describe the old storage is kept in its place. All other HDUs (DQ,
    PSF, tables, images that were not read) are copied; those of the variance follow
    ``image.variance``. Images of one band a file become one file with one extension a band. An
    image without a layout becomes one plane or a cube.

    Parameters
    ----------
    image
        What to write.
    path
        Where: ``.gz``, ``.bz2`` and ``.xz`` are compressed, ``.fz`` tile-compressed without loss.
    overwrite
        Whether an existing file may be replaced.
    history
        Lines for HISTORY in each image HDU, after the image's notes.
    cards
        Keyword to (value, comment), for each image HDU.
    layers
        Further image extensions by name, shape (y, x) or (band, y, x), on the same sky.
    psf
        What a star looks like now, for an extension PSF; it takes the place of one that was read.
    restored
        Whether the pixels are no longer what was measured: then planes of the input's noise become
        ``INPUT_…``, and where flags and weights do not tell which pixels were not used, MASK does.
    """
    from astropy.io import fits

    target = Path(path)
    check_written_name(target)
    with quiet():
        hdus = built_hdus(image, target, layers, psf, restored, history, cards)
        for hdu in hdus:
            hdu.add_checksum(when="over the whole HDU")

    return write_atomically(target, partial(pour_hdus, fits.HDUList(hdus), target), overwrite)


def built_hdus(
    image: SkyImage,
    target: Path,
    layers: Mapping[str, NDArray[Any]] | None,
    psf: PSF | None,
    restored: bool,
    history: Sequence[str],
    cards: Mapping[str, Card] | None,
) -> list[Any]:
    """The HDUs of an image's file without their checksums; see `write_image`."""
    arrays = {name.upper(): np.asarray(data) for name, data in (layers or {}).items()}
    for name, data in arrays.items():
        if data.shape not in (image.shape, image.shape[1:]):
            raise InputError(f"layer {name} has shape {data.shape}, the image has {image.shape}")
    layout = image.layout
    if not isinstance(layout, Layout):
        layout = _plain_layout(image)
    given, finer = layout, layout.shape != image.shape
    if restored:
        layout = beside_restored(layout, len(image.flux), finer, psf is not None)
    if finer:
        layout = on_other_pixels(layout, image)
    arrays |= untold(image, given if restored else layout, restored)
    tiled = target.suffix.lower() == ".fz"
    hdus, bands = _assemble(image, layout, arrays, tiled)
    hdus += layer_hdus(image, layout, arrays, tiled, restored)
    if restored and finer:
        hdus += input_variance(image, given, tiled)
    for hdu, part in bands:
        if restored:
            _say_which(hdu.header, image, part)
        for keyword, (value, comment) in (cards or {}).items():
            hdu.header[keyword] = (ascii_text(value), ascii_text(comment))
        for line in [*(f"note: {note}" for note in image.notes), *history]:
            hdu.header.add_history(ascii_text(line))
    if psf is not None:
        whose = psf.bands if layout.rest else ()
        hdus = [hdu for hdu in hdus if hdu.name != "PSF"] + [psf_hdu(psf, whose)]
    header = hdus[0].header
    if len(hdus) > 1 and header.get("EXTEND") is not True:
        after = "NAXIS" + (str(header["NAXIS"]) if header["NAXIS"] else "")
        header.set("EXTEND", True, after=after)
    return hdus


def _assemble(
    image: SkyImage, layout: Layout, layers: Mapping[str, NDArray[Any]], tiled: bool
) -> tuple[list[Any], list[tuple[Any, Part]]]:
    """The file's HDUs, and those of them that hold the image itself."""
    from astropy.io import fits

    hdus: list[Any] = []
    bands: list[tuple[Any, Part]] = []
    for part in layout.parts:
        if part.role == "header":
            hdu = fits.PrimaryHDU()
            hdu.header = with_lasting_cards(hdu.header.cards, part.header)
            hdus.append(hdu)
        elif part.role == "bands":
            if tiled and not hdus:
                hdus.append(fits.PrimaryHDU())
            planes = planes_of(part, image.flux, layout.rest and layout.rest.flux)
            form = asinh_form(part.header, layout.parts[0].header)
            planes = form.from_flux(planes) if form and form.from_flux else planes
            if len(part.stored) > 3:
                planes = planes.reshape(*part.stored)
            hdu = image_hdu(planes, part.header, not hdus, tiled)
            hdus.append(hdu)
            if min(part.planes) < len(image.flux):
                _describe(hdu.header, image, part)
                bands.append((hdu, part))
        else:
            hdus += _copied(part, image, layout, layers, not hdus)
    return hdus, bands


def _describe(header: Header, image: SkyImage, part: Part) -> None:
    """Bring the cards up to what the image says of itself, touching only what differs."""
    if image.unit and text_card(header, "BUNIT") != image.unit:
        # None leaves the comment that stands there.
        header["BUNIT"] = (ascii_text(image.unit), scale_of_flux(header, header) or None)
    if image.wcs is None and image.pixel_scale and scale_card(header) != image.pixel_scale:
        header["PIXSCALE"] = (image.pixel_scale, "[arcsec] per pixel")
    if max(part.planes) >= len(image.flux):
        return  # some were not chosen: the planes have the names that they had
    names = tuple(image.bands[k] for k in part.planes)
    default = tuple(f"band{k + 1}" for k in part.planes)
    if part.cube and names not in (default, cube_names(header, len(names))):
        name_planes(header, names, len(names))


def _say_which(header: Header, image: SkyImage, part: Part) -> None:
    """Name the planes of a cube that were restored, now or before, where some were not."""
    names = [image.bands[k] for k in part.planes if k < len(image.flux)]
    before = text_card(header, "PLCBANDS")
    if len(names) == len(part.planes):
        header.remove("PLCBANDS", ignore_missing=True)
    elif before or text_card(header, "PLCTYPE") != "RESTORATION":
        names = list(dict.fromkeys([*filter(None, before.split(",")), *names]))
        header["PLCBANDS"] = (ascii_text(",".join(names)), "the planes that were restored")


def _copied(
    part: Part, image: SkyImage, layout: Layout, layers: Mapping[str, NDArray[Any]], first: bool
) -> list[Any]:
    """An HDU copied as it was read, or a variance made anew; none where it no longer holds."""
    from astropy.io import fits

    if text_card(part.header, "EXTNAME").upper() in layers:
        return []
    stale = part.read and image.variance is not layout.variance
    if stale and part.role in UNCERTAINTIES and part.planes:
        if image.variance is None:
            return []
        rest = layout.rest and layout.rest.variance
        # A variance that was given in parts is their sum again.
        parts = [each for each in layout.parts if each.read and each.role == part.role]
        share = sum(each.planes == part.planes for each in parts)
        with np.errstate(divide="ignore"):
            data = UNCERTAINTIES[part.role].from_variance(
                planes_of(part, image.variance, rest) / share
            )
        return [image_hdu(data, part.header, False, False)]
    raw = part.raw
    if not first:
        if raw.startswith(b"SIMPLE"):
            raw = as_extension(raw)
        # astropy finds out what it is where it stands behind a primary HDU.
        raw = fits.PrimaryHDU().header.tostring().encode("ascii") + raw
    hdu: Any = fits.HDUList.fromstring(raw, disable_image_compression=True)[-1]
    for keyword in ("CHECKSUM", "DATASUM"):  # they are made anew, which a broken card forbids
        hdu.header.remove(keyword, ignore_missing=True)
    for keyword, default in (("EXTNAME", None), ("EXTVER", 1), ("PLCROLE", None)):
        value = card_value(part.header, keyword)
        if value is not None and value != (card_value(hdu.header, keyword) or default):
            hdu.header[keyword] = (value, part.header.comments[keyword])
    if "PLCTYPE" not in part.header:
        hdu.header.remove("PLCTYPE", ignore_missing=True)
    return [hdu]


def _plain_layout(image: SkyImage) -> Layout:
    """One plane or one cube in the primary HDU, with the cards and the WCS of the image."""
    from astropy.io.fits import Header

    header = Header() if image.header is None else image.header.copy()
    count = len(image.flux)
    # The names of several bands stand in BAND1…; what named one band would now mislead.
    for keyword in ("EXTNAME", "EXTVER", "INHERIT", *(BAND_CARDS if count > 1 else ())):
        header.remove(keyword, ignore_missing=True, remove_all=True)
    header = placed(header, image)
    if count == 1 and image.bands != ("band1",):
        header["FILTER" if "FILTER" in header else "BAND"] = ascii_text(image.bands[0])
    return Layout((Part("bands", header, tuple(range(count)), count > 1),), image.shape)

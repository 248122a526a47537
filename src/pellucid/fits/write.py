"""FITS out: what leaves is built as what came in, or plainly where nothing came in."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.files import write_atomically
from pellucid.fits.bands import cube_names
from pellucid.fits.cards import (
    BAND_CARDS,
    card_value,
    quiet,
    text_card,
    wcs_cards,
    with_lasting_cards,
)
from pellucid.fits.coordinates import scale_card
from pellucid.fits.foreign import check_written_name
from pellucid.fits.hdu import BLOCK, as_extension
from pellucid.fits.layout import Layout, Part, on_other_pixels, placed
from pellucid.fits.nonlinear import asinh_form
from pellucid.fits.packed import packed_as
from pellucid.fits.roles import UNCERTAINTIES, role_of_name
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
    """
    from astropy.io import fits

    arrays = {name.upper(): np.asarray(data) for name, data in (layers or {}).items()}
    for name, data in arrays.items():
        if data.shape not in (image.shape, image.shape[1:]):
            raise InputError(f"layer {name} has shape {data.shape}, the image has {image.shape}")
    target = Path(path)
    check_written_name(target)
    layout = image.layout
    if not isinstance(layout, Layout):
        layout = _plain_layout(image)
    elif layout.shape != image.shape:
        layout = on_other_pixels(layout, image)
    suffix = target.suffix.lower()
    with quiet():
        hdus, bands = _assemble(image, layout, arrays, suffix == ".fz")
        for hdu in bands:
            for keyword, (value, comment) in (cards or {}).items():
                hdu.header[keyword] = (_ascii(value), _ascii(comment))
            for line in [*(f"note: {note}" for note in image.notes), *history]:
                hdu.header.add_history(_ascii(line))
        if psf is not None:
            hdus = [hdu for hdu in hdus if hdu.name != "PSF"] + [_psf_hdu(psf, image)]
        hdulist = fits.HDUList(hdus)
        hdulist.update_extend()
        for hdu in hdus:
            hdu.add_checksum(when="over the whole HDU")

    def write(stream: Any) -> None:
        with quiet(), packed_as(target, stream) as opened:
            # What cannot be fixed came with the file: it is no reason to lose the image.
            try:
                hdulist.writeto(opened, output_verify="silentfix+ignore")
            except AttributeError as error:  # astropy trips over its own report of a full disk
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise

    return write_atomically(target, write, overwrite)


def _assemble(
    image: SkyImage, layout: Layout, layers: Mapping[str, NDArray[Any]], tiled: bool
) -> tuple[list[Any], list[Any]]:
    """All HDUs, and those of them that hold the image itself."""
    from astropy.io import fits

    hdus: list[Any] = []
    bands: list[Any] = []
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
            hdu = _image_hdu(planes, part.header, not hdus, tiled)
            hdus.append(hdu)
            if min(part.planes) < len(image.flux):
                _describe(hdu.header, image, part)
                bands.append(hdu)
        else:
            hdus += _copied(part, image, layout, layers, not hdus)
    return [*hdus, *_layer_hdus(image, layout, layers, tiled)], bands


def _layer_hdus(
    image: SkyImage, layout: Layout, layers: Mapping[str, NDArray[Any]], tiled: bool
) -> list[Any]:
    """The layers, and variance and mask where the file that was read had none."""
    first = next(part for part in layout.parts if part.role == "bands")
    read = {part.role for part in layout.parts if part.read}
    extra = dict(layers)
    if image.variance is not None and not read & UNCERTAINTIES.keys():
        extra.setdefault("VARIANCE", image.variance)
    # What reading found to be no data is found again; only what came after needs a plane.
    if image.mask is not None and image.mask is not layout.mask and "mask" not in read:
        extra.setdefault("MASK", image.mask)
    hdus = []
    for name, data in extra.items():
        plane = data[0] if data.ndim == 3 and len(image.flux) == 1 and not first.cube else data
        hdu = _image_hdu(plane, wcs_cards(first.header), False, tiled)
        hdu.header["EXTNAME"] = name
        uncertainty = UNCERTAINTIES.get(role_of_name(name) or "other")
        if image.unit and uncertainty:
            hdu.header["BUNIT"] = _ascii(uncertainty.unit.format(image.unit))
        hdus.append(hdu)
    return hdus


def _psf_hdu(psf: PSF, image: SkyImage) -> Any:
    """A stamp, or a cube of one a band."""
    from astropy.io import fits

    stamps = psf.stamps if len(psf.stamps) > 1 else psf.stamps[0]
    hdu = fits.ImageHDU(stamps.astype(">f4"), name="PSF")
    hdu.header["PLCTYPE"] = ("PSF", "what a star looks like in the image")
    hdu.header["PIXSCALE"] = (psf.pixel_scale, "[arcsec] per pixel of the stamp")
    hdu.header["FWHM"] = (round(psf.fwhm, 4), "[arcsec] of a star in the image")
    return hdu


def _image_hdu(data: NDArray[Any], header: Header, primary: bool, tiled: bool) -> Any:
    """An HDU of these pixels with a header's lasting cards in their order, odd ones too."""
    from astropy.io import fits

    data = data.astype(np.uint8 if data.dtype == bool else ">f4")
    if tiled:
        return _tiled_hdu(data, header)
    hdu: Any = fits.PrimaryHDU(data) if primary else fits.ImageHDU(data)
    hdu.header = with_lasting_cards(hdu.header.cards, header)
    return hdu


def _tiled_hdu(data: NDArray[Any], header: Header) -> Any:
    """A tile-compressed image without loss, as the table it is on disk.

    astropy drops repeated cards from such headers and leaves the table without checksums; the
    bare table takes both.
    """
    from astropy.io import fits

    alone = io.BytesIO()
    tiles = fits.CompImageHDU(data, compression_type="GZIP_2", quantize_level=0.0)
    fits.HDUList([fits.PrimaryHDU(), tiles]).writeto(alone)
    raw = alone.getvalue()[BLOCK:]
    bare = fits.BinTableHDU.fromstring(raw).header
    structure = [card for card in bare.cards if card.keyword != "EXTNAME"]
    whole = with_lasting_cards(structure, header).tostring().encode("ascii")
    return fits.BinTableHDU.fromstring(whole + raw[len(bare.tostring()) :])


def _describe(header: Header, image: SkyImage, part: Part) -> None:
    """Bring the cards up to what the image says of itself, touching only what differs."""
    if image.unit and text_card(header, "BUNIT") != image.unit:
        header["BUNIT"] = _ascii(image.unit)
    if image.wcs is None and image.pixel_scale and scale_card(header) != image.pixel_scale:
        header["PIXSCALE"] = (image.pixel_scale, "[arcsec] per pixel")
    if max(part.planes) >= len(image.flux):
        return  # some were not chosen: the planes have the names that they had
    names = tuple(image.bands[k] for k in part.planes)
    default = tuple(f"band{k + 1}" for k in part.planes)
    if part.cube and names not in (default, cube_names(header, len(names))):
        _name_planes(header, names)


def _name_planes(header: Header, names: Sequence[str]) -> None:
    """Let every card that named the planes of a cube name them anew."""
    from astropy.io.fits import Header

    count = len(names)
    first = 0 if "BAND0" in header and f"BAND{count}" not in header else 1
    if first:
        header.remove("BAND0", ignore_missing=True)
    for k, name in enumerate(names):
        header[f"BAND{first + k}"] = (_ascii(name), "band of this plane")
    for keyword in ("BANDS", "FILTERS"):
        if cube_names(Header({keyword: text_card(header, keyword)}), count):
            header[keyword] = _ascii(("" if max(map(len, names)) == 1 else ",").join(names))


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
        with np.errstate(divide="ignore"):
            data = UNCERTAINTIES[part.role].from_variance(planes_of(part, image.variance, rest))
        return [_image_hdu(data, part.header, False, False)]
    raw = part.raw
    if not first:
        if raw.startswith(b"SIMPLE"):
            raw = as_extension(raw)
        # astropy finds out what it is where it stands behind a primary HDU.
        raw = fits.PrimaryHDU().header.tostring().encode("ascii") + raw
    hdu: Any = fits.HDUList.fromstring(raw, disable_image_compression=True)[-1]
    for keyword in ("CHECKSUM", "DATASUM"):  # they are made anew, which a broken card forbids
        hdu.header.remove(keyword, ignore_missing=True)
    version = card_value(part.header, "EXTVER")
    if version is not None and version != (card_value(hdu.header, "EXTVER") or 1):
        hdu.header["EXTVER"] = version
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
        header["FILTER" if "FILTER" in header else "BAND"] = _ascii(image.bands[0])
    return Layout((Part("bands", header, tuple(range(count)), count > 1),), image.shape)


def _ascii(value: Any) -> Any:
    """FITS headers hold printable ASCII only."""
    if not isinstance(value, str):
        return value
    return "".join(c if " " <= c <= "~" else "?" for c in value.replace("\n", " "))

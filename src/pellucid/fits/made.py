"""HDUs made of pixels and the cards of a header."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.fits.cards import ascii_text, with_lasting_cards
from pellucid.fits.hdu import BLOCK
from pellucid.fits.reserved import is_blank, reserved_hdu
from pellucid.sky import PSF
from pellucid.sky.psf import stamp_fwhm

if TYPE_CHECKING:
    from astropy.io.fits import Header


def image_hdu(data: NDArray[Any], header: Header, primary: bool, tiled: bool) -> Any:
    """An HDU of these pixels with a header's lasting cards in their order, odd ones too."""
    from astropy.io import fits

    if is_blank(data):
        return reserved_hdu(data, header, primary)
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


def psf_hdu(psf: PSF, bands: Sequence[str] = ()) -> Any:
    """A stamp, or a cube of one a band; ``bands`` names these where the file has several PSFs."""
    from astropy.io import fits

    stamps = psf.stamps if len(psf.stamps) > 1 else psf.stamps[0]
    hdu = fits.ImageHDU(stamps.astype(">f4"), name="PSF")
    hdu.header["PLCTYPE"] = ("PSF", "what a star looks like in the image")
    hdu.header["PIXSCALE"] = (psf.pixel_scale, "[arcsec] per pixel of the stamp")
    if not bands:
        hdu.header["FWHM"] = (round(psf.fwhm, 4), "[arcsec] of a star in the image")
        return hdu
    widths = [round(stamp_fwhm(stamp) * psf.pixel_scale, 4) for stamp in psf.stamps]
    for k, (name, width) in enumerate(zip(bands, widths, strict=True), 1):
        hdu.header[f"BAND{k}"] = (ascii_text(name), "band of this plane")
        hdu.header[f"FWHM{k}"] = (width, "[arcsec] of a star in it")
    return hdu


def raw_hdu(raw: bytes) -> Any:
    """The HDU, behind a primary one, of an image extension's bytes, its pixels as stored."""
    from astropy.io import fits

    empty = fits.PrimaryHDU().header.tostring().encode("ascii")
    return fits.HDUList.fromstring(empty + raw, do_not_scale_image_data=True)[-1]

"""A PSF out: stamps that `pellucid restore --psf` and others read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pellucid.files import write_atomically
from pellucid.fits.packed import pour_hdus
from pellucid.quiet import quiet
from pellucid.sky.psf import PSF, stamp_fwhm
from pellucid.version import __version__


def write_psf(
    psf: PSF, path: str | os.PathLike[str], overwrite: bool = False, history: Sequence[str] = ()
) -> Path:
    """Write a PSF as FITS: a plane of one band, a cube of several, each of sum 1.

    PIXSCALE is in arcsec; BAND1… name the bands, FWHM1… are in arcsec.
    """
    from astropy.io import fits

    cube = len(psf.stamps) > 1
    stamps = np.asarray(psf.stamps if cube else psf.stamps[0], dtype=">f4")
    hdu = fits.PrimaryHDU(stamps)
    cards = hdu.header
    cards["EXTNAME"] = "PSF"
    cards["PIXSCALE"] = (psf.pixel_scale, "[arcsec] per pixel")
    for k, stamp in enumerate(psf.stamps):
        if psf.bands:
            cards[f"BAND{k + 1}" if cube else "BAND"] = psf.bands[k]
        width = round(stamp_fwhm(stamp) * psf.pixel_scale, 4)
        cards[f"FWHM{k + 1}" if cube else "FWHM"] = (width, "[arcsec]")
    cards["PLCTYPE"] = ("PSF", psf.origin)
    cards["PLCVERS"] = (__version__, "pellucid version")
    for line in history:
        cards.add_history("".join(c if " " <= c <= "~" else "?" for c in line))
    with quiet():
        hdu.add_checksum(when="over the whole HDU")
    target = Path(path)
    return write_atomically(target, partial(pour_hdus, fits.HDUList([hdu]), target), overwrite)

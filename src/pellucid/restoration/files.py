"""Files in and out: any image that is read, any restoration that is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from pellucid import display, fits
from pellucid.errors import InputError, UsageError
from pellucid.optics import INSTRUMENTS
from pellucid.optics.degradation import DEGRADED
from pellucid.optics.own_psf import psf_of_file, with_own_psf
from pellucid.restoration.result import (
    Restoration,
    restoration_cards,
    restoration_header,
    restoration_history,
)
from pellucid.sky import PSF
from pellucid.sky.image import SkyImage

#: A composite says nothing of its pixels; GalaxyGAN's are those of SDSS.
COMPOSITE_PIXEL_SCALE = INSTRUMENTS["sdss"].pixel_scale


def read_image(
    *paths: str | PathLike[str],
    hdu: int | str | None = None,
    bands: Sequence[str] | None = None,
    pixel_scale: float | None = None,
    bad_bits: str | int | None = None,
) -> SkyImage:
    """Read an image from FITS, or from an 8-bit colour composite (PNG, JPEG).

    Parameters
    ----------
    paths
        One file a band, or one that holds them all.
    hdu
        Which extension, by number or name; without it, all that are images of one shape.
    bands
        Names of the bands; without them, what the files say. Fewer names choose among the bands.
    pixel_scale
        Arcsec per pixel; without it, what the WCS says, and SDSS's 0.396 for a composite.
    bad_bits
        Which flags of a mask are bad, by names or values (``"SAT,CR"``, ``"1,4"``, ``"~4"``,
        ``"all"``, ``"none"``); without it, what is known of the pipeline that wrote it.

    Raises
    ------
    InputError
        When a file is bad; the text names the file and the fault.
    UsageError
        When composites are mixed with other files.
    """
    if not any(display.is_composite(path) for path in paths):
        image = fits.read_image(
            *paths, hdu=hdu, bands=bands, pixel_scale=pixel_scale, bad_bits=bad_bits
        )
        return with_own_psf(image, paths[0]) if len(paths) == 1 else image
    path, *others = paths
    if others or hdu is not None or bad_bits is not None:
        raise UsageError(f"{path}: a colour composite is read alone, without --hdu or --bad-bits")
    image = display.read_composite(path, pixel_scale=pixel_scale or COMPOSITE_PIXEL_SCALE)
    guess = (
        f"{Path(path).name}: a picture says nothing of its flux: taken as {','.join(image.bands)}"
    )
    guess += f" of SDSS in GalaxyGAN's stretch, {image.pixel_scale:g}\" a pixel"
    return replace(image, bands=tuple(bands or image.bands), notes=(guess,))


def write_image(
    image: SkyImage | Restoration,
    path: str | PathLike[str],
    overwrite: bool = False,
    history: Sequence[str] = (),
) -> Path:
    """Write an image or a restoration as FITS, or as an 8-bit PNG where the name ends so.

    FITS keeps every card, the WCS, the unit and the extensions' names of the file that was read.

    Raises
    ------
    UsageError
        When the file exists and ``overwrite`` is off, or a picture is to be other than PNG.
    TemporaryError
        When it cannot be written; nothing is left half done.
    """
    sky = image.image if isinstance(image, Restoration) else image
    if isinstance(image, Restoration) and not np.isfinite(sky.flux).any():
        raise InputError(f"{path}: is not written: no pixel of the restoration is a number")
    if display.is_composite(path):
        cards = ""
        if isinstance(image, Restoration):
            header = restoration_header(image, history)
            header["PIXSCALE"] = (sky.pixel_scale, "arcsec")
            cards = header.tostring(sep="\n", endcard=False, padding=False)
        return display.write_png(sky, path, overwrite=overwrite, cards=cards)
    if isinstance(image, SkyImage):
        made = sky.psf if isinstance(sky.psf, PSF) and sky.psf.origin == DEGRADED else None
        psf = made and psf_of_file(sky, made)
        return fits.write_image(sky, path, overwrite=overwrite, history=history, psf=psf)
    layers = {"UNCERT": image.uncertainty, "RANGE95": image.range_95}
    layers |= {"DOUBT": image.doubt, "CHI2": image.chi2}
    for number, sample in enumerate(() if image.samples is None else image.samples, 1):
        layers[f"SAMPLE{number}"] = sample
    return fits.write_image(
        sky,
        path,
        overwrite=overwrite,
        history=[*history, *restoration_history(image)],
        cards=restoration_cards(image),
        layers={name: layer for name, layer in layers.items() if layer is not None},
        psf=psf_of_file(sky, sky.psf) if sky.psf and "target_fwhm" in image.provenance else None,
        restored=True,
    )

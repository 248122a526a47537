"""The PSF that an image's own file holds, and the one that is written beside a restoration.

Of a file in which some bands were restored each has its own: its PSF says which bands it is of.
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np

from pellucid.errors import InputError, naming
from pellucid.fits import all_bands, band_names_of, card_value, open_fits, restored_bands
from pellucid.optics.blur import known_psf
from pellucid.optics.psf_file import is_ours, names_beside, read_psf
from pellucid.optics.resampling import resampled_psf
from pellucid.sky.band_names import find_bands
from pellucid.sky.image import SkyImage
from pellucid.sky.psf import PSF, pick_bands, stacked

#: Pixels at most of an extension whose neighbours are read only to see their stars.
_LARGE = 1 << 24


def with_own_psf(image: SkyImage, path: str | os.PathLike[str]) -> SkyImage:
    """An image with the PSF that the file it was read from holds beside it, where it does.

    One that is not of the image's bands, or no PSF, is left aside with a note. So is, for bands
    that were restored, that of what they were restored from.
    """
    layout = image.layout
    if image.pixel_scale is None or not any(
        part.role == "psf" for part in getattr(layout, "parts", ())
    ):
        return image
    whole = _beside(image, path) or all_bands(image)
    if layout.rest is not None:
        image = replace(image, layout=replace(layout, rest=_with_own(layout.rest, whole, path)))
    return _with_own(image, whole, path)


def psf_of_file(image: SkyImage, psf: PSF) -> PSF:
    """What stars look like in each band that a file will hold in the pixels of an image.

    Parameters
    ----------
    image
        What is written, with bands that were not chosen or without.
    psf
        Its own.
    """
    rest = getattr(image.layout, "rest", None)
    if rest is None:
        return psf
    stamps, bands = [*psf.for_bands(len(image.bands))], image.bands
    others = known_psf(rest) if rest.shape[1:] == image.shape[1:] else None
    if others is not None:
        scale = others.pixel_scale
        if abs(psf.pixel_scale / scale - 1.0) > 1e-3:
            psf = resampled_psf(psf, scale)
        stamps = [*psf.for_bands(len(image.bands)), *others.for_bands(len(rest.bands))]
        bands = (*bands, *rest.bands)
    return replace(psf, stamps=stacked(stamps), bands=bands)


def _beside(image: SkyImage, path: str | os.PathLike[str]) -> SkyImage | None:
    """One extension with all that stand beside the same PSFs: their stars tell whose is whose.

    None where names tell it, or where it is too large to be read for that.
    """
    chosen = image.layout.rest is not None  # the others were read with it
    if chosen or len(image.bands) > 1 or image.flux[0].size > _LARGE:
        return None
    with open_fits(path) as file, naming(path):
        for cube in file.hdus:
            sides = list(cube.shape)
            if "PSF" not in cube.name or len(sides) != 3 or band_names_of(cube.header, sides[0]):
                continue
            names = names_beside(file, cube, sides[0])
            beside = [hdu for hdu in file.hdus if hdu.name in names]
            alike = len(beside) > 1 and all(hdu.shape == image.shape[1:] for hdu in beside)
            if alike and set(image.bands) <= set(names):
                flux = np.stack([file.pixels(hdu) for hdu in beside]).astype(np.float32)
                whole = replace(image, flux=flux, bands=tuple(names), variance=None, mask=None)
                return replace(whole, layout=None)
    return None


def _with_own(image: SkyImage, whole: SkyImage, path: str | os.PathLike[str]) -> SkyImage:
    """Some bands of the ``whole`` image of a file with the PSF that it holds of them."""
    psfs = [part.header for part in image.layout.parts if part.role == "psf"]
    ours = [header for header in psfs if is_ours(header)]
    named = [
        name for header in ours for name in band_names_of(header, card_value(header, "NAXIS3") or 1)
    ]
    of_these = bool(ours) and (not named or find_bands(image.bands, named) is not None)
    if not of_these:
        restored = [
            name for name, done in zip(image.bands, restored_bands(image), strict=True) if done
        ]
        if restored:
            reason = f"of {', '.join(restored)}, which were restored, it is not known"
            if named:
                reason = f"it is of {', '.join(named)} alone; --bands chooses"
            return _noted(image, f"the PSF in its file is not used: {reason}")
        if len(ours) == len(psfs):
            return image
    try:
        psf = read_psf(path, image if named and of_these else whole, ours=of_these)
        if whole.bands != image.bands:
            psf = pick_bands(replace(psf, bands=psf.bands or whole.bands), image.bands)
    except InputError as error:
        return _noted(
            image, f"the PSF in its file is not used: {str(error).removeprefix(f'{path}: ')}"
        )
    note = f"the psf is the one in its file, {psf.origin}"
    return replace(image, psf=replace(psf, notes=(note, *psf.notes)))


def _noted(image: SkyImage, note: str) -> SkyImage:
    return replace(image, notes=(*image.notes, note))

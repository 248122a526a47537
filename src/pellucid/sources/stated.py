"""A PSF as it is stated: a FWHM in arcsec, a file, or the image's own stars."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pellucid.errors import InputError, PellucidError, UsageError, naming
from pellucid.optics import unknown_unit
from pellucid.optics.blur import NARROWEST, known_psf
from pellucid.optics.psf_file import read_psf
from pellucid.sky import PSF, SkyImage
from pellucid.sources.psf_check import ABSURD, fwhm_misfits, psf_misfits
from pellucid.sources.star_psf import psf_from_stars, psf_of_the_middle

#: Ends of names that only a file has.
_PSF_FILES = (".fits", ".fit", ".fts", ".fz", ".gz", ".bz2", ".xz", ".zip", ".psf", ".tif", ".tiff")
#: FWHM of the broadest psf that is taken for an image's without insisting, in its sides.
BROADEST = 1 / 3
#: FWHM that differ by less, as a fraction, are the same.
ALIKE = 0.1
_OF_STARS = "{} stars: the stars of an image show its psf: --psf stars"


def stated_psf(
    said: str | float | None,
    image: SkyImage | float | None,
    option: str = "--psf",
    frame: SkyImage | None = None,
    force: bool = False,
) -> PSF | float | None:
    """A FWHM in arcsec, the PSF in a file for an image (or its pixels), or that of its stars.

    Parameters
    ----------
    option
        What it was said with: of the stars there is a psf only.
    frame
        The whole of which ``image`` is the middle.
    force
        Whether a file may hold what looks like no star, or not like those of the image.
    """
    if said is None:
        return None
    fwhm = _number(said, option)
    return _psf_of(str(said), image, option, frame, force) if fwhm is None else fwhm


def check_stated(said: str | float | None, option: str = "--psf") -> None:
    """Refuse what is neither a FWHM, nor a file that is there, nor, of a psf, ``stars``."""
    if said is None or _number(said, option) is not None or Path(str(said)).exists():
        return
    if said != "stars":
        path = _file_name(str(said), None, option)
        with _told_with(option):
            read_psf(path, None)
    elif option != "--psf":
        raise UsageError(_OF_STARS.format(option))


def _number(said: str | float, option: str) -> float | None:
    try:
        fwhm = float(said)
    except ValueError:
        return None
    if not (math.isfinite(fwhm) and fwhm > 0):
        raise UsageError(f"{option} {said}: a FWHM in arcsec is above 0")
    return fwhm


def _psf_of(
    text: str,
    image: SkyImage | float | None,
    option: str,
    frame: SkyImage | None,
    force: bool,
) -> PSF:
    seen = image if isinstance(image, SkyImage) and option == "--psf" else None
    if text == "stars" and not Path(text).exists():
        if seen is None:
            raise UsageError(_OF_STARS.format(option))
        return psf_from_stars(seen)
    path = _file_name(text, image, option)
    with _told_with(option):
        psf = read_psf(path, frame or image, kernel=option == "--blur", force=force)
    if seen is None:
        return psf
    with naming(path):
        return replace(psf, notes=(*psf.notes, *psf_misfits(seen, psf, force)))


@contextmanager
def _told_with(option: str) -> Iterator[None]:
    """What is wrong with a file is said with its option: an image may have the same fault."""
    try:
        yield
    except PellucidError as error:
        told = type(error)(f"{option} {error}")
        told.named = True
        raise told from error


def _file_name(text: str, image: SkyImage | float | None, option: str) -> str:
    if not Path(text).exists() and Path(text).suffix.lower() not in _PSF_FILES:
        raise UsageError(f"{option} {text}: {_no_psf(text, image)}")
    return text


def _no_psf(text: str, image: SkyImage | float | None) -> str:
    """What somebody may have meant who named neither a number, nor a file, nor ``stars``."""
    said = "is no file and no number; it is a FWHM in arcsec, a FITS file, or stars"
    if re.fullmatch(r"\d*,\d+", text.strip()):
        return f"{said} (here {text.strip().replace(',', '.')})"
    number = re.fullmatch(r"(\d*\.?\d+)\s*([a-z\"']+)", text.strip().lower())
    scale = image.pixel_scale if isinstance(image, SkyImage) else image
    if number and number[2] in ("px", "pix", "pixel", "pixels"):
        in_arcsec = f"here {float(number[1]) * scale:.4g}" if scale else "pixels × arcsec a pixel"
        return f"{said} ({in_arcsec})"
    if number and number[2] in ("arcsec", "arcsecs", "as", "asec", "arcseconds", '"', "''"):
        return f"{said} (here {number[1]})"
    return said


def ways_to_state(image: SkyImage) -> str:
    """What would say what a star looks like in an image: its own stars only where it shows some."""
    reason = f" ({said})" if (said := unknown_unit(image)) else ""
    try:
        stars = psf_of_the_middle(image)
    except InputError:
        return (
            f"{reason}: --psf FWHM_ARCSEC or PSF.fits, or a SEEING card in its header; it shows "
            "too few stars to take it from them"
        )
    return f'{reason}: --psf FWHM_ARCSEC, PSF.fits or stars (they have {stars.fwhm:.2f}")'


def with_checked_psf(image: SkyImage, psf: PSF | float | None, force: bool = False) -> SkyImage:
    """The image, with notes where its stars, or a PSF in its file, are not as ``--psf`` says.

    Raises
    ------
    InputError
        When the psf cannot be this image's, and not by ``force``.
    """
    fwhm = psf.fwhm if isinstance(psf, PSF) else psf
    if fwhm is None or image.pixel_scale is None:
        return image
    width, side = fwhm / image.pixel_scale, min(image.shape[1:])
    if width > BROADEST * side and not force:
        raise InputError(
            f'a psf of {fwhm:.4g}" is {width:.0f} pixels wide, the image {side}: little of it can '
            "be undone; state the FWHM that stars have in the image, in arcsec, or take a wider "
            "cutout; --force insists"
        )
    if width < NARROWEST and not force:
        raise InputError(
            f'a psf of {fwhm:.4g}" is {width:.1f} pixels wide, and no star in pixels of '
            f'{image.pixel_scale:.4g}" is narrower than about one of them; state the FWHM that '
            "stars have in the image, in arcsec; --force insists"
        )
    notes = [] if isinstance(psf, PSF) else fwhm_misfits(image, fwhm, force)
    own = known_psf(image)
    if own is not None and abs(fwhm / own.fwhm - 1.0) > ALIKE:
        told = f'--psf ({fwhm:.2f}") was taken, and not the PSF in the file ({own.fwhm:.2f}")'
        alike = 1.0 / ABSURD < fwhm / own.fwhm < ABSURD
        if not (alike or force or isinstance(psf, PSF)):
            raise InputError(
                f'a psf of {fwhm:.4g}" is {fwhm / own.fwhm:.2g} times as broad as the PSF in the '
                f'file, {own.fwhm:.2f}", which is taken where none is stated; --force insists'
            )
        notes = [told, *notes]
    return replace(image, notes=(*image.notes, *notes))

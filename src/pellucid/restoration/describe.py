"""What is known of an image before it is restored, and which model would be taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import InputError
from pellucid.fits import restored_bands
from pellucid.optics import known_psf, unknown_unit
from pellucid.quiet import quiet
from pellucid.restoration.choice import ANY, fitting_model
from pellucid.restoration.grid import plan_of
from pellucid.restoration.noise import noise_notes, stated_noise
from pellucid.sky import PSF, SkyImage, sky_of
from pellucid.sky.psf import pick_bands, stamp_fwhm
from pellucid.sources import psf_of_the_middle

if TYPE_CHECKING:
    from pellucid.fits import Plane


def describe_image(image: SkyImage, psf: PSF | float | None = None) -> dict[str, Any]:
    """What `load_restorer` without a name would find in an image and make of it.

    Parameters
    ----------
    image
        As it was read.
    psf
        Where it is stated: stamps, or the FWHM of a Gaussian in arcsec.

    Returns
    -------
    dict
        ``bands``, ``unit``, ``shape`` (band, y, x), ``pixel_scale`` (arcsec), ``wcs``, ``psf``,
        ``sky`` (of each band, in the image's unit, its level; the noise that is ``measured``, the
        median that its ``plane`` states, and ``noise``: the first, or the second where the band
        was restored), ``variance`` (whether each pixel has its own), ``no_data`` (fraction of the
        pixels; ``no_data_bands`` has each band's), ``model`` (None where none fits), ``target``
        (FWHM in arcsec and output pixels, of a model that takes any), ``why`` and ``notes``. What
        is not known is None.
    """
    found, notes = _psf(image, psf)
    try:
        model, why = fitting_model(image, psf=psf)
        target = _target(image, psf) if model == ANY else None
    except InputError as error:
        model, target, why = None, None, str(error)
    return {
        "bands": list(image.bands),
        "unit": image.unit,
        "shape": list(image.shape),
        "pixel_scale": _number(image.pixel_scale),
        "wcs": _wcs(image),
        "psf": found,
        "sky": {
            band: _sky(image.of_bands([k]), stated, restored)
            for k, (band, stated, restored) in enumerate(
                zip(image.bands, stated_noise(image), restored_bands(image), strict=True)
            )
        },
        "variance": image.variance is not None,
        "no_data": _number(image.holes.mean()),
        "no_data_bands": {
            band: _number(holes.mean())
            for band, holes in zip(image.bands, image.holes, strict=True)
        },
        "model": model,
        "target": target,
        "why": why,
        "notes": [*image.notes, *notes, *noise_notes(image)],
    }


def describe_planes(image: SkyImage, planes: Sequence[Plane]) -> list[dict[str, Any]]:
    """The HDUs of a file with their roles, what becomes of each (``use``), and ``why``.

    Parameters
    ----------
    image
        As it was read.
    planes
        From `pellucid.fits.file_roles` for the same file.
    """
    uses = {"band": "selected", "read": "read", "copied": "copied"}
    taken = image.layout.parts
    return [
        {
            "hdu": plane.hdu.number,
            "name": str(plane).partition(" ")[2],
            "shape": list(plane.hdu.stored),
            "role": plane.role,
            # Of bands that were not chosen nothing is used.
            "use": "copied" if part.planes and min(part.planes) >= len(image.bands)
            else uses[plane.use],
            "why": plane.why,
        }
        for plane, part in zip(planes, taken, strict=True)
    ]  # fmt: skip


def _target(image: SkyImage, psf: PSF | float | None) -> dict[str, float | None]:
    """What a star would look like, and in which pixels; refuses what restoring would refuse."""
    plan = plan_of(image, psf=psf)
    assert plan.target is not None
    return {
        "fwhm": _number(plan.target.fwhm),
        "pixel_scale": _number(min(plan.ratio, 1.0) * plan.blur.pixel_scale / plan.ratio),
    }


def _psf(image: SkyImage, stated: PSF | float | None) -> tuple[dict[str, Any], list[str]]:
    """FWHM in arcsec of each band and where it comes from: stated, file, header or stars."""
    if isinstance(stated, (int, float)):
        widths = dict.fromkeys(image.bands, _number(stated))
        return {"fwhm": widths, "from": "stated", "origin": "a Gaussian, as stated"}, []
    known = stated or known_psf(image)
    if known is not None:
        source = "stated" if stated else "file" if image.psf is not None else "header"
        found = {"fwhm": _widths(known, image), "from": source, "origin": known.origin}
        said = [note for note in known.notes if note not in image.notes]
        return found, said
    return _psf_of_stars(image), []


def _psf_of_stars(image: SkyImage) -> dict[str, Any]:
    """What --psf stars would take; it is not known until it is asked for."""
    reason = unknown_unit(image)
    try:
        stars = psf_of_the_middle(image)
    except InputError as error:
        origin = "; ".join(filter(None, [reason, str(error)]))
        return {"fwhm": None, "from": "unknown", "origin": origin}
    origin = "; ".join(filter(None, [reason, stars.origin]))
    return {"fwhm": _widths(stars, image), "from": "stars", "origin": origin}


def _widths(psf: PSF, image: SkyImage) -> dict[str, float | None]:
    stamps = pick_bands(psf, image.bands).for_bands(len(image.bands))
    scale = psf.pixel_scale
    return {
        band: _number(stamp_fwhm(stamp) * scale)
        for band, stamp in zip(image.bands, stamps, strict=True)
    }


def _sky(band: SkyImage, stated: float | None, restored: bool) -> dict[str, float | None]:
    sky = sky_of(band)
    # A restored sky is smoother than it is sure: the noise is what was written of it.
    noise = stated if restored and stated else sky.sigma
    return {
        "level": _number(sky.sky[0]),
        "noise": _number(noise),
        "measured": _number(sky.sigma),
        "plane": _number(stated),
    }


def _wcs(image: SkyImage) -> dict[str, Any] | None:
    """Projection, centre of the frame (RA, Dec in degrees, ICRS) and its sides in arcsec."""
    wcs, scale = image.wcs, image.pixel_scale
    if wcs is None or not wcs.has_celestial:
        return None
    height, width = image.shape[1:]
    with quiet():  # an equinox of 1e300
        place: Any = wcs.celestial.pixel_to_world((width - 1) / 2, (height - 1) / 2)
        icrs = place.icrs
    kind = str(wcs.celestial.wcs.ctype[0])[5:].strip("-")
    return {
        "projection": kind,
        "centre": [_number(icrs.ra.deg), _number(icrs.dec.deg)],
        "size": [_number(side * scale) if scale else None for side in (width, height)],
    }


def _number(value: Any) -> float | None:
    """A number to seven digits, for JSON; None where it is not finite."""
    if value is None or not np.isfinite(value):
        return None
    return float(f"{float(value):.7g}")

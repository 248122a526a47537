"""Whether a restoration and the truth can be compared: one sky, one grid, one unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.errors import InputError
from pellucid.fits import largest_shift
from pellucid.optics import block_mean, known_psf, scaled_wcs
from pellucid.sky import SkyImage
from pellucid.sky.image import per_pixel
from pellucid.sky.unit import factor_between

#: FWHM that differ by less than this fraction are the same sharpness.
SAME_WIDTH = 0.1
#: Pixels by which two grids may lie apart.
SAME_PLACE = 0.1


def made_comparable(restored: SkyImage, truth: SkyImage) -> SkyImage:
    """The restoration in the pixels and the unit of the truth; a note says what was done for it.

    A model may halve the pixels: where whole ones fill each pixel of the truth, they are joined.

    Raises
    ------
    InputError
        When both show different sky, their pixels are no parts of each other, or their units
        cannot be converted.
    """
    restored = _joined(restored, truth)
    if truth.wcs is not None and restored.wcs is not None:
        shift = largest_shift(truth.wcs, restored.wcs, truth.shape)
        if shift > SAME_PLACE:
            raise InputError(
                f"shows another sky than the truth ({shift:.1f} pixels apart); reproject one of "
                "them, or choose another with --hdu"
            )
    if truth.unit is None or restored.unit is None:
        if truth.unit == restored.unit:
            return restored
        known = truth.unit or restored.unit
        note = f"one of both images states no unit (BUNIT); {known} was taken for both"
        return replace(restored, notes=(*restored.notes, note))
    factor = factor_between(restored.unit, truth.unit)
    if factor is None:
        raise InputError(
            f"is in {restored.unit}, the truth in {truth.unit}; convert one of them to the other's "
            "unit"
        )
    if factor == 1.0:
        return restored
    note = f"the restoration was converted from {restored.unit} to {truth.unit} (× {factor:.6g})"
    flux = restored.flux * np.float32(factor)
    return restored.with_flux(flux, unit=truth.unit, notes=(*restored.notes, note))


def sharpness_notes(restored: SkyImage, truth: SkyImage) -> list[str]:
    """What to know where the PSFs of both are known and differ: no number of pixels is fair then.

    A restoration's is the target that its file states, another image's the one in its file or of
    its header.
    """
    own, wanted = known_psf(restored), known_psf(truth)
    if own is None:
        return []
    if wanted is None:
        return [
            f'nothing states the PSF of the truth; PSNR is fair only where it has {own.fwhm:.2f}", '
            "as the restoration has"
        ]
    widths = [own.fwhm, wanted.fwhm]
    narrow, wide = sorted(widths)
    if wide <= (1.0 + SAME_WIDTH) * narrow:
        return []
    sharper, blunter = (
        ("restoration", "truth") if widths[0] < widths[1] else ("truth", "restoration")
    )
    between = np.sqrt(wide**2 - narrow**2)
    return [
        f'the {sharper} is sharper (FWHM {narrow:.2f}") than the {blunter} ({wide:.2f}"): PSNR and '
        f"SSIM tell of that and not of the restoration; compare them again with the {sharper} "
        f"blurred to the {blunter}'s: `pellucid degrade` with --fwhm {between:.3g} --noise 0"
    ]


def _joined(restored: SkyImage, truth: SkyImage) -> SkyImage:
    """The restoration in the truth's pixels, where each of these is so many of its own.

    Flux a pixel is added up, a surface brightness averaged.
    """
    if restored.shape == truth.shape:
        return restored
    side = restored.shape[1] // truth.shape[1]
    bands, *sides = truth.shape
    if restored.shape[0] != bands:
        names = ", ".join(restored.bands), ", ".join(truth.bands)
        raise InputError(
            f"has other bands ({names[0]}) than the truth ({names[1]}); choose the same with "
            "--bands, or give files of these"
        )
    if side < 2 or restored.shape != (bands, *(side * length for length in sides)):
        shapes = " and ".join("×".join(map(str, image.shape)) for image in (truth, restored))
        raise InputError(
            f"the truth and it are no images of one grid ({shapes} pixels, bands first), nor "
            "does a whole number of its pixels fill one of the truth's; bring them to one grid, "
            "such as with the Python package reproject, or choose with --hdu and --bands"
        )
    area = side**2 if per_pixel(restored.unit) else 1
    how = "added up" if area > 1 else "averaged"
    note = f"{side} × {side} pixels of the restoration were {how} to one of the truth's"
    wcs = restored.wcs and scaled_wcs(restored.wcs, side, restored.shape[1:])
    mask = None
    if restored.mask is not None:
        mask = block_mean(restored.mask.astype(np.float32), side, side) > 0
    return replace(
        restored,
        flux=block_mean(restored.flux, side, side) * np.float32(area),
        variance=None,
        mask=mask,
        wcs=wcs,
        psf=None,
        pixel_scale=restored.pixel_scale and restored.pixel_scale * side,
        layout=None,
        notes=(*restored.notes, note),
    )

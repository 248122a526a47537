"""Where a model that knows any blur works: on which pixels, towards which target.

A target is a well-sampled Gaussian. Where the image's own pixels are too coarse to hold what can be
restored they are halved, and where the psf spans more of them than the model ever saw they are
joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pellucid.data.halving import ORDER
from pellucid.errors import InputError, UsageError
from pellucid.optics import (
    blur_between,
    blur_of,
    convolve,
    matching_kernel,
    regrid,
    resample,
    resampled_psf,
    scaling,
)
from pellucid.restoration.noise import interpolated
from pellucid.sky import PSF, SkyImage, gaussian_psf
from pellucid.sky.psf import stamp_fwhm, width_in_words, widths_of
from pellucid.sources.stated import ways_to_state

#: FWHM of the target in pixels of the work.
TARGET = 2.25
#: Where the psf is narrower than this in pixels, they are halved; where they were interpolated, and
#: are finer already than what the camera saw, only below the second.
FEW, FEW_INTERPOLATED = 5.0, 3.0
#: Bands whose psf is so much broader than that of another decide for all: no band can be brought to
#: a target that is sharper than what its camera saw.
SHARPER = 1.5
#: A stated target narrower than this needs the halved pixels.
COARSE_TARGET = 2.0
#: Where what is to be undone is wider than this in pixels, they are joined.
MANY = 9.3


@dataclass(frozen=True, eq=False)
class Plan:
    """On which grid, towards which target an image is restored, before anything is done to it.

    Parameters
    ----------
    blur
        What is to be undone, in pixels of the work.
    target
        What a star shall look like; None where only the blur is known.
    ratio
        Side of a pixel of the work in pixels of the image.
    broadened
        By band: what blurs one that is sharper than the target already.
    """

    blur: PSF
    target: PSF | None
    ratio: float
    broadened: Mapping[int, PSF]

    @property
    def undone(self) -> list[float] | None:
        """FWHM in arcsec of the psf; None where only the blur is known."""
        if self.target is None:
            return None
        return [float(np.hypot(width, self.target.fwhm)) for width in widths_of(self.blur)]


def plan_of(
    image: SkyImage,
    blur: PSF | float | None = None,
    psf: PSF | float | None = None,
    target: PSF | float | None = None,
) -> Plan:
    """The grid, the target and the blur, from what is stated and what the image says of itself.

    Parameters
    ----------
    image
        Of its pixels counts how smooth their noise is.
    blur, psf, target
        As `pellucid.optics.blur_of` has them.

    Raises
    ------
    UsageError
        When the blur is stated twice.
    InputError
        When nothing is known of the blur, or the target is sharper than the data allow.
    """
    if blur is not None:
        kernel = blur_of(image, blur, psf, target)
        assert kernel is not None
        joined = max(1, int(np.ceil(kernel.fwhm / kernel.pixel_scale / MANY)))
        return Plan(_rescaled(kernel, joined * kernel.pixel_scale), None, float(joined), {})
    known = blur_of(image, psf=psf)
    if known is None:
        raise InputError(
            f"the model must know what a star looks like in the image{ways_to_state(image)}; or "
            "the blur alone: --blur"
        )
    widths = np.array(widths_of(known)) / known.pixel_scale
    width, camera = float(widths.mean()), image
    if len(broad := np.flatnonzero(widths > SHARPER * widths.min())):
        width, camera = float(widths.max()), image.of_bands(broad.tolist())
    wanted = _width(target)
    if width > MANY:
        ratio = float(np.ceil(width / MANY))
    elif width < FEW and (wanted is None or wanted < COARSE_TARGET * known.pixel_scale):
        ratio = 0.5
        if wanted is None and width > FEW_INTERPOLATED and interpolated(camera):
            ratio = 1.0
    else:
        ratio = 1.0
    scale = ratio * known.pixel_scale
    if target is None:
        target = gaussian_psf(TARGET * scale, scale)
    elif isinstance(target, PSF):
        target = _rescaled(target, scale)
    else:
        _check_sharpness(target, known, scale)
        target = gaussian_psf(target, scale)
    return plan_elsewhere(Plan(known, target, ratio, {}), known)


def plan_elsewhere(plan: Plan, psf: PSF) -> Plan:
    """The same grid and target for another psf, as it is at another place of the image."""
    assert plan.target is not None
    known, broadened = _no_sharper(_rescaled(psf, plan.target.pixel_scale), plan.target)
    return replace(plan, blur=blur_between(known, plan.target), broadened=broadened)


def on_grid(image: SkyImage, plan: Plan, window: bool = False) -> SkyImage:
    """An image without holes on the grid of its plan, no band sharper than the target.

    Of a ``window`` light may leave, and is in the next one.
    """
    if plan.ratio != 1.0:
        scale = plan.blur.pixel_scale
        scaled = replace(image, pixel_scale=image.pixel_scale or scale / plan.ratio, psf=None)
        image = regrid(scaled, scale, ORDER)
    if plan.broadened:
        flux = image.flux.copy()
        for band, kernel in plan.broadened.items():
            seen = flux[band].mean(dtype=np.float64)
            flux[band] = convolve(flux[band : band + 1], kernel.stamps, "reflect")[0]
            if not window:  # a lopsided kernel carries light over the edge
                flux[band] += np.float32(seen - flux[band].mean(dtype=np.float64))
        image = image.with_flux(flux)
    return image


def _padded(stamps: NDArray[np.floating], side: int) -> NDArray[np.float32]:
    width = [(max(0, side - own) // 2,) * 2 for own in stamps.shape[1:]]
    return np.pad(stamps, [(0, 0), *width]).astype(np.float32)


def _no_sharper(psf: PSF, target: PSF) -> tuple[PSF, dict[int, PSF]]:
    """The PSF that bands have where none is sharper than the target, and what brings them there.

    Cameras of different sharpness may be in one file.
    """
    narrow = {
        band: PSF(stamp, psf.pixel_scale)
        for band, stamp in enumerate(psf.stamps)
        if len(psf.stamps) > 1 and stamp_fwhm(stamp) * psf.pixel_scale < target.fwhm
    }
    if not narrow:
        return psf, {}
    broadened = {band: matching_kernel(own, target) for band, own in narrow.items()}
    side = max(len(stamp) for stamp in (*psf.stamps, *target.stamps))
    stamps = _padded(psf.stamps, side)
    for band, kernel in broadened.items():
        stamps[band] = convolve(stamps[band : band + 1], kernel.stamps, "zero")[0]
    names = ", ".join(psf.bands[band] if psf.bands else f"band {band + 1}" for band in narrow)
    note = (
        f'sharper than the target of {target.fwhm:.2f}" and blurred to it: {names} '
        "(--bands restores some alone)"
    )
    return replace(psf, stamps=stamps, notes=(*psf.notes, note)), broadened


def brought_back(
    ratio: float, planes: NDArray[np.float32], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Planes of the work on the image's own grid of ``shape``, where ``ratio`` pixels were joined.

    Values stay what they are, as those of a surface brightness.
    """
    inner = (int(shape[-2]), int(shape[-1]))
    parts = np.float32(ratio**2)  # into which `resample` shares what is a pixel's
    found = parts * np.stack(
        [resample(plane, scaling(1.0 / ratio), inner, ORDER) for plane in planes]
    )
    # The far edge may lie beyond the last whole pixel of the work.
    rows, columns = (
        np.minimum(np.arange(side), round(whole * ratio) - 1)
        for side, whole in zip(inner, planes.shape[-2:], strict=True)
    )
    return found[:, rows][:, :, columns]


def joined_back(
    planes: list[NDArray[np.float32]], ratio: float, shape: tuple[int, ...]
) -> list[NDArray[np.float32]]:
    """Flux and what stands beside it, of joined pixels, on the image's own."""
    flux, *others = (brought_back(ratio, each, shape) for each in planes)
    # A spline overshoots.
    for wide, each in zip(others, planes[1:], strict=True):
        ends = (end(axis=(1, 2), keepdims=True) for end in (each.min, each.max))
        np.clip(wide, *ends, out=wide)
    return [flux, *others]


def _width(target: PSF | float | None) -> float | None:
    return target.fwhm if isinstance(target, PSF) else target


def _rescaled(psf: PSF, pixel_scale: float) -> PSF:
    same = abs(psf.pixel_scale / pixel_scale - 1.0) < 1e-3
    return psf if same else resampled_psf(psf, pixel_scale)


def _check_sharpness(target: float, psf: PSF, pixel_scale: float) -> None:
    sharpest = 0.85 * TARGET * pixel_scale
    if target < sharpest:
        raise InputError(
            f'a target of {target:.2f}" is sharper than can be restored from a PSF of '
            f'{width_in_words(psf)} in pixels of {pixel_scale:.4g}"; '
            f'{sharpest:.2f}" is the sharpest'
        )
    if target >= psf.fwhm:
        raise UsageError(
            f"--target {target:g}: the PSF of {width_in_words(psf)} is no broader; nothing is to "
            "be undone"
        )

"""Where a model that knows any blur works: on which pixels, towards which target.

A target is a well-sampled Gaussian. Where the image's own pixels are too coarse to hold what can be
restored they are halved, and where the psf spans more of them than the model ever saw they are
joined.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError, UsageError
from pellucid.optics import blur_of, regrid, resample, resampled_psf, scaling
from pellucid.sky import PSF, SkyImage, gaussian_psf

#: FWHM of the target in pixels of the work.
TARGET = 2.25
#: Where the psf is narrower than this in pixels, they are halved.
FEW = 5.0
#: A stated target narrower than this needs the halved pixels.
COARSE_TARGET = 2.0
#: Where what is to be undone is wider than this in pixels, they are joined.
MANY = 9.3


@dataclass(frozen=True, eq=False)
class Work:
    """An image made ready to be restored.

    Parameters
    ----------
    image
        On the grid of the work.
    blur
        What is to be undone, in its pixels.
    target
        What a star shall look like; None where only the blur is known.
    ratio
        Side of a pixel of the work in pixels of the image.
    """

    image: SkyImage
    blur: PSF
    target: PSF | None
    ratio: float


def work_of(
    image: SkyImage,
    blur: PSF | float | None = None,
    psf: PSF | float | None = None,
    target: PSF | float | None = None,
) -> Work:
    """The grid, the target and the blur, from what is stated and what the image says of itself.

    Parameters
    ----------
    image
        Without holes.
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
        return _on(image, kernel, None, float(joined))
    known = blur_of(image, psf=psf)
    if known is None:
        raise InputError(
            "the model must know what a star looks like in the image: --psf FWHM_ARCSEC or "
            "PSF.fits, or the blur alone: --blur"
        )
    image = replace(image, pixel_scale=image.pixel_scale or known.pixel_scale)
    scale = known.pixel_scale
    width = known.fwhm / scale
    wanted = _width(target)
    if width > MANY:
        ratio = float(np.ceil(width / MANY))
    elif width < FEW and (wanted is None or wanted < COARSE_TARGET * scale):
        ratio = 0.5
    else:
        ratio = 1.0
    if target is None:
        target = gaussian_psf(TARGET * ratio * scale, ratio * scale)
    elif isinstance(target, PSF):
        target = _rescaled(target, ratio * scale)
    else:
        _check_sharpness(target, known.fwhm, ratio * scale)
        target = gaussian_psf(target, ratio * scale)
    return _on(image, known, target, ratio)


def brought_back(
    work: Work, planes: NDArray[np.float32], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Planes of the work on the image's own grid of ``shape``, where its pixels were joined.

    Values stay what they are, as those of a surface brightness.
    """
    inner = (int(shape[-2]), int(shape[-1]))
    parts = np.float32(work.ratio**2)  # into which `resample` shares what is a pixel's
    found = parts * np.stack(
        [resample(plane, scaling(1.0 / work.ratio), inner) for plane in planes]
    )
    # The far edge may lie beyond the last whole pixel of the work.
    rows, columns = (
        np.minimum(np.arange(side), round(whole * work.ratio) - 1)
        for side, whole in zip(inner, planes.shape[-2:], strict=True)
    )
    return found[:, rows][:, :, columns]


def _on(image: SkyImage, known: PSF, target: PSF | None, ratio: float) -> Work:
    """The work with this ratio; ``known`` is the psf where there is a target, else the blur."""
    if ratio != 1.0:
        scale = ratio * known.pixel_scale
        scaled = replace(image, pixel_scale=image.pixel_scale or known.pixel_scale, psf=None)
        image, known = regrid(scaled, scale), resampled_psf(known, scale)
    if target is None:
        return Work(image, known, None, ratio)
    blur = blur_of(replace(image, psf=None), psf=known, target=target)
    assert blur is not None
    return Work(image, blur, target, ratio)


def _width(target: PSF | float | None) -> float | None:
    return target.fwhm if isinstance(target, PSF) else target


def _rescaled(psf: PSF, pixel_scale: float) -> PSF:
    same = abs(psf.pixel_scale / pixel_scale - 1.0) < 1e-3
    return psf if same else resampled_psf(psf, pixel_scale)


def _check_sharpness(target: float, psf: float, pixel_scale: float) -> None:
    sharpest = 0.85 * TARGET * pixel_scale
    if target < sharpest:
        raise InputError(
            f'a target of {target:.2f}" is sharper than can be restored from a PSF of {psf:.2f}" '
            f'in pixels of {pixel_scale:.4g}"; {sharpest:.2f}" is the sharpest'
        )
    if target >= psf:
        raise UsageError(
            f'--target {target:g}: the PSF of {psf:.2f}" is no broader; nothing is to be undone'
        )

"""The blur: the kernel between what a star looks like and what it shall look like.

With psf = blur ⊛ target, an image is y = blur ⊛ t + n, where t is the sky at the target PSF. The
blur is what a degradation applies and what a restorer undoes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError, UsageError
from pellucid.sky.image import SkyImage
from pellucid.sky.psf import PSF, gaussian_psf

#: Pixel sizes that differ by less than this fraction are the same.
SCALE_TOLERANCE = 0.05
#: FWHM in pixels of the sharpest target that a pixel grid holds without aliasing.
SHARPEST = 1.5
#: Of the psf's peak: what blur ⊛ target may miss of it.
MISMATCH = 0.1
#: ε of `matching_kernel`.
REGULARISATION = 1e-4
#: Noise that a measured psf may leave at any frequency of a blur, whose total is one.
NOISE_GAIN = 0.003
#: Cycles per pixel beyond which a stamp's spectrum holds noise only.
CORNERS = 0.55


def identity_kernel(pixel_scale: float) -> PSF:
    """The kernel that blurs nothing."""
    return PSF(np.ones((1, 1)), pixel_scale)


def blur_of(
    image: SkyImage,
    blur: PSF | float | None = None,
    psf: PSF | float | None = None,
    target: PSF | float | None = None,
) -> PSF | None:
    """What is to be undone in an image, from what is known of it.

    Parameters
    ----------
    image
        Its own PSF stands where ``psf`` does not say another.
    blur, psf, target
        A kernel in the image's pixels, or the FWHM in arcsec of a Gaussian. Where no ``target``
        is named, all of the psf is to be undone.

    Returns
    -------
    PSF or None
        None where nothing is known.

    Raises
    ------
    UsageError
        When the blur is stated twice.
    InputError
        When a kernel's pixels are not the image's, or as `blur_between`.
    """
    if blur is not None and (psf is not None or target is not None):
        raise UsageError("the blur follows from psf and target: state it, or these")
    known = _kernel(image, blur if blur is not None else psf) or image.psf
    if target is None:
        return known
    if known is None:
        raise InputError("a target needs the PSF that the image has: --psf states it")
    goal = _kernel(image, target)
    assert goal is not None
    return blur_between(known, goal)


def blur_between(psf: PSF, target: PSF) -> PSF:
    """The blur with psf = blur ⊛ target.

    Where a measured psf has noise, the division would raise it. So it is tried as it is, and
    regularised by as much as keeps the noise small at every frequency, with what noise alone could
    be cut from the kernel; what comes nearer to the psf is taken.

    Raises
    ------
    InputError
        When the target is not sharper than the psf, or sharper than its pixels can hold.
    """
    if target.fwhm < SHARPEST * target.pixel_scale:
        raise InputError(
            f'a target of {target.fwhm:.2f}" is sharper than pixels of {target.pixel_scale:.4g}" '
            f'can hold; {SHARPEST * target.pixel_scale:.2f}" is the sharpest'
        )
    candidates = [
        matching_kernel(target, psf, *bounds) for bounds in ((), _noise_bounds(psf, target))
    ]
    blur = min(candidates, key=lambda kernel: _mismatch(kernel, target, psf))
    missed = _mismatch(blur, target, psf)
    if missed > MISMATCH:
        raise InputError(
            f'no kernel blurs a target of {target.fwhm:.2f}" into this PSF ({missed:.0%} of its '
            "peak is missed); name a sharper target"
        )
    return blur


def matching_kernel(
    source: PSF, target: PSF, regularisation: float = REGULARISATION, floor: float = 0.0
) -> PSF:
    """The kernel that blurs ``source`` into the broader ``target``.

    Regularised division of the transfer functions, K = T·S* / (|S|² + ε), cut to non-negative
    values (Boucaud et al. 2016, A&A 596, A63).

    Parameters
    ----------
    source, target
        PSFs on one pixel scale.
    regularisation
        ε as a fraction of the source's largest power.
    floor
        What lies below it in a kernel of sum one is cut.

    Raises
    ------
    InputError
        When the pixel scales differ or the target is sharper than the source.
    """
    if not np.isclose(source.pixel_scale, target.pixel_scale, rtol=1e-3):
        raise InputError(
            f"the PSFs have {source.pixel_scale} and {target.pixel_scale} arcsec per pixel; "
            "resample one of them"
        )
    if target.fwhm < source.fwhm:
        raise InputError(
            f'no kernel blurs a PSF of {source.fwhm:.2f}" into the sharper {target.fwhm:.2f}"'
        )
    side, (sharp, broad) = _transfers(source, target)
    power = np.abs(sharp) ** 2
    kernel = np.fft.irfft2(
        broad * sharp.conj() / (power + regularisation * power.max()), s=(side, side)
    )
    kernel = np.fft.fftshift(kernel, axes=(1, 2))
    return PSF(np.where(kernel > floor, kernel, 0.0), source.pixel_scale)


def _kernel(image: SkyImage, given: PSF | float | None) -> PSF | None:
    """A kernel in the image's pixels from one, or from a FWHM in arcsec."""
    if given is None:
        return None
    if isinstance(given, PSF):
        scale = image.pixel_scale
        if scale and abs(given.pixel_scale / scale - 1) > SCALE_TOLERANCE:
            raise InputError(f'the PSF has {given.pixel_scale:.4g}" pixels, the image {scale:.4g}"')
        return given
    if image.pixel_scale is None:
        raise InputError("the image has no pixel scale; --pixel-scale states it")
    return gaussian_psf(float(given), image.pixel_scale)


def _noise_bounds(psf: PSF, target: PSF) -> tuple[float, float]:
    """Regularisation and floor of `matching_kernel` that keep the noise of a psf out of a blur."""
    side, (blurred, sharp) = _transfers(psf, target)
    noise = _noise_power(blurred, side)
    regularisation = max(REGULARISATION, noise / (2.0 * NOISE_GAIN) ** 2)
    gain = np.abs(sharp) / (np.abs(sharp) ** 2 + regularisation)
    return regularisation, 3.0 * float(np.sqrt(noise * np.mean(gain**2))) / side


def _noise_power(transfer: NDArray[np.complex128], side: int) -> float:
    """Of a stamp: the power in the corners of its spectrum, where no light reaches."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    corners = np.abs(transfer[:, frequency > CORNERS]) ** 2
    return float(np.median(corners)) if corners.size else 0.0


def _mismatch(blur: PSF, target: PSF, psf: PSF) -> float:
    """The largest difference between blur ⊛ target and the psf, in units of the psf's peak."""
    side, (kernel, sharp, blurred) = _transfers(blur, target, psf)
    made, wanted = (np.fft.irfft2(t, s=(side, side)) for t in (kernel * sharp, blurred))
    return float(np.abs(made - wanted).max() / wanted.max())


def _transfers(*psfs: PSF) -> tuple[int, list[NDArray[np.complex128]]]:
    """A side that holds all stamps, and the Fourier transforms of these padded to it.

    The centre of each stands at the first pixel.
    """
    side = max(max(psf.stamps.shape[1:]) for psf in psfs)
    bands = max(len(psf.stamps) for psf in psfs)
    transfers = []
    for psf in psfs:
        stamps = psf.for_bands(bands).astype(np.float64)
        before = [(side - length) // 2 for length in stamps.shape[1:]]
        after = [side - length - k for length, k in zip(stamps.shape[1:], before, strict=True)]
        padded = np.pad(stamps, [(0, 0), *zip(before, after, strict=True)])
        transfers.append(np.fft.rfft2(np.fft.ifftshift(padded, axes=(1, 2))))
    return side, transfers

"""The blur: the kernel between what a star looks like and what it shall look like.

With psf = blur ⊛ target, an image is y = blur ⊛ t + n, where t is the sky at the target PSF. The
blur is what a degradation applies and what a restorer undoes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError, UsageError
from pellucid.optics.psf_cards import psf_from_cards
from pellucid.optics.resampling import resampled_psf
from pellucid.sky.image import SkyImage
from pellucid.sky.psf import PSF, gaussian_psf, pick_bands, width_in_words

#: Pixel sizes that differ by less than this fraction are the same.
SCALE_TOLERANCE = 0.05
#: FWHM in pixels of the sharpest target that a pixel grid holds without aliasing.
SHARPEST = 1.5
#: FWHM of the broadest Gaussian, in sides of the image.
WIDEST = 0.75
#: FWHM in pixels of the narrowest star: pixels have a response of their own.
NARROWEST = 0.8
#: Sides in pixels of the smallest image that anything can be undone in.
SMALLEST = 8
#: Of the psf's peak: what blur ⊛ target may miss of it. Stamps with rings below zero miss a tenth.
MISMATCH = 0.25
#: Of `blur_between`, and the least light of a pixel there.
ITERATIONS, LEAST = 100, 1e-12


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
        Its own PSF, or what its header says of it, stands where ``psf`` does not say another.
    blur, psf, target
        A kernel, which is brought to the image's pixels and bands, or the FWHM in arcsec of a
        Gaussian. Where no ``target`` is named, all of the psf is to be undone.

    Returns
    -------
    PSF or None
        None where nothing is known. Its ``notes`` say what was guessed.

    Raises
    ------
    UsageError
        When the blur is stated twice.
    InputError
        When a kernel is not one of the image's bands, the image is tiny, or as `blur_between`.
    """
    if blur is not None and (psf is not None or target is not None):
        raise UsageError("--blur stands for --psf and --target: state it, or these")
    known = _kernel(image, blur if blur is not None else psf) or known_psf(image)
    if isinstance(psf, (int, float)) and known is not None:
        known = _noted(known, float(psf))
    if known is not None and min(image.shape[1:]) < SMALLEST:
        height, width = image.shape[1:]
        raise InputError(
            f"{width} × {height} pixels are too few to restore; cut out {SMALLEST} or more a side"
        )
    if target is None:
        return known
    if known is None:
        raise InputError("a target needs the PSF that the image has: --psf states it")
    if not isinstance(target, PSF):  # what was typed, not what its stamp measures
        _check_target(psf if isinstance(psf, float) else known, target, known.pixel_scale)
    goal = _kernel(image, target)
    assert goal is not None
    return blur_between(known, goal)


def known_psf(image: SkyImage) -> PSF | None:
    """The PSF that an image brings with it, or that its header's cards state."""
    return _kernel(image, image.psf) or psf_from_cards(image)


def blur_between(psf: PSF, target: PSF) -> PSF:
    """The blur with psf = blur ⊛ target.

    Richardson–Lucy's iteration on the stamp itself: the kernel stays non-negative, may be as narrow
    as a pixel, and is found before the noise of a measured psf is.

    Raises
    ------
    InputError
        When the target is not sharper than the psf, or sharper than its pixels can hold.

    References
    ----------
    Richardson 1972, JOSA 62, 55, doi:10.1364/JOSA.62.000055
    """
    _check_target(psf, target.fwhm, target.pixel_scale)
    side, (blurred, sharp) = _transfers(psf, target)

    def through(stamps: NDArray[np.float64], transfer: NDArray[np.complex128]) -> NDArray:
        return np.fft.irfft2(np.fft.rfft2(stamps) * transfer, s=(side, side))

    seen = np.fft.irfft2(blurred, s=(side, side))
    wanted = np.maximum(seen, LEAST)
    kernel = wanted
    for _ in range(ITERATIONS):
        ratio = wanted / np.maximum(through(kernel, sharp), LEAST)
        kernel = np.maximum(kernel * through(ratio, sharp.conj()), 0.0)
    kernel /= kernel.sum(axis=(1, 2), keepdims=True)
    off = np.abs(through(kernel, sharp) - seen).max(axis=(1, 2)) / seen.max()
    worst = int(off.argmax())
    if off[worst] > MISMATCH:
        own = PSF(psf.stamps[min(worst, len(psf.stamps) - 1)], psf.pixel_scale)
        band = f" in {psf.bands[worst]}" if len(psf.bands) == len(off) > 1 else ""
        raise InputError(
            f'no kernel blurs a target of {target.fwhm:.2f}" into the PSF of '
            f"{width_in_words(own)}{band}: {off[worst]:.0%} of its peak is missed; state another "
            "target, or the blur itself"
        )
    return replace(psf, stamps=np.fft.fftshift(kernel, axes=(1, 2)))


def _check_target(psf: PSF | float, target: float, pixel_scale: float) -> None:
    """Refuse a target's FWHM, arcsec, that the pixels or the psf's do not allow."""
    if target < SHARPEST * pixel_scale:
        raise InputError(
            f'a target of {target:.2f}" is sharper than pixels of {pixel_scale:.4g}" can hold; '
            f'{SHARPEST * pixel_scale:.2f}" is the sharpest'
        )
    if target > (psf.fwhm if isinstance(psf, PSF) else psf):
        raise InputError(
            f'the target of {target:.2f}" is broader than the PSF of {width_in_words(psf)}: '
            "nothing is to be undone; state a sharper one"
        )


def matching_kernel(source: PSF, target: PSF, regularisation: float = 1e-4) -> PSF:
    """The kernel that blurs ``source`` into the broader ``target``.

    Regularised division of the transfer functions, K = T·S* / (|S|² + ε), cut to non-negative
    values (Boucaud et al. 2016, A&A 596, A63).

    Parameters
    ----------
    source, target
        PSFs on one pixel scale.
    regularisation
        ε as a fraction of the source's largest power.

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
    return PSF(np.clip(kernel, 0.0, None), source.pixel_scale)


def _kernel(image: SkyImage, given: PSF | float | None) -> PSF | None:
    """A kernel in the image's pixels from one, or from a FWHM in arcsec."""
    if given is None:
        return None
    if isinstance(given, PSF):
        given, scale = pick_bands(given, image.bands), image.pixel_scale
        if scale and abs(given.pixel_scale / scale - 1) > SCALE_TOLERANCE:
            note = (
                f"the PSF was brought from pixels of {given.pixel_scale:.4g}\" to the image's "
                f'{scale:.4g}"'
            )
            given = replace(resampled_psf(given, scale), notes=(*given.notes, note))
        _check_width(given.fwhm, given.pixel_scale, image)
        return given
    if image.pixel_scale is None:
        raise InputError("the image has no pixel scale; --pixel-scale states it")
    _check_width(float(given), image.pixel_scale, image)
    return gaussian_psf(float(given), image.pixel_scale)


def _noted(psf: PSF, fwhm: float) -> PSF:
    """A Gaussian with a note where its FWHM, arcsec, is that of no star in such pixels."""
    width = fwhm / psf.pixel_scale
    if width >= NARROWEST:
        return psf
    note = f'a psf of {fwhm:.4g}" is {width:.1f} pixels wide: no star is narrower than about one'
    return replace(psf, notes=(*psf.notes, note))


def _check_width(fwhm: float, pixel_scale: float, image: SkyImage) -> None:
    """Refuse a kernel's FWHM, arcsec, of which an image is too small to show anything."""
    width, side = fwhm / pixel_scale, min(image.shape[1:])
    if width > WIDEST * side:
        raise InputError(
            f'a FWHM of {fwhm:.4g}" is {width:.0f} pixels wide, the image {side}: nothing of it '
            "can be undone; state what a star looks like, in arcsec or as a stamp"
        )


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

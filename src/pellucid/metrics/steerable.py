"""The complex steerable pyramid: an image as oriented waves of one octave each.

A level needs no other level: its low-pass has ended where the filters of the levels above it
begin, so each is cut straight out of the image's spectrum.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb, sqrt

import numpy as np
from numpy.typing import NDArray

#: Samples of the tables of Simoncelli's code. A table read off linearly differs from its cosine
#: by some 1e-5, and coefficients are to be those of the published code.
_RADIAL_TABLE, _ANGULAR_TABLE = 256, 1024


def max_levels(shape: tuple[int, int]) -> int:
    """The most levels an image of (y, x) pixels has, ⌊log₂ of its shorter side⌋ − 2.

    One more and the coarsest filters would hold the mean: the bands would see the sky's level.
    """
    return max(0, min(shape).bit_length() - 3)


def band_shape(shape: tuple[int, int], level: int) -> tuple[int, int]:
    """(y, x) of the bands of a level; 0 is the finest and has the image's own size."""
    height, width = shape
    for _ in range(level):
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width


def band_spectrum(images: NDArray[np.floating], level: int) -> NDArray[np.complex128]:
    """The part of the Fourier transform of images (..., y, x) that a level's bands are made of.

    Shape (..., *`band_shape`), in the order of an FFT.
    """
    from scipy.fft import fft, rfft

    height, width = images.shape[-2:]
    y, x = (_frequencies(side) for side in band_shape((height, width), level))
    # Of a real image half of the plane says all, and of that only the band's columns go on.
    half = np.asarray(rfft(np.asarray(images, dtype=np.float64), axis=-1))
    half = np.asarray(fft(half[..., : len(x) // 2 + 1], axis=-2))
    other = x < 0
    taken = half[..., np.where(other, -y[:, None], y[:, None]), np.abs(x)]
    return np.where(other, taken.conj(), taken)


def bands_of_spectrum(
    spectrum: NDArray[np.complex128], filters: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """The coefficients of one level, c = F⁻¹[F(image) · radial · angular] on the level's grid.

    From `band_spectrum` and some of the level's `band_filters` (orientation, y, x); shape
    (..., orientation, y, x), in the image's unit. They lack the phase (−i)^(B−1) that all B bands
    share. Boundaries are circular. As in the authors' code, coefficients grow by 4 with each
    level.
    """
    from scipy.fft import ifft2

    return np.asarray(ifft2(spectrum[..., None, :, :] * filters, overwrite_x=True))


@lru_cache(maxsize=16)
def band_filters(shape: tuple[int, int], level: int, orientations: int) -> NDArray[np.float64]:
    """The transfer functions of a level's bands on images of ``shape``.

    The radial part is a raised cosine in log₂ of the frequency, about 2^−(level+1) of Nyquist;
    the angular part of orientation b is cos(θ − πb/B)^(B−1) over half of the plane, so that
    coefficients are analytic: their modulus is a local amplitude, their phase a local place.
    Shape (orientation, *`band_shape`), in the order of an FFT, read-only.

    References
    ----------
    Portilla & Simoncelli 2000, Int. J. Comput. Vis. 40, 49, doi:10.1023/A:1026553619983;
    Simoncelli & Freeman 1995, Proc. ICIP 3, 444, doi:10.1109/ICIP.1995.537667
    """
    # In units of Nyquist, zero on the zero frequency for odd sides too, as in the authors' code.
    y, x = (
        _frequencies(band) * (2.0 / side)
        for band, side in zip(band_shape(shape, level), shape, strict=True)
    )
    radius, angle = np.hypot(y[:, None], x), np.arctan2(y[:, None], x)
    radius[0, 0] = 2.0 / shape[1]
    octave = np.log2(radius) + level

    sample = np.arange(-_RADIAL_TABLE - 1, 2) / _RADIAL_TABLE
    rise = np.abs(np.cos(0.5 * np.pi * sample))
    rise[[0, -1]] = rise[[1, -2]]
    low = np.interp(octave, sample, np.sqrt(1.0 - rise**2))
    radial = low * np.interp(octave + 1.0, sample, rise)
    # The table leaves 1e-17 there, and a sky may be any number above the galaxy.
    radial[0, 0] = 0.0

    order = orientations - 1
    gain = 2.0 * sqrt(4**order / (orientations * comb(2 * order, order)))
    theta = np.pi * np.arange(-2 * _ANGULAR_TABLE - 1, _ANGULAR_TABLE + 2) / _ANGULAR_TABLE
    ahead = np.abs((np.pi + theta) % (2.0 * np.pi) - np.pi) < np.pi / 2.0
    lobe = np.where(ahead, gain * np.cos(theta) ** order, 0.0)
    filters = np.stack(
        [
            radial * np.interp(angle, theta + np.pi * b / orientations, lobe)
            for b in range(orientations)
        ]
    )
    filters.setflags(write=False)
    return filters


def _frequencies(count: int) -> NDArray[np.int64]:
    """The integer frequencies of an FFT of ``count`` samples: 0, 1, …, −2, −1."""
    return np.fft.ifftshift(np.arange(count) - count // 2)

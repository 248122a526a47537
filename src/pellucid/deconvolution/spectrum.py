"""How much of an image is signal and how much noise, at each spatial frequency."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.sky.background import robust_background

#: Beyond so many steps Richardson–Lucy gains nothing that a real image's noise would not take.
MOST_ITERATIONS = 50
#: Exponents further out than this say "none" or "all" as well as any.
_EXTREME = 60.0


def check_shapes(flux: NDArray[np.floating], stamps: NDArray[np.floating]) -> None:
    """Refuse an image and a PSF that do not belong together."""
    if flux.ndim != 3 or stamps.ndim != 3 or len(flux) != len(stamps):
        raise InputError(
            f"flux of shape {flux.shape} and a PSF of shape {stamps.shape}; "
            "both must be (band, y, x) with one stamp a band"
        )
    if stamps.shape[1] % 2 == 0 or stamps.shape[2] % 2 == 0:
        raise InputError(f"the PSF stamp is {stamps.shape[1]}×{stamps.shape[2]}; sides must be odd")


def transforms(
    plane: NDArray[np.float32],
    stamp: NDArray[np.floating],
    boundary: Literal["reflect", "wrap"] = "reflect",
) -> tuple[NDArray[np.complex64], NDArray[np.complex64], tuple[int, int]]:
    """Half-plane Fourier transforms of one band and its PSF, and the shape of their grid.

    ``"reflect"`` doubles the image by its mirror image, which is periodic without a seam.
    """
    from scipy import fft

    if boundary == "reflect":
        plane = np.pad(plane, ((0, plane.shape[0]), (0, plane.shape[1])), mode="symmetric")
    shape = (plane.shape[0], plane.shape[1])
    # Centre at the origin; what overhangs a small grid comes round.
    rows, columns = (
        (np.arange(side) - side // 2) % length
        for side, length in zip(stamp.shape, shape, strict=True)
    )
    kernel = np.zeros(shape, dtype=np.float32)
    np.add.at(kernel, (rows[:, None], columns[None, :]), stamp)
    return np.asarray(fft.rfft2(plane)), np.asarray(fft.rfft2(kernel)), shape


def fitted_noise_to_signal(
    plane: NDArray[np.float32],
    image: NDArray[np.complexfloating],
    transfer: NDArray[np.complexfloating],
    shape: tuple[int, int],
) -> NDArray[np.float32]:
    """N/S at each frequency of one band, by maximum likelihood of its power spectrum.

    The sharp image has S(k) = A k^−β, the noise is white with power N, and A, β and N are those
    under which the ring averages of the observed power, |H|² S + N, are likeliest: the least
    Σ n (ln M + P/M) over rings of n frequencies with mean P and model M (Whittle 1953). N is then
    taken no lower than the sky's variance, so that noise which is smooth counts as noise too.

    The other three are what `transforms` made of the ``plane``. A plane that is constant has an
    infinite N/S everywhere.

    References
    ----------
    Whittle 1953, Ark. Mat. 2, 423, doi:10.1007/BF02590998
    """
    from scipy.optimize import minimize

    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    frequency[0, 0] = 1.0 / max(shape)
    ring = np.rint(frequency * max(shape)).astype(np.intp)
    ring[0, 0] = 0
    count = np.bincount(ring.ravel())
    used = count > 0
    used[0] = False
    count = count[used]

    def ring_mean(values: NDArray[np.floating]) -> NDArray[np.float64]:
        total = np.bincount(ring.ravel(), weights=values.ravel().astype(np.float64))
        return total[used] / count

    power = ring_mean(np.abs(image) ** 2) / (shape[0] * shape[1])
    brightest = float(power.max()) if power.size else 0.0
    if brightest <= (np.finfo(np.float32).eps * np.abs(image[0, 0])) ** 2 / (shape[0] * shape[1]):
        return np.full(image.shape, np.inf, dtype=np.float32)
    power = power / brightest
    gain = ring_mean(np.abs(transfer) ** 2)
    scale = ring_mean(np.log(frequency))
    # Rounding is the least noise a float32 image can have.
    sigma = robust_background(plane[None]).sigma
    least = np.log(max(sigma**2 / brightest, np.finfo(np.float32).eps ** 2))

    def misfit(parameters: NDArray[np.float64]) -> float:
        amplitude, slope, noise = parameters
        signal = np.exp(np.clip(amplitude - slope * scale, -_EXTREME, _EXTREME))
        expected = gain * signal + np.exp(np.clip(noise, -_EXTREME, _EXTREME))
        return float(np.sum(count * (np.log(expected) + power / expected)))

    first = np.array([np.log(power[0] / gain[0]) + 3.0 * scale[0], 3.0, least])
    amplitude, slope, noise = minimize(misfit, first, method="Nelder-Mead").x
    exponent = max(noise, least) - amplitude + slope * np.log(frequency)
    return np.exp(np.clip(exponent, -_EXTREME, _EXTREME)).astype(np.float32)


def best_iterations(flux: NDArray[np.float32], stamps: NDArray[np.floating]) -> int:
    """How many Richardson–Lucy steps bring an image nearest to the truth, median over bands.

    About a smooth image a step of Richardson–Lucy is a step of Landweber's linear iteration: k of
    them leave the fraction q = (1 − |H|²)^k of the signal behind and let through (1 − q)/H of the
    noise. The best k has the least Σ q² S + (1 − q)² N/|H|² over all frequencies.

    Parameters
    ----------
    flux
        Shape (band, y, x), finite.
    stamps
        The PSF, shape (band, y, x).

    References
    ----------
    Landweber 1951, Am. J. Math. 73, 615, doi:10.2307/2372313
    """
    best = []
    for plane, stamp in zip(flux, stamps, strict=True):
        image, transfer, shape = transforms(plane, stamp)
        signal = 1.0 / fitted_noise_to_signal(plane, image, transfer, shape)
        signal[0, 0] = 0.0
        passed = np.minimum(np.abs(transfer) ** 2, 1.0)
        amplified = 1.0 / np.maximum(passed, np.finfo(np.float32).eps)
        left = np.ones_like(passed)
        errors = []
        for _ in range(MOST_ITERATIONS):
            left *= 1.0 - passed
            errors.append(np.sum(left**2 * signal + (1.0 - left) ** 2 * amplified, dtype=float))
        best.append(1 + int(np.argmin(errors)))
    return int(np.median(best))

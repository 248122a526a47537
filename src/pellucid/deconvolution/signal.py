"""How much of an image is signal and how much noise, at each spatial frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.deconvolution.spectrum import Spectrum
from pellucid.deconvolution.units import in_noise_units
from pellucid.sky.background import robust_background

#: Beyond so many steps Richardson–Lucy gains nothing that a real image's noise would not take.
MOST_ITERATIONS = 50
#: Above this |H|² a frequency passes the PSF; power may differ from the fit's by this factor.
PASSED, SLACK = 0.1, 4.0
#: What has no more say in a prior, by the width in pixels of a place: a mean square above this one,
#: in units of the noise (a bright star, then a bright region), and above `LEAD` times the median
#: place's. Larger bounds let more noise through beside stars, lower ones blunt galaxies.
PLACES = {32: 3000.0, 128: 10.0}
LEAD = 3.0
#: Exponents further out than this say "none" or "all" as well as any.
_EXTREME = 60.0


@dataclass(frozen=True, eq=False)
class Rings:
    """Means over rings of equal frequency, without zero; shape (ring,) each.

    Parameters
    ----------
    number
        Of each ring, as `Strip.ring` counts them.
    count
        Frequencies of each ring.
    power, gain
        |ŷ|² of the image and |H|² of its PSF.
    logarithm
        Of the frequency, in cycles per pixel.
    """

    number: NDArray[np.intp]
    count: NDArray[np.float64]
    power: NDArray[np.float64]
    gain: NDArray[np.float64]
    logarithm: NDArray[np.float64]


def ring_means(spectrum: Spectrum) -> Rings:
    """The spectrum's rings, the means taken over its half plane."""
    totals = np.zeros((4, max(spectrum.shape) + 2))
    for strip in spectrum.strips():
        ring = strip.ring.ravel()
        values = (None, spectrum.power(strip), strip.gain, strip.logarithm)
        for total, weights in zip(totals, values, strict=True):
            total += np.bincount(ring, None if weights is None else weights.ravel(), len(total))
    number = np.flatnonzero(totals[0])[1:]
    count, *sums = totals[:, number]
    return Rings(number, count, *(total / count for total in sums))


@dataclass(frozen=True)
class PowerLaw:
    """White noise of power N and a sharp image of power S = N e^−level k^−slope.

    k is in cycles per pixel.
    """

    noise: float
    level: float
    slope: float

    def noise_to_signal(self, logarithm: NDArray[np.floating]) -> NDArray[np.float32]:
        """N/S where the logarithm of the frequency is this."""
        exponent = np.clip(self.level + self.slope * logarithm, -_EXTREME, _EXTREME)
        return np.exp(exponent).astype(np.float32)


#: Of an image that is constant.
NO_SIGNAL = PowerLaw(1.0, np.inf, 0.0)


def modest(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """A band whose few brightest places are dimmed, to measure what its signal is as a rule.

    The mean power of a frame is that of its brightest star, and a filter that is made for the star
    lets all noise through elsewhere. Where the mean square about a pixel is far above that about
    the median pixel, it is brought down to a bound by a factor that varies smoothly, so that no
    power comes where the PSF lets none through.

    Parameters
    ----------
    plane
        Shape (y, x), its sky at 0, in units of its noise; it is returned where nothing stands out.
    """
    from scipy.ndimage import uniform_filter

    for width, least in PLACES.items():
        power = np.square(plane)
        for _ in range(2):
            power = uniform_filter(power, width // 2)
        bound = np.float32(max(LEAD * float(np.median(power)), least))
        if power.max() > bound:
            plane = plane * np.sqrt(bound / np.maximum(power, bound, out=power))
    return plane


def fitted_power(plane: NDArray[np.float32], rings: Rings) -> PowerLaw:
    """Signal and noise of one band, by maximum likelihood of its power spectrum.

    The sharp image has S(k) = A k^−β, the noise is white with power N, and A, β and N are those
    under which the ring averages of the observed power, |H|² S + N, are likeliest: the least
    Σ n (ln M + P/M) over rings of n frequencies with mean P and model M (Whittle 1953). N is then
    taken no lower than the sky's variance, so that noise which is smooth counts as noise too. No
    sky has more power at finer scales: β is not negative, which a PSF that is too broad would ask.

    Parameters
    ----------
    plane
        Shape (y, x), its sky at 0.
    rings
        Of its spectrum.

    References
    ----------
    Whittle 1953, Ark. Mat. 2, 423, doi:10.1007/BF02590998
    """
    from scipy.optimize import minimize

    brightest = float(rings.power.max()) if rings.power.size else 0.0
    if brightest <= (np.finfo(np.float32).eps * np.abs(plane).max()) ** 2:
        return NO_SIGNAL
    power, gain, scale, count = rings.power / brightest, rings.gain, rings.logarithm, rings.count
    # Rounding is the least noise a float32 image can have.
    sigma = robust_background(plane[None]).sigma
    least = np.log(max(sigma**2 / brightest, np.finfo(np.float32).eps ** 2))

    def misfit(parameters: NDArray[np.float64]) -> float:
        amplitude, slope, noise = parameters[0], abs(parameters[1]), parameters[2]
        # np.clip would take longer than all the rest.
        law = np.minimum(np.maximum(amplitude - slope * scale, -_EXTREME), _EXTREME)
        expected = gain * np.exp(law) + np.exp(min(max(noise, -_EXTREME), _EXTREME))
        return float(np.sum(count * (np.log(expected) + power / expected)))

    first = np.array([np.log(power[0] / gain[0]) + 3.0 * scale[0], 3.0, least])
    close = {"xatol": 1e-7, "fatol": 1e-9 * count.sum(), "maxiter": 2000}
    amplitude, slope, noise = minimize(misfit, first, method="Nelder-Mead", options=close).x
    noise = max(noise, least)
    return PowerLaw(brightest * float(np.exp(noise)), noise - amplitude, abs(slope))


def least_noise_to_signal(rings: Rings, law: PowerLaw) -> NDArray[np.float32]:
    """What N/S must be at least, by `Strip.ring`; 0 where the image does not contradict the fit.

    Where the PSF lets little through, the fit is an extrapolation, and a PSF that is too broad
    makes it absurd. There the sharp image is given no more power than `SLACK` times that at the
    frequencies that do pass, and power that is more than `SLACK` times what the PSF could then have
    let through counts as noise.
    """
    least = np.zeros(rings.number[-1] + 2, dtype=np.float32)
    passed = rings.gain > PASSED
    passed[0] = True
    mean = np.average((rings.power / rings.gain)[passed], weights=rings.count[passed])
    signal = np.minimum(law.noise / law.noise_to_signal(rings.logarithm), SLACK * mean)
    noise = np.maximum(law.noise, rings.power / SLACK - rings.gain * signal)
    least[rings.number[~passed]] = (noise / np.maximum(signal, 1e-30))[~passed]
    return least


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
    return int(np.median([_best_of(*band) for band in zip(flux, stamps, strict=True)]))


def _best_of(plane: NDArray[np.float32], stamp: NDArray[np.floating]) -> int:
    plane, _ = in_noise_units(plane)
    spectrum = Spectrum(plane, stamp)
    law = fitted_power(plane, ring_means(spectrum))
    errors = np.zeros(MOST_ITERATIONS)
    for strip in spectrum.strips():
        signal = 1.0 / law.noise_to_signal(strip.logarithm)
        if strip.columns.start == 0:
            signal[0, 0] = 0.0
        passed = np.minimum(strip.gain, 1.0)
        amplified = 1.0 / np.maximum(passed, np.finfo(np.float32).eps)
        left = np.ones_like(passed)
        for step in range(MOST_ITERATIONS):
            left *= 1.0 - passed
            error = left**2 * signal + (1.0 - left) ** 2 * amplified
            errors[step] += np.sum(error, dtype=np.float64)
    return 1 + int(np.argmin(errors))

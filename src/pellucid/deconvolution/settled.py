"""Methods with all that they measure settled on a sample, so that windows are treated alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pellucid.deconvolution.richardson_lucy import richardson_lucy
from pellucid.deconvolution.signal import (
    best_iterations,
    fitted_power,
    least_noise_to_signal,
    modest,
    ring_means,
)
from pellucid.deconvolution.spectrum import Spectrum, Strip
from pellucid.deconvolution.steps import PEDESTAL_SIGMAS
from pellucid.deconvolution.tikhonov import by_discrepancy, rough

Plane = NDArray[np.float32]
#: From a plane (y, x) without holes, above its sky in units of its noise, and the PSF's stamp there
#: to what is restored.
Settled = Callable[[Plane, NDArray[np.floating]], Plane]


def settled_wiener(sample: Plane, stamp: NDArray[np.floating]) -> Settled:
    """Wiener's filter with the signal that a sample (y, x) has, in units of the noise."""
    spectrum = Spectrum(modest(sample), stamp)
    rings = ring_means(spectrum)
    law = fitted_power(sample, rings)
    least, lowest = least_noise_to_signal(rings, law), 1.0 / max(spectrum.shape)

    def response(strip: Strip) -> NDArray:
        ratio = np.maximum(law.noise_to_signal(strip.logarithm), _at(least, strip, lowest))
        return strip.transfer.conj() / (strip.gain + ratio)

    return lambda plane, there: Spectrum(plane, there).filtered(response)


def settled_tikhonov(sample: Plane, stamp: NDArray[np.floating]) -> Settled:
    """Constrained least squares with the smoothness that a sample asks for."""
    spectrum = Spectrum(sample, stamp)
    rings = ring_means(spectrum)
    law = fitted_power(sample, rings)
    least, lowest = least_noise_to_signal(rings, law), 1.0 / max(spectrum.shape)
    smoothness = np.float32(by_discrepancy(spectrum, law.noise))

    def response(strip: Strip) -> NDArray:
        ratio = np.maximum(smoothness * rough(strip), _at(least, strip, lowest))
        return strip.transfer.conj() / np.maximum(strip.gain + ratio, np.finfo(np.float32).tiny)

    return lambda plane, there: Spectrum(plane, there).filtered(response)


def settled_richardson_lucy(sample: Plane, stamp: NDArray[np.floating]) -> Settled:
    """Richardson–Lucy with the iterations that are best for a sample, begun at its mean."""
    iterations = best_iterations(sample[None], stamp[None])
    start = max(float(sample.mean()), 0.0)

    def restored(plane: Plane, there: NDArray[np.floating]) -> Plane:
        pedestal = max(PEDESTAL_SIGMAS, -float(plane.min()))
        return richardson_lucy(plane[None], there[None], iterations, pedestal, start=start)[0]

    return restored


#: The methods that work on windows; the others take an image as a whole.
SETTLED: dict[str, Callable[[Plane, NDArray[np.floating]], Settled]] = {
    "wiener": settled_wiener,
    "tikhonov": settled_tikhonov,
    "richardson-lucy": settled_richardson_lucy,
}


def _at(least: Plane, strip: Strip, lowest: float) -> Plane:
    """Values of rings that are ``lowest`` wide, on a strip of another grid."""
    ring = np.rint(np.hypot(strip.y, strip.x) / np.float32(lowest)).astype(np.intp)
    return least[np.minimum(ring, len(least) - 1)]

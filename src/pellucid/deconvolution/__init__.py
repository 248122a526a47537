"""Classical deconvolution, each method by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.deconvolution.blind import blind_richardson_lucy
from pellucid.deconvolution.richardson_lucy import richardson_lucy
from pellucid.deconvolution.signal import best_iterations
from pellucid.deconvolution.steps import sky_pedestal
from pellucid.deconvolution.tikhonov import tikhonov
from pellucid.deconvolution.wiener import wiener
from pellucid.sky.background import robust_background
from pellucid.sky.inpaint import filled

__all__ = [
    "METHODS",
    "best_iterations",
    "blind_richardson_lucy",
    "richardson_lucy",
    "sky_pedestal",
    "wiener",
]

#: Of MATLAB's defaults.
PAPER_ITERATIONS = 10
#: Flux and stamps, shape (band, y, x), and the constant that the method is tuned by (iterations,
#: noise over signal; None lets it choose) to flux.
Method = Callable[[NDArray[np.float32], NDArray[np.float32], Any], NDArray[np.float32]]


def blind(
    flux: NDArray[np.float32], stamps: NDArray[np.float32], rounds: int | None = None
) -> NDArray[np.float32]:
    """Blind Richardson–Lucy's image, without its PSF; see `blind_richardson_lucy`."""
    return blind_richardson_lucy(flux, stamps, rounds)[0]


def richardson_lucy_paper(
    flux: NDArray[np.float32], stamps: NDArray[np.float32], iterations: int | None = None
) -> NDArray[np.float32]:
    """MATLAB's ``deconvlucy`` at its defaults, as GalaxyGAN's authors ran it.

    Ten accelerated iterations from the image itself, negative flux cut to 0, a periodic sky.
    SDSS frames have their sky subtracted, so the measured sky is taken off before and put back.
    """
    data, sky = _above_sky(flux)
    steps = iterations or PAPER_ITERATIONS
    result = richardson_lucy(data, stamps, steps, 0.0, "wrap", start=data, accelerate=True)
    return _back_on(sky, result, flux)


def blind_paper(
    flux: NDArray[np.float32], stamps: NDArray[np.float32], rounds: int | None = None
) -> NDArray[np.float32]:
    """MATLAB's ``deconvblind`` at its defaults, started from the true PSF."""
    data, sky = _above_sky(flux)
    steps = rounds or PAPER_ITERATIONS
    result = blind_richardson_lucy(data, stamps, steps, 0.0, "wrap", data, accelerate=True)[0]
    return _back_on(sky, result, flux)


def _above_sky(flux: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What stands above each band's sky, negative flux cut to 0, and the sky."""
    data = filled(flux)
    sky = robust_background(data).sky[:, None, None]
    above = data - sky
    return np.maximum(above, 0.0, out=above), sky


def _back_on(
    sky: NDArray[np.float32], above: NDArray[np.float32], flux: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What stands on the sky, NaN where ``flux`` is."""
    above += sky
    above[~np.isfinite(flux)] = np.nan
    return above


#: What ``--method`` and the tables' columns name.
METHODS: dict[str, Method] = {
    "wiener": wiener,
    "tikhonov": tikhonov,
    "richardson-lucy": richardson_lucy,
    "blind": blind,
    "richardson-lucy-paper": richardson_lucy_paper,
    "blind-paper": blind_paper,
}

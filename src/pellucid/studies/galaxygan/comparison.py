"""The deconvolutions that the GAN is compared with: as the paper ran them, and fairly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pellucid.deconvolution import METHODS, Method, blind_richardson_lucy, richardson_lucy
from pellucid.metrics.psnr import stretched_psnr
from pellucid.sky import gaussian_psf
from pellucid.sky.image import SkyImage
from pellucid.studies.galaxygan.preset import Cell, degradation

Restore = Callable[[SkyImage], SkyImage]

#: Iterations the fair deconvolutions choose from.
ITERATIONS = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50)


def deconvolutions(
    cell: Cell, pixel_scale: float, bands: int, iterations: Mapping[str, int]
) -> dict[str, Restore]:
    """Each deconvolution of the comparison by name, told the exact kernel of a cell.

    ``…-paper`` are MATLAB's at their defaults, as the authors ran them; the others have a sky
    pedestal and the ``iterations`` that were best on training images. The blind ones start from
    the true kernel, too.

    Parameters
    ----------
    pixel_scale
        Of the images, arcsec.
    bands
        How many the images have.
    iterations
        By the names in `FAIR`.
    """
    kernel = gaussian_psf(cell[0], pixel_scale, degradation(cell).truncate)
    stamps = np.asarray(kernel.for_bands(bands), dtype=np.float32)
    methods = METHODS | {name: partial(FAIR[name], iterations=k) for name, k in iterations.items()}
    return {name: partial(_restored, method, stamps) for name, method in methods.items()}


def best_iterations(method: str, pairs: Sequence[tuple[SkyImage, SkyImage]], cell: Cell) -> int:
    """The iterations of a fair deconvolution with the highest mean PSNR on (sharp, degraded) pairs.

    PSNR rises to one peak and falls: what comes after it is not tried.
    """
    best = (-math.inf, ITERATIONS[0])
    sharp = pairs[0][0]
    assert sharp.pixel_scale is not None
    for count in ITERATIONS:
        restore = deconvolutions(cell, sharp.pixel_scale, len(sharp.flux), {method: count})[method]
        psnr = float(
            np.mean([stretched_psnr(truth.flux, restore(image).flux) for truth, image in pairs])
        )
        if psnr < best[0]:
            break
        best = psnr, count
    return best[1]


def _blind(
    flux: NDArray[np.float32], stamps: NDArray[np.float32], iterations: int
) -> NDArray[np.float32]:
    return blind_richardson_lucy(flux, stamps, iterations)[0]


FAIR: dict[str, Callable[..., NDArray[np.float32]]] = {
    "richardson-lucy": richardson_lucy,
    "blind": _blind,
}


def _restored(method: Method, stamps: NDArray[np.float32], image: SkyImage) -> SkyImage:
    return image.with_flux(method(image.flux, stamps))

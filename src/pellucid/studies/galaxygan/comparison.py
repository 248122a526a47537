"""The deconvolutions that the GAN is compared with: as the paper ran them, and fairly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from pellucid.deconvolution import METHODS
from pellucid.metrics.psnr import stretched_psnr
from pellucid.restoration import ClassicalRestorer, Restorer
from pellucid.sky import PSF, Pair, SkyImage, gaussian_psf
from pellucid.studies.galaxygan.preset import Cell, degradation

Restore = Callable[[SkyImage], SkyImage]
#: Deconvolutions whose iterations are chosen on training images.
FAIR = ("richardson-lucy", "blind")

#: Iterations the fair deconvolutions choose from.
ITERATIONS = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50)


def deconvolutions(
    cell: Cell, pixel_scale: float, iterations: Mapping[str, int]
) -> dict[str, Restore]:
    """Each deconvolution of the comparison by name, told the exact kernel of a cell.

    ``…-paper`` are MATLAB's at their defaults, as the authors ran them; the others have a sky
    pedestal and the ``iterations`` that were best on training images. The blind ones start from
    the true kernel, too.

    Parameters
    ----------
    pixel_scale
        Of the images, arcsec.
    iterations
        By the names in `FAIR`.
    """
    kernel = gaussian_psf(cell[0], pixel_scale, degradation(cell).truncate)
    return {
        name: partial(_restored, ClassicalRestorer(name, iterations.get(name)), kernel)
        for name in METHODS
    }


def best_iterations(method: str, pairs: Sequence[Pair], cell: Cell) -> int:
    """The iterations of a fair deconvolution with the highest mean PSNR on pairs.

    PSNR rises to one peak and falls: what comes after it is not tried.
    """
    best = (-math.inf, ITERATIONS[0])
    sharp = pairs[0].sharp
    assert sharp.pixel_scale is not None
    for count in ITERATIONS:
        restore = deconvolutions(cell, sharp.pixel_scale, {method: count})[method]
        psnr = float(
            np.mean([stretched_psnr(pair.sharp.flux, restore(pair.blurred).flux) for pair in pairs])
        )
        if psnr < best[0]:
            break
        best = psnr, count
    return best[1]


def _restored(restorer: Restorer, blur: PSF, image: SkyImage) -> SkyImage:
    return restorer(image, blur).image

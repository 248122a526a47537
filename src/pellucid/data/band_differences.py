"""How the bands of a view differ: each has its own blur and depth, and some images have fewer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.sky import PSF
from pellucid.sky.psf import stacked


@dataclass(frozen=True)
class BandRecipe:
    """From what the differences are drawn.

    Parameters
    ----------
    own_blur
        Of the views in which each band has a kernel of its own.
    widths
        Standard deviation of ln FWHM among these.
    own_depth
        Of those in which each band has a depth of its own.
    depths
        Standard deviation of the ln of that.
    turned, mixed
        Of those whose bands come in the opposite order, and in any order.
    pairs, single
        Of those of two bands, one of which comes twice, and of one, which comes in all places: so
        a network that takes several bands at a time is given fewer.
    """

    own_blur: float = 0.4
    widths: float = 0.15
    own_depth: float = 0.5
    depths: float = 0.5
    turned: float = 0.2
    mixed: float = 0.1
    pairs: float = 0.1
    single: float = 0.15

    def blurs(
        self, kernel: Callable[[float], PSF], fwhm: float, bands: int, rng: np.random.Generator
    ) -> PSF:
        """A kernel about as wide as this for all bands, or one of each."""
        if rng.random() >= self.own_blur:
            return kernel(fwhm)
        widths = fwhm * np.exp(rng.normal(0.0, self.widths, bands))
        each = [kernel(float(width)) for width in widths]
        return PSF(stacked([one.stamps[0] for one in each]), each[0].pixel_scale)

    def depth(self, bands: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """By what each band's light is multiplied, shape (band, 1, 1)."""
        scatter = self.depths if rng.random() < self.own_depth else 0.0
        return np.exp(rng.normal(0.0, scatter, (bands, 1, 1))).astype(np.float32)

    def order(self, bands: int, rng: np.random.Generator) -> list[int]:
        """Which bands stand where."""
        shares = np.cumsum([self.turned, self.mixed, self.pairs, self.single])
        kind = int(np.searchsorted(shares, rng.random(), side="right"))
        any_order = [int(band) for band in rng.permutation(bands)]
        if kind == 1:
            return any_order
        if kind == 2:
            return [any_order[0], *any_order[1:2] * (bands - 1)]
        if kind == 3:
            return any_order[:1] * bands
        return list(range(bands))[:: -1 if kind == 0 else 1]

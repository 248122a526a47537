"""A large image is worked on a band at a time, in windows, and comes out as if at once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from patches import galaxies

from pellucid import SkyImage, load_restorer
from pellucid.restoration import band_groups


@pytest.mark.parametrize("psf", [1.3, 2.2, 4.4])
def test_a_band_at_a_time_gives_what_all_bands_give_at_once(psf, monkeypatch):
    """On halved pixels, the image's own, and joined ones; with a hole in one band."""
    [(_, galaxy)] = galaxies(1, 72)
    noise = np.random.default_rng(1).normal(0.0, 0.02 * galaxy.flux.max(), galaxy.flux.shape)
    flux = (galaxy.flux + noise).astype(np.float32)
    flux[1, 20:24, 30:50] = np.nan
    image = SkyImage(flux, ("g", "r", "i"), "adu", pixel_scale=0.4)
    restorer = load_restorer("pellucid")
    once = restorer(image, psf=psf)
    monkeypatch.setattr(band_groups, "SMALL", 1)
    apart = restorer(image, psf=psf)
    scale = np.nanmax(np.abs(once.image.flux))
    assert_allclose(apart.image.flux, once.image.flux, atol=2e-5 * scale)
    assert_allclose(apart.uncertainty, once.uncertainty, rtol=2e-3)
    assert_allclose(apart.doubt, once.doubt, atol=5e-3)
    assert_allclose(apart.provenance["chi2"], once.provenance["chi2"], rtol=1e-3)

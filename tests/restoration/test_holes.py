"""Pixels without data are never written over, on whichever grid the result lies."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.restoration import load_restorer
from pellucid.sky import SkyImage

SCALE = 0.3


@pytest.fixture(scope="module")
def image() -> SkyImage:
    """A galaxy over the edge of a strip without data, a masked star, and a hole in the sky."""
    y, x = np.indices((72, 80), dtype=np.float32)
    rng = np.random.default_rng(0)
    galaxy = 60.0 * np.exp(-np.hypot(y - 16, 1.5 * (x - 40)) / 6.0)
    star = 900.0 * np.exp(-((y - 50) ** 2 + (x - 20) ** 2) / 8.0)
    flux = (galaxy + star + rng.normal(0.0, 1.0, (1, 72, 80))).astype(np.float32)
    mask = np.zeros(flux.shape, dtype=bool)
    mask[:, :10] = mask[:, 48:53, 18:23] = True
    flux[:, :10] = 0.0
    flux[:, 48:53, 18:23] = 700.0
    flux[:, 60:62, 60:62] = np.nan
    return SkyImage(flux, mask=mask, unit="count", pixel_scale=SCALE)


@pytest.mark.parametrize(("psf", "times"), [(1.2, 2), (2.1, 1), (4.5, 1)])
def test_a_model_leaves_them_on_any_grid_and_keeps_the_light_beside_them(image, psf, times):
    result = load_restorer("pellucid")(image, psf=psf)
    there = result.image
    assert there.shape == (1, times * 72, times * 80)
    big = np.repeat(np.repeat(image.flux, times, axis=1), times, axis=2) / times**2
    mask = np.repeat(np.repeat(image.mask, times, axis=1), times, axis=2)
    np.testing.assert_array_equal(there.flux[mask], big[mask].astype(np.float32))
    np.testing.assert_array_equal(np.isnan(there.flux), np.isnan(big))
    good, seen = ~mask & np.isfinite(big), ~image.mask & np.isfinite(image.flux)
    light = image.flux[seen].sum(dtype=float)
    assert there.flux[good].sum(dtype=float) == pytest.approx(light, rel=1e-3)
    holes = mask | np.isnan(big)
    for plane in (result.uncertainty, result.range_95, result.chi2):
        np.testing.assert_array_equal(np.isnan(plane), holes)
    np.testing.assert_array_equal(result.doubt[holes], 1.0)
    assert result.provenance["doubted"] == pytest.approx(
        (result.doubt[good] > 0.5).mean(), abs=1e-4
    )
    assert np.nanmin(result.uncertainty) > 0.0
    assert 0.0 <= result.doubt.min() <= result.doubt.max() <= 1.0

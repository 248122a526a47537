"""On which pixels a model that knows any blur works, and towards which target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from pellucid.errors import InputError, UsageError
from pellucid.optics import convolve
from pellucid.restoration import load_restorer
from pellucid.restoration.grid import TARGET, brought_back, on_grid, plan_of
from pellucid.sky import PSF, SkyImage, gaussian_psf, moffat_psf
from pellucid.sky.psf import stacked

SCALE = 0.4


def star(psf, side: int = 60) -> SkyImage:
    flux = np.zeros((1, side, side), dtype=np.float32)
    flux[0, side // 2, side // 2] = 100.0
    noise = np.random.default_rng(1).normal(0.0, 1e-3, flux.shape).astype(np.float32)
    return SkyImage(convolve(flux, psf.for_bands(1), "zero") + noise, pixel_scale=SCALE)


@pytest.mark.parametrize(
    ("width", "ratio"), [(3.0, 0.5), (4.9, 0.5), (5.1, 1.0), (9.0, 1.0), (9.5, 2.0), (20.0, 3.0)]
)
def test_pixels_are_halved_where_the_psf_is_narrow_and_joined_where_it_is_wide(width, ratio):
    image = star(gaussian_psf(1.2, SCALE))
    plan = plan_of(image, psf=width * SCALE)
    assert plan.ratio == ratio
    assert plan.target.fwhm == pytest.approx(TARGET * ratio * SCALE, rel=0.03)
    # psf = blur ⊛ target
    expected = np.hypot(plan.blur.fwhm, plan.target.fwhm)
    assert expected == pytest.approx(width * SCALE, rel=0.03)
    work = on_grid(image, plan)
    assert work.pixel_scale == pytest.approx(ratio * SCALE)
    assert work.flux.sum() == pytest.approx(image.flux.sum(), rel=0.01)


@pytest.mark.parametrize(("width", "ratio"), [(2.6, 0.5), (3.5, 1.0), (4.9, 1.0), (9.5, 2.0)])
def test_pixels_that_were_interpolated_are_not_halved_again(width, ratio):
    fine = ndimage.zoom(np.random.default_rng(2).normal(0.0, 1.0, (1, 20, 20)), (1, 3, 3), order=3)
    smooth = star(gaussian_psf(1.2, SCALE))
    smooth = smooth.with_flux(smooth.flux + fine.astype(np.float32))
    assert plan_of(smooth, psf=width * SCALE).ratio == ratio
    if width < 9.0:
        assert plan_of(smooth, psf=width * SCALE, target=1.5 * SCALE).ratio == 0.5
    white = smooth.with_flux(np.random.default_rng(3).normal(0.0, 1.0, smooth.flux.shape))
    halo = 80.0 * np.exp(-3e-4 * np.sum((np.indices(smooth.shape) - 30.0) ** 2, axis=0))
    under = white.with_flux((white.flux + halo).astype(np.float32))
    assert plan_of(under, psf=width * SCALE).ratio == (2.0 if width > 9.0 else 0.5)
    both = replace(smooth, flux=np.concatenate([smooth.flux, white.flux]), bands=("a", "b"))
    assert plan_of(both, psf=width * SCALE).ratio == (2.0 if width > 9.0 else 0.5)


def test_the_band_of_the_broadest_psf_decides_for_a_sharper_camera():
    """NISP on the pixels of VIS: halved for VIS, its grain was sharpened into confetti."""
    fine = ndimage.zoom(np.random.default_rng(2).normal(0.0, 1.0, (20, 20)), 3, order=3)
    white = np.random.default_rng(3).normal(0.0, 1.0, (60, 60))
    flux = np.stack([white, fine]).astype(np.float32)
    vis, nisp, other = (gaussian_psf(width * SCALE, SCALE).stamps[0] for width in (1.7, 4.6, 2.2))
    image = SkyImage(flux, bands=("VIS", "NIR_H"), pixel_scale=SCALE)
    plan = plan_of(image, psf=PSF(stacked([vis, nisp]), SCALE))
    assert plan.ratio == 1.0
    assert list(plan.broadened) == [0]
    assert plan_of(image, psf=PSF(stacked([vis, other]), SCALE)).ratio == 0.5
    assert plan_of(image.of_bands([0]), psf=PSF(vis, SCALE)).ratio == 0.5


def test_a_blur_that_is_stated_is_undone_on_the_images_own_pixels():
    image = star(gaussian_psf(1.2, SCALE))
    plan = plan_of(image, blur=1.0)
    assert plan.ratio == 1.0
    assert plan.target is None
    assert on_grid(image, plan).shape == image.shape


def test_the_images_own_psf_stands_where_none_is_stated():
    psf = moffat_psf(2.4, SCALE)
    image = star(psf)
    with pytest.raises(InputError, match="--psf FWHM_ARCSEC"):
        plan_of(image)
    known = SkyImage(image.flux, psf=psf, pixel_scale=SCALE)
    assert_allclose(plan_of(known).blur.stamps, plan_of(image, psf=psf).blur.stamps)


def test_a_target_may_be_stated_and_what_the_data_do_not_allow_is_refused():
    image = star(gaussian_psf(1.2, SCALE))
    assert plan_of(image, psf=1.2, target=1.0).ratio == 1.0
    fine = plan_of(image, psf=1.2, target=0.6)
    assert fine.ratio == 0.5
    assert fine.target.fwhm == pytest.approx(0.6, rel=0.03)
    with pytest.raises(InputError, match=r'0\.38" is the sharpest'):
        plan_of(image, psf=1.2, target=0.3)
    with pytest.raises(UsageError, match="nothing is to be undone"):
        plan_of(image, psf=1.2, target=1.3)
    with pytest.raises(InputError, match="sharpest"):
        plan_of(image, psf=6.0, target=1.2)


def test_a_surface_brightness_stays_what_it_is_on_finer_pixels():
    sky = SkyImage(np.full((1, 40, 40), 7.0), unit="MJy/sr", pixel_scale=SCALE)
    assert_allclose(on_grid(sky, plan_of(sky, psf=1.2)).flux, 7.0, rtol=1e-5)
    counts = SkyImage(np.full((1, 40, 40), 8.0), unit="nanomaggy", pixel_scale=SCALE)
    assert_allclose(on_grid(counts, plan_of(counts, psf=1.2)).flux, 2.0, rtol=1e-5)


def test_what_was_joined_comes_back_to_the_images_pixels():
    y, x = np.indices((61, 64), dtype=np.float32)
    smooth = np.exp(-((y - 30) ** 2 + (x - 28) ** 2) / 200.0)[None]
    image = SkyImage(smooth, pixel_scale=SCALE)
    plan = plan_of(image, psf=12.0 * SCALE)
    assert plan.ratio == 2.0
    again = brought_back(plan.ratio, on_grid(image, plan).flux / 4.0, smooth.shape)
    assert again.shape == smooth.shape
    assert_allclose(again, smooth, atol=0.02)
    assert again.sum() == pytest.approx(smooth.sum(), rel=0.01)


def test_bands_sharper_than_the_target_are_brought_to_it_and_that_is_told():
    """A file may hold a space telescope's band beside those from the ground."""
    widths = (9.0, 1.7, 8.0)
    stamps = stacked([gaussian_psf(width, 1.0).stamps[0] for width in widths])
    flux = np.zeros((3, 96, 96), dtype=np.float32)
    flux[:, 48, 48] = 100.0
    psf = PSF(stamps, 1.0, bands=("g", "VIS", "z"))
    image = SkyImage(convolve(flux, stamps, "zero"), psf.bands, pixel_scale=1.0, psf=psf)
    plan = plan_of(image)
    assert list(plan.broadened) == [1]
    assert "VIS" in plan.blur.notes[-1]
    work = on_grid(image, plan)
    star = PSF(work.flux[1, 33:64, 33:64], 1.0)
    assert star.fwhm == pytest.approx(plan.target.fwhm, rel=0.04)
    assert work.flux[1].sum() == pytest.approx(100.0, rel=1e-3)
    assert_allclose(work.flux[::2], image.flux[::2])
    target = convolve(flux, plan.target.for_bands(3), "zero")
    again = convolve(target, plan.blur.for_bands(3), "zero")
    for seen, given in zip(again, work.flux, strict=True):
        assert_allclose(seen, given, atol=0.06 * given.max())


def test_a_band_has_its_total_again_after_its_pixels_were_joined():
    rng = np.random.default_rng(3)
    seen = star(gaussian_psf(30 * SCALE, SCALE), 120).flux
    image = SkyImage(5.0 + 40.0 * seen + rng.normal(0.0, 1.0, seen.shape), pixel_scale=SCALE)
    restored = load_restorer("pellucid")(image, psf=30 * SCALE).image
    assert restored.shape == image.shape
    assert float(restored.flux.sum()) == pytest.approx(float(image.flux.sum()), rel=1e-6)

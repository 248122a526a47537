"""On which pixels a model that knows any blur works, and towards which target."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pellucid.errors import InputError, UsageError
from pellucid.optics import convolve
from pellucid.restoration.grid import TARGET, brought_back, work_of
from pellucid.sky import SkyImage, gaussian_psf, moffat_psf

SCALE = 0.4


def star(psf, side: int = 60) -> SkyImage:
    flux = np.zeros((1, side, side), dtype=np.float32)
    flux[0, side // 2, side // 2] = 100.0
    return SkyImage(convolve(flux, psf.for_bands(1), "zero"), pixel_scale=SCALE)


@pytest.mark.parametrize(
    ("width", "ratio"), [(3.0, 0.5), (4.9, 0.5), (5.1, 1.0), (9.0, 1.0), (9.5, 2.0), (20.0, 3.0)]
)
def test_pixels_are_halved_where_the_psf_is_narrow_and_joined_where_it_is_wide(width, ratio):
    image = star(gaussian_psf(1.2, SCALE))
    work = work_of(image, psf=width * SCALE)
    assert work.ratio == ratio
    assert work.image.pixel_scale == pytest.approx(ratio * SCALE)
    assert work.target.fwhm == pytest.approx(TARGET * ratio * SCALE, rel=0.03)
    # psf = blur ⊛ target
    expected = np.hypot(work.blur.fwhm, work.target.fwhm)
    assert expected == pytest.approx(width * SCALE, rel=0.03)
    assert work.image.flux.sum() == pytest.approx(image.flux.sum(), rel=0.01)


def test_a_blur_that_is_stated_is_undone_on_the_images_own_pixels():
    image = star(gaussian_psf(1.2, SCALE))
    work = work_of(image, blur=1.0)
    assert work.ratio == 1.0
    assert work.target is None
    assert work.image.shape == image.shape


def test_the_images_own_psf_stands_where_none_is_stated():
    psf = moffat_psf(2.4, SCALE)
    image = star(psf)
    with pytest.raises(InputError, match="--psf FWHM_ARCSEC"):
        work_of(image)
    known = SkyImage(image.flux, psf=psf, pixel_scale=SCALE)
    assert_allclose(work_of(known).blur.stamps, work_of(image, psf=psf).blur.stamps)


def test_a_target_may_be_stated_and_what_the_data_do_not_allow_is_refused():
    image = star(gaussian_psf(1.2, SCALE))
    assert work_of(image, psf=1.2, target=1.0).ratio == 1.0
    fine = work_of(image, psf=1.2, target=0.6)
    assert fine.ratio == 0.5
    assert fine.target.fwhm == pytest.approx(0.6, rel=0.03)
    with pytest.raises(InputError, match=r'0\.38" is the sharpest'):
        work_of(image, psf=1.2, target=0.3)
    with pytest.raises(UsageError, match="nothing is to be undone"):
        work_of(image, psf=1.2, target=1.3)
    with pytest.raises(InputError, match="sharpest"):
        work_of(image, psf=6.0, target=1.2)


def test_a_surface_brightness_stays_what_it_is_on_finer_pixels():
    sky = SkyImage(np.full((1, 40, 40), 7.0), unit="MJy/sr", pixel_scale=SCALE)
    assert_allclose(work_of(sky, psf=1.2).image.flux, 7.0, rtol=1e-5)
    counts = SkyImage(np.full((1, 40, 40), 8.0), unit="nanomaggy", pixel_scale=SCALE)
    assert_allclose(work_of(counts, psf=1.2).image.flux, 2.0, rtol=1e-5)


def test_what_was_joined_comes_back_to_the_images_pixels():
    y, x = np.indices((61, 64), dtype=np.float32)
    smooth = np.exp(-((y - 30) ** 2 + (x - 28) ** 2) / 200.0)[None]
    work = work_of(SkyImage(smooth, pixel_scale=SCALE), psf=12.0 * SCALE)
    assert work.ratio == 2.0
    again = brought_back(work, work.image.flux / 4.0, smooth.shape)
    assert again.shape == smooth.shape
    assert_allclose(again, smooth, atol=0.02)
    assert again.sum() == pytest.approx(smooth.sum(), rel=0.01)

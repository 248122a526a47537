"""The blur between a psf and a target: what it is, and when there is none."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.errors import InputError, UsageError
from pellucid.optics import blur_between, blur_of, convolve
from pellucid.sky import PSF, SkyImage, gaussian_psf, moffat_psf
from pellucid.sky.psf import stacked, stamp_fwhm

SCALE = 0.2


def image(**fields) -> SkyImage:
    return SkyImage(np.zeros((2, 32, 32)), pixel_scale=SCALE, **fields)


def through(target: PSF, blur: PSF, side: int) -> np.ndarray:
    """target, then blur, cut to a stamp of that side."""
    wide = np.pad(target.stamps, ((0, 0), (side, side), (side, side)))
    seen = convolve(wide, blur.for_bands(len(wide)), "zero")[0]
    middle = len(seen) // 2
    return seen[middle - side // 2 :, middle - side // 2 :][:side, :side]


def trailed() -> PSF:
    """0.4 arcsec wide and 2 arcsec high."""
    rows, columns = (gaussian_psf(fwhm, SCALE).stamps[0].sum(axis=0) for fwhm in (2.0, 0.4))
    return PSF(np.outer(rows, columns), SCALE)


@pytest.mark.parametrize("psf", [moffat_psf(1.2, SCALE), gaussian_psf(0.9, SCALE)])
@pytest.mark.parametrize("fwhm", [0.4, 0.5, 0.6, 0.85])
def test_target_and_blur_make_the_psf(psf, fwhm):
    target = gaussian_psf(fwhm, SCALE)
    side = psf.stamps.shape[1]
    seen = through(target, blur_between(psf, target), side)
    allowed = 0.003 if fwhm < 0.7 else 0.025
    np.testing.assert_allclose(seen, psf.stamps[0], atol=allowed * psf.stamps.max())


def test_gaussians_subtract_in_quadrature():
    blur = blur_between(gaussian_psf(1.5, SCALE), gaussian_psf(0.9, SCALE))
    assert blur.fwhm == pytest.approx(1.2, rel=0.01)


@pytest.mark.parametrize("noise", [1e-4, 1e-3, 3e-3])
def test_noise_in_a_measured_psf_is_not_amplified(noise):
    clean = moffat_psf(1.2, SCALE)
    rng = np.random.default_rng(1)
    peak = clean.stamps.max()
    noisy = PSF(clean.stamps + noise * peak * rng.standard_normal(clean.stamps.shape), SCALE)
    target = gaussian_psf(0.5, SCALE)
    blurs = [blur_between(psf, target).stamps for psf in (clean, noisy)]
    assert np.abs(blurs[1] - blurs[0]).max() < 40 * noise * blurs[0].max()
    assert blurs[1].sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("psf", "target", "complaint"),
    [
        (gaussian_psf(0.6, SCALE), gaussian_psf(0.9, SCALE), r'0\.90" is broader than the PSF'),
        (gaussian_psf(0.6, SCALE), gaussian_psf(0.2, SCALE), r'0\.30" is the sharpest'),
        # Narrower than the target in one direction, though not on the whole.
        (trailed(), gaussian_psf(0.8, SCALE), "of its peak is missed"),
    ],
)
def test_a_target_that_the_psf_does_not_allow_is_refused(psf, target, complaint):
    with pytest.raises(InputError, match=complaint):
        blur_between(psf, target)


def test_each_of_the_three_may_be_a_fwhm_in_arcsec():
    psf, target = gaussian_psf(1.5, SCALE), gaussian_psf(0.9, SCALE)
    expected = blur_between(psf, target).stamps
    for known in (
        blur_of(image(), psf=1.5, target=0.9),
        blur_of(image(), psf=psf, target=0.9),
        blur_of(image(psf=psf), target=target),
        blur_of(image(psf=gaussian_psf(5.0, SCALE)), psf=1.5, target=target),
    ):
        np.testing.assert_array_equal(known.stamps, expected)


def test_without_a_target_all_of_the_psf_is_the_blur():
    psf = gaussian_psf(1.5, SCALE)
    assert blur_of(image()) is None
    assert blur_of(image(psf=psf)) is psf
    assert blur_of(image(psf=psf), blur=(narrow := gaussian_psf(0.7, SCALE))) is narrow
    np.testing.assert_array_equal(blur_of(image(), psf=1.5).stamps, psf.stamps)


def test_a_psf_in_other_pixels_is_brought_to_the_images():
    found = blur_of(image(), psf=gaussian_psf(1.5, 0.1))
    assert found.pixel_scale == SCALE
    assert found.fwhm == pytest.approx(1.5, rel=0.02)
    assert "brought from pixels of 0.1" in found.notes[0]


def test_a_psf_of_several_bands_serves_one_by_its_name():
    stamps = [gaussian_psf(width, SCALE).stamps[0] for width in (1.0, 1.5, 2.0)]
    psf = PSF(stacked(stamps), SCALE, bands=("HSC_G", "HSC_R", "HSC_I"))
    one = SkyImage(np.zeros((1, 30, 30)), bands=("r",), pixel_scale=SCALE)
    assert blur_of(one, psf=psf).fwhm == pytest.approx(1.5, rel=0.01)
    swapped = SkyImage(np.zeros((2, 30, 30)), bands=("i", "g"), pixel_scale=SCALE)
    widths = [stamp_fwhm(stamp) * SCALE for stamp in blur_of(swapped, psf=psf).stamps]
    assert widths == pytest.approx([2.0, 1.0], rel=0.01)
    with pytest.raises(InputError, match=r"3 PSFs of bands HSC_G, HSC_R, HSC_I, .* z"):
        blur_of(SkyImage(np.zeros((1, 30, 30)), bands=("z",), pixel_scale=SCALE), psf=psf)
    nameless = PSF(psf.stamps, SCALE)
    with pytest.raises(InputError, match="3 PSFs without names"):
        blur_of(one, psf=nameless)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (1.6, r'broader than the PSF of 1\.[45]\d" \(1\.\d\d" in i to 1\.8\d" in g\): nothing'),
        (1.4, r'into the PSF of 1\.\d\d" in i: \d\d% of its peak is missed'),
    ],
)
def test_a_target_that_is_refused_is_so_with_the_band(target, said):
    widths = (1.8, 1.5, 1.1) if target == 1.6 else (2.4, 2.0, 1.05)
    stamps = stacked([gaussian_psf(fwhm, SCALE).stamps[0] for fwhm in widths])
    psf = PSF(stamps, SCALE, bands=("g", "r", "i"))
    sky = SkyImage(np.zeros((3, 60, 60)), bands=psf.bands, pixel_scale=SCALE)
    with pytest.raises(InputError, match=said):
        blur_of(sky, psf=psf, target=target)


def test_a_psf_narrower_than_a_pixel_is_noted():
    assert "0.5 pixels wide: no star is narrower" in blur_of(image(), psf=0.5 * SCALE).notes[0]
    assert blur_of(image(), psf=0.9 * SCALE).notes == ()


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(UsageError, match="state it, or these"):
        blur_of(image(), blur=1.0, target=0.5)
    with pytest.raises(UsageError, match="state it, or these"):
        blur_of(image(), blur=1.0, psf=1.5)
    with pytest.raises(InputError, match="--psf states it"):
        blur_of(image(), target=0.5)
    with pytest.raises(InputError, match="no pixel scale"):
        blur_of(SkyImage(np.zeros((8, 8))), psf=1.5)

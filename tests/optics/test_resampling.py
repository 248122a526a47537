"""Images on other pixel grids: flux, place and shape are kept, and what has no data stays so."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io.fits import Header
from astropy.wcs import WCS

from pellucid.errors import InputError
from pellucid.optics import Affine, regrid, resample, resampled_psf
from pellucid.optics.resampling import scaling
from pellucid.sky import PSF, gaussian_psf, moffat_psf
from pellucid.sky.image import SkyImage


def profile(side: int, centre: tuple[float, float], sigma: float, ratio: float = 1.0):
    """A Gaussian of flux 1, integrated over each pixel by a fine grid."""
    fine = 9
    at = (np.arange(side * fine) + 0.5) / fine - 0.5
    y = np.exp(-0.5 * ((at - centre[0]) / sigma) ** 2)
    x = np.exp(-0.5 * ((at - centre[1]) / (sigma * ratio)) ** 2)
    image = np.outer(y, x).reshape(side, fine, side, fine).sum(axis=(1, 3))
    return image / image.sum()


def centroid(image) -> np.ndarray:
    return np.array([(image * grid).sum() for grid in np.indices(image.shape)]) / image.sum()


def around(place, ratio: float, angle: float, side: int) -> Affine:
    """The grid of ``side`` pixels, ``ratio`` times as large and turned, about a place."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = ratio * turn
    return Affine(matrix, np.asarray(place) - matrix @ np.full(2, (side - 1) / 2))


@pytest.mark.parametrize("angle", [0.0, 0.003, 0.7])
@pytest.mark.parametrize(
    ("ratio", "side"), [(0.13, 420), (0.73, 80), (1.0, 61), (2.6, 24), (5.6, 12)]
)
def test_a_galaxy_keeps_its_flux_and_its_place(ratio, side, angle):
    place = (32.3, 29.6)
    galaxy = profile(64, place, 3.0, 1.4)
    grid = around((31.1, 30.8), ratio, angle, side)
    there = resample(galaxy, grid, (side, side))
    inside = np.nan_to_num(there)
    assert inside.sum() == pytest.approx(1.0, abs=2e-3)
    np.testing.assert_allclose(grid(centroid(inside)), place, atol=0.01)


@pytest.mark.parametrize("sigma", [0.6, 0.85])
@pytest.mark.parametrize("ratio", [0.4, 1.3, 1.9, 3.1])
def test_an_undersampled_star_keeps_its_flux(ratio, sigma):
    star = profile(48, (23.8, 24.3), sigma)
    side = int(36 / ratio)
    grid = around((23.5, 23.5), ratio, 0.002, side)
    there = np.nan_to_num(resample(star, grid, (side, side)))
    assert there.sum() == pytest.approx(1.0, abs=0.003)
    if ratio < 1:  # in pixels wider than itself a star has no sub-pixel place
        np.testing.assert_allclose(grid(centroid(there)), (23.8, 24.3), atol=0.01)


def test_finer_and_back_is_wider_by_a_pixel_and_nothing_else():
    galaxy, wider = (profile(48, (24.2, 22.7), np.sqrt(4.0 + more)) for more in (0.0, 1 / 12))
    fine = resample(galaxy, scaling(0.25), (192, 192))
    back = resample(fine, scaling(4.0), (48, 48))
    np.testing.assert_allclose(back, wider, atol=1e-3 * galaxy.max())
    assert back.sum() == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_quarter_turn_moves_pixels_and_changes_none(turns):
    noise = np.random.default_rng(3).normal(size=(21, 21)).astype(np.float32)
    matrix = np.linalg.matrix_power(np.array([[0.0, 1.0], [-1.0, 0.0]]), turns)
    middle = np.full(2, 10.0)
    turned = resample(noise, Affine(matrix, middle - matrix @ middle), (21, 21))
    # The place of a turned pixel differs from a whole one by rounding, at the edge too.
    np.testing.assert_allclose(turned, np.rot90(noise, turns), atol=1e-5)


def test_surface_brightness_is_kept_on_a_flat_sky():
    flat = np.full((40, 50), 3.0)
    for ratio, shape in ((0.3, (100, 130)), (2.3, (15, 18))):
        there = resample(flat, scaling(ratio), shape)
        np.testing.assert_allclose(there, 3.0 * ratio**2, rtol=1e-5)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_pixels_without_data_stay_without(ratio):
    plane = profile(40, (20.0, 20.0), 4.0)
    plane[10:14, 24:30] = np.nan
    side = int(40 / ratio)
    there = resample(plane, scaling(ratio), (side, side))
    rows, columns = slice(int(10 / ratio), int(14 / ratio)), slice(int(24 / ratio), int(30 / ratio))
    assert np.isnan(there[rows, columns]).all()
    there[rows, columns] = 0.0
    assert np.isfinite(there).all()


def test_what_lies_outside_has_no_data():
    there = resample(np.ones((20, 20)), Affine(np.eye(2), np.array([-3.0, 5.0])), (20, 20))
    assert np.isnan(there[:3]).all()
    assert np.isnan(there[:, 15:]).all()
    assert np.isfinite(there[3:, :15]).all()
    far = resample(np.ones((20, 20)), Affine(np.eye(2), np.array([300.0, 0.0])), (5, 5))
    assert np.isnan(far).all()


def test_an_inverse_undoes_its_affine():
    grid = around((3.0, -7.0), 1.7, 0.4, 11)
    places = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(grid.inverse()(grid(places)), places, atol=1e-12)
    assert grid.area == pytest.approx(1.7**2)


def widened(fwhm: float, old: float, new: float) -> float:
    """What a FWHM becomes in coarser pixels, each of which sees the mean over its area."""
    return float(np.hypot(fwhm, 2.355 * new / np.sqrt(12))) if new > old else fwhm


def sky(scale: float, side: int) -> WCS:
    header = Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = 150.0, 2.0
    header["CRPIX1"] = header["CRPIX2"] = 0.3 * side
    header["CDELT1"], header["CDELT2"] = -scale / 3600, scale / 3600
    return WCS(header)


@pytest.mark.parametrize("scale", [0.1, 0.8])
def test_a_regridded_star_stays_where_it_is_on_the_sky(scale):
    image = SkyImage(
        profile(60, (33.4, 27.9), 4.0),
        variance=np.full((60, 60), 4.0),
        mask=np.zeros((60, 60), dtype=bool),
        wcs=sky(0.2, 60),
        psf=gaussian_psf(1.9, 0.2),
    )
    there = regrid(image, scale)
    assert there.pixel_scale == scale
    assert there.flux.sum() == pytest.approx(1.0, abs=1e-3)
    assert image.wcs is not None
    assert there.wcs is not None
    y, x = centroid(there.flux[0])
    place = image.wcs.wcs_world2pix(there.wcs.wcs_pix2world([[x, y]], 0), 0)[0]
    np.testing.assert_allclose(place, (27.9, 33.4), atol=0.01)
    assert isinstance(there.psf, PSF)
    assert there.psf.fwhm == pytest.approx(widened(1.9, 0.2, scale), rel=0.02)
    # Flux per pixel scales with the area, and so does its standard deviation.
    np.testing.assert_allclose(there.variance, 4.0 * (scale / 0.2) ** 4, rtol=1e-4)
    assert not there.mask.any()


def test_an_image_without_a_scale_is_refused():
    with pytest.raises(InputError, match="no pixel scale"):
        regrid(SkyImage(np.ones((8, 8))), 0.1)


@pytest.mark.parametrize("scale", [0.02, 0.05, 0.1, 0.2])
def test_a_resampled_psf_keeps_its_width_in_arcsec(scale):
    psf = moffat_psf(0.7, 0.1)
    there = resampled_psf(psf, scale)
    assert there.pixel_scale == scale
    assert there.stamps.sum() == pytest.approx(1.0, rel=1e-5)
    assert there.fwhm == pytest.approx(widened(0.7, 0.1, scale), rel=0.02)
    middle = np.array(there.stamps.shape[1:]) // 2
    np.testing.assert_allclose(centroid(there.stamps[0]), middle, atol=0.01)

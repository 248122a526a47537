"""The PSF from an image's stars: the right stars, the right width, and no galaxy for a star."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from pellucid.errors import InputError
from pellucid.optics import convolve
from pellucid.sky import PSF, SkyImage, gaussian_psf, moffat_psf
from pellucid.sky.psf import stamp_fwhm
from pellucid.sources import fwhm_misfits, psf_from_stars, psf_misfits
from pellucid.sources.stars import VAST, fitted_gaussian

SCALE, SIDE = 0.2, 400


def profile(fwhm: float, y: float, x: float, beta: float = 3.0, radius: int = 30) -> tuple:
    """A Moffat star of ``fwhm`` pixels around a place, and the window of pixels it stands in."""
    row, column = round(y), round(x)
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    alpha2 = (fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / beta) - 1.0))) ** 2
    radius2 = (rows + row - y) ** 2 + (columns + column - x) ** 2
    star = (1.0 + radius2 / alpha2) ** -beta
    window = slice(row - radius, row + radius + 1), slice(column - radius, column + radius + 1)
    return star / star.sum(), window


def places(count: int, side: int, rng: np.random.Generator) -> NDArray:
    """Places at any sub-pixel phase, on a loose grid, 50 pixels apart."""
    steps = np.arange(40, side - 39, 50)
    grid = np.array([(y, x) for y in steps for x in steps], float)
    rng.shuffle(grid)
    return grid[:count] + rng.uniform(-4, 4, (count, 2))


def field(fwhm: float, stars: int = 16, galaxies: int = 20, seed: int = 1, beta: float = 3.0):
    """Stars of many brightnesses and galaxies of many sizes on noise of 1; the stars' places."""
    rng = np.random.default_rng(seed)
    flux = np.zeros((SIDE, SIDE))
    where = places(stars + galaxies, SIDE, rng)
    for k, (y, x) in enumerate(where):
        width = fwhm if k < stars else fwhm * rng.uniform(1.5, 4.0)
        light, window = profile(width, y, x, beta)
        flux[window] += light * 10 ** rng.uniform(3.5, 5.0)
    return flux + rng.normal(0, 1, flux.shape), where[:stars]


@pytest.mark.parametrize("fwhm", [2.0, 2.6, 3.5, 6.0])
def test_the_fwhm_of_the_stars(fwhm):
    flux, where = field(fwhm)
    psf = psf_from_stars(SkyImage(flux + 100.0, pixel_scale=SCALE))
    light, _ = profile(fwhm, 30.0, 30.0)
    expected = stamp_fwhm(light)
    assert stamp_fwhm(psf.stamps[0]) == pytest.approx(expected, rel=0.02)
    assert psf.stamps.sum() == pytest.approx(1.0, rel=1e-5)
    found = psf.stars[0]
    assert 10 <= len(found) <= len(where)
    apart = np.hypot(*(found[:, None] - where[None]).transpose(2, 0, 1)).min(axis=1)
    assert apart.max() < 0.2
    assert psf.origin == f"{len(found)} stars of the image"


def test_the_wings_and_the_unit():
    flux, _ = field(3.0, stars=30, galaxies=5, beta=2.5)
    image = SkyImage(flux, pixel_scale=SCALE)
    psf = psf_from_stars(image)
    truth, _ = profile(3.0, 50.0, 50.0, beta=2.5, radius=psf.stamps.shape[1] // 2)
    np.testing.assert_allclose(psf.stamps[0], truth, atol=0.02 * truth.max())
    scaled = psf_from_stars(image.with_flux(1e-20 * flux))
    np.testing.assert_allclose(scaled.stamps, psf.stamps, atol=1e-4 * truth.max())


def test_what_is_left_out():
    flux, where = field(3.0, stars=20, galaxies=0)
    mask = np.zeros(flux.shape, bool)
    (masked, saturated, hole, blended), rest = where[:4].round().astype(int), where[4:]
    mask[masked[0], masked[1]] = True
    flux[hole[0], hole[1] + 1] = np.nan
    flux[np.hypot(*(np.indices(flux.shape) - (blended + 6)[:, None, None])) < 2] += 2000
    window = profile(3.0, *where[1])[1]
    flux[window] += 4e5 * profile(3.0, *where[1])[0]
    flux[window] = np.minimum(flux[window], 2000.0)
    header = fits.Header({"SATURATE": 2000.0})
    flux = np.minimum(flux, 2000.0)
    found = psf_from_stars(SkyImage(flux, mask=mask, header=header, pixel_scale=SCALE)).stars[0]
    for bad in (masked, saturated, hole, blended):
        assert np.hypot(*(found - bad).T).min() > 3.0
    apart = np.hypot(*(found[:, None] - rest[None]).transpose(2, 0, 1)).min(axis=1)
    assert apart.max() < 0.2


def test_each_band_has_its_own():
    planes = [field(fwhm, galaxies=4)[0] for fwhm in (4.0, 3.0)]
    psf = psf_from_stars(SkyImage(np.stack(planes), bands=("g", "i"), pixel_scale=SCALE))
    assert psf.bands == ("g", "i")
    assert [stamp_fwhm(s) for s in psf.stamps] == pytest.approx([4.0, 3.0], rel=0.03)


def test_one_bright_star_will_do_with_a_note():
    flux, where = field(3.5, stars=1, galaxies=6)
    psf = psf_from_stars(SkyImage(flux, bands=("r",), pixel_scale=SCALE))
    assert np.hypot(*(psf.stars[0] - where[0]).T).max() < 0.2
    assert psf.fwhm == pytest.approx(3.5 * SCALE, rel=0.03)
    assert "the PSF of band r is that of one star" in psf.notes[0]


def galaxy_alone() -> NDArray:
    y, x = np.mgrid[:128, :128] - 63.7
    disc = np.exp(-np.hypot(y, x / 0.9) / 6.0)[None]
    seen = convolve(disc, gaussian_psf(3.0, 1.0).stamps)[0]
    return 2000 * seen + np.random.default_rng(2).normal(0, 1, seen.shape)


def test_a_galaxy_is_no_star():
    noise = np.random.default_rng(0).normal(0, 1, (128, 128))
    for flux, said in ((noise, "no star"), (galaxy_alone(), "galaxies, not of stars|no star")):
        with pytest.raises(InputError, match=said) as caught:
            psf_from_stars(SkyImage(flux, bands=("r",), pixel_scale=SCALE))
        assert "a wider cutout or other --bands" in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="band1 shows no star"):
        psf_from_stars(SkyImage(np.zeros((64, 64)), pixel_scale=SCALE))
    with pytest.raises(InputError, match="no pixel scale"):
        psf_from_stars(SkyImage(noise))


def test_a_psf_that_is_not_the_images():
    image = SkyImage(field(4.0, stars=20)[0], bands=("r",), pixel_scale=1.0)
    assert psf_misfits(image, moffat_psf(4.0, 1.0, 3.0)) == []
    for wrong in (3.0, 5.5):
        (note,) = psf_misfits(image, moffat_psf(wrong, 1.0, 3.0))
        assert f"has a core of {wrong:.0f}"[:17] in note
        assert "stars of the image 4" in note
    for absurd in (1.2, 14.0):
        assert psf_misfits(image, moffat_psf(absurd, 1.0, 3.0))
        with pytest.raises(InputError, match="state one of this image, or stars; --force insists"):
            psf_misfits(image, moffat_psf(absurd, 1.0, 3.0), force=False)
    # A Gaussian of the same core lacks the wings.
    (note,) = psf_misfits(image, gaussian_psf(4.3, 1.0))
    assert "in its wings" in note
    alone = SkyImage(galaxy_alone(), bands=("r",), pixel_scale=1.0)
    assert psf_misfits(alone, PSF(np.ones((3, 3)), 1.0)) == []


def test_a_stated_fwhm_that_is_not_the_images():
    sky = SkyImage(field(4.0, stars=20)[0], bands=("r",), pixel_scale=SCALE)
    for near in (0.72, 0.8, 1.1):
        assert fwhm_misfits(sky, near) == []
    for wrong in (0.4, 4.0):
        (note,) = fwhm_misfits(sky, wrong)
        assert f'{wrong:g}" is {wrong / SCALE:.1f} pixels wide' in note
        assert "in band r (" in note
    assert fwhm_misfits(SkyImage(galaxy_alone(), pixel_scale=SCALE), 4.0) == []
    assert fwhm_misfits(SkyImage(sky.flux), 4.0) == []


def test_a_core_narrower_than_a_pixel_has_words():
    image = SkyImage(field(4.0, stars=20)[0], bands=("r",), pixel_scale=1.0)
    (note,) = psf_misfits(image, gaussian_psf(0.5, 1.0))
    assert "has a core of a pixel or less, " in note
    (note,) = psf_misfits(image, gaussian_psf(1.6, 1.0))
    assert "has a core of 1.6 pixels" in note


@pytest.mark.parametrize("side", [1, 2])
def test_sources_as_thin_as_a_pixel_are_no_stars(side):
    """What was drawn, such as a frame around a picture or a letter, is no light of a telescope."""
    plane = np.random.default_rng(1).normal(0, 1, (120, 120))
    plane[20:100, 30 : 30 + side] += 500.0
    plane[70 : 70 + side, 40:110] += 500.0
    plane[40, 80] += 900.0
    with pytest.raises(InputError, match="no star"):
        psf_from_stars(SkyImage(plane, pixel_scale=SCALE))
    row = np.zeros((25, 25))
    row[:, 12] = 1.0
    assert np.isnan(fitted_gaussian(row, 12.0, 12.0)).all()


def test_a_psf_that_changes_over_the_frame_is_told():
    rng = np.random.default_rng(4)
    flux = rng.normal(0, 1, (SIDE, SIDE))
    for y, x in places(36, SIDE, rng):
        light, window = profile(3.0 + 1.0 * x / SIDE, y, x)
        flux[window] += 3e4 * light
    psf = psf_from_stars(SkyImage(flux, bands=("r",), pixel_scale=SCALE))
    assert any("changes by" in note for note in psf.notes)


def test_a_halo_that_fills_much_of_the_frame_changes_no_stars():
    """Its own knots are no stars, and what sep would take most of its time for is cut higher."""
    plane, _ = field(4.0, stars=25, galaxies=0)
    y, x = np.mgrid[: plane.shape[0], : plane.shape[1]]
    rng = np.random.default_rng(5)
    halo = 2000.0 * np.exp(-np.hypot(y - 330, x - 330) / 25.0)
    knots = halo * np.clip(uniform_filter(rng.normal(0.0, 4.0, plane.shape), 5), 0.0, None)
    without, with_halo = (
        psf_from_stars(SkyImage(each, bands=("r",), pixel_scale=1.0))
        for each in (plane, plane + halo + knots)
    )
    assert (halo > 10.0).sum() > VAST
    assert with_halo.fwhm == pytest.approx(without.fwhm, rel=0.01)
    assert len(with_halo.stars[0]) >= 10

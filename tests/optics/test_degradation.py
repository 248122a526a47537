"""Degradation: the blur and the noise that were asked for, and nothing else."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter
from skimage.data import hubble_deep_field

from pellucid.cli import main
from pellucid.errors import InputError, UsageError
from pellucid.fits import read_image, write_image
from pellucid.optics import Degradation, object_rng, parse_degradation
from pellucid.sky import galaxygan_noise, gaussian_psf, robust_background
from pellucid.sky.image import SkyImage, is_nanomaggy
from pellucid.sky.psf import FWHM_PER_SIGMA, stamp_fwhm

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SCALE = 0.396
ESTIMATES = {
    "galaxygan": galaxygan_noise,
    "robust": lambda flux: robust_background(flux).sigma,
}


def galaxies(**fields) -> SkyImage:
    """A spiral and its neighbours in the Hubble Deep Field."""
    flux = hubble_deep_field()[300:428, 400:560].transpose(2, 0, 1) / np.float32(255)
    return SkyImage(flux, bands=("g", "r", "i"), pixel_scale=SCALE, **fields)


def empty_sky(sigma: float, unit: str | None = "nanomaggy") -> SkyImage:
    flux = np.random.default_rng(3).normal(0.0, sigma, (3, 160, 160))
    return SkyImage(flux, unit=unit, pixel_scale=SCALE)


def star(fwhm: float) -> SkyImage:
    """A point source of flux 1 seen through a Gaussian of ``fwhm`` arcsec."""
    flux = np.zeros((1, 61, 61), np.float32)
    stamp = gaussian_psf(fwhm, SCALE).stamps[0]
    first = 30 - len(stamp) // 2
    flux[0, first : first + len(stamp), first : first + len(stamp)] = stamp
    return SkyImage(flux, pixel_scale=SCALE)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- noise -----------------------------------------------------------------------------------


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("noise", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("fwhm", [0.0, 1.8])
def test_the_noise_afterwards_is_what_was_asked_for(estimate, noise, fwhm):
    image = empty_sky(0.004)
    result = Degradation(fwhm, noise, noise_estimate=estimate)(image, rng()).blurred
    assert ESTIMATES[estimate](result.flux) == pytest.approx(noise * 0.004, rel=0.02)


def test_noise_comes_back_white_where_blur_had_smoothed_it():
    result = Degradation(1.8, 2.0)(empty_sky(0.004), rng()).blurred.flux[0]
    # Of the variance 4 s² only what the blur left over of s² is correlated.
    neighbours = np.corrcoef(result[:, :-1].ravel(), result[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.05


def test_on_real_galaxies_what_is_added_is_the_missing_noise():
    image = galaxies()
    calm = Degradation(1.8, 0.0)(image, rng()).blurred
    added = Degradation(1.8, 5.0)(image, rng()).blurred.flux - calm.flux
    before, after = (robust_background(each.flux).sigma for each in (image, calm))
    assert added.std() == pytest.approx(np.sqrt((5.0 * before) ** 2 - after**2), rel=0.01)
    assert abs(added.mean()) < 0.02 * added.std()


def test_a_real_sdss_frame_gets_the_noise_it_should(tmp_path):
    if not (SHARED / "linear_fits.tar").exists():
        pytest.skip("needs ../shared")
    with tarfile.open(SHARED / "linear_fits.tar") as tar:
        name = next(n for n in tar.getnames() if "sdss_r/" in n and n.endswith(".fits"))
        tar.extract(name, tmp_path, filter="data")
    image = read_image(tmp_path / name)
    before = robust_background(image.flux)
    after = robust_background(Degradation(1.8, 5.0)(image, rng()).blurred.flux)
    # Faint light around the galaxy, blurred, passes for a little sky and a little noise.
    assert after.sigma == pytest.approx(5.0 * before.sigma, rel=0.05)
    assert_allclose(after.sky, before.sky, atol=0.5 * before.sigma)


@pytest.mark.parametrize(
    ("unit", "estimate"), [("nanomaggy", galaxygan_noise), ("adu", ESTIMATES["robust"])]
)
def test_the_noise_is_measured_as_fits_the_unit(unit, estimate):
    image = galaxies(unit=unit).with_flux(0.3 * galaxies().flux)
    added = Degradation(0.0, 3.0)(image, rng()).blurred.flux - image.flux
    assert added.std() == pytest.approx(np.sqrt(8.0) * estimate(image.flux), rel=0.01)


@pytest.mark.parametrize("gain", [1e-3, 1e4])
def test_outside_of_nanomaggies_the_unit_plays_no_part(gain):
    image = galaxies(unit="adu")
    scaled = image.with_flux(gain * image.flux)
    once, twice = (Degradation()(each, rng()).blurred.flux for each in (image, scaled))
    assert_allclose(twice, gain * once, rtol=1e-3, atol=1e-4 * gain)


def test_the_authors_floor():
    # The blurred noise is already more than a tenth of the noise: only the floor is added.
    for unit, floor in (("nanomaggy", 1e-4), ("adu", 1e-2 * 0.004)):
        image = empty_sky(0.004, unit)
        calm = Degradation(0.5, 0.0)(image, rng()).blurred.flux
        added = Degradation(0.5, 0.1)(image, rng()).blurred.flux - calm
        assert added.std() == pytest.approx(floor, rel=0.05)


def test_shared_noise_is_one_field_and_else_there_is_one_a_band():
    image = empty_sky(0.004)
    calm = Degradation(1.8, 0.0)(image, rng()).blurred.flux
    shared = Degradation(1.8, 2.0, shared_noise=True)(image, rng()).blurred.flux - calm
    assert_allclose(shared[1:], shared[[0, 0]], atol=1e-8)
    assert shared.std() > 0.004
    own = Degradation(1.8, 2.0)(image, rng()).blurred.flux - calm
    assert np.abs(np.corrcoef(own.reshape(3, -1)) - np.eye(3)).max() < 0.03


def test_seeds_decide_the_noise():
    image, degrade = galaxies(), Degradation()
    first, again, other = (degrade(image, rng(seed)).blurred.flux for seed in (1, 1, 2))
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_objects_generator_depends_on_seed_and_id_alone():
    draws = {
        (seed, name): object_rng(seed, name).random()
        for seed in (0, 1)
        for name in ("1", "2", "12", "21", "NGC 1", "Ångström")
    }
    assert len(set(draws.values())) == len(draws)
    for (seed, name), value in reversed(draws.items()):
        assert object_rng(seed, name).random() == value


# --- blur ------------------------------------------------------------------------------------


@pytest.mark.parametrize("native", [1.0, 1.4])
@pytest.mark.parametrize("added", [1.4, 1.8, 2.5])
def test_widths_add_in_quadrature(native, added):
    seen = Degradation(added, 0.0)(star(native), rng()).blurred
    assert stamp_fwhm(seen.flux[0]) * SCALE == pytest.approx(np.hypot(native, added), rel=0.01)


@pytest.mark.parametrize("truncate", [2.0, 5.0])
def test_flux_is_conserved(truncate):
    for image in (star(1.4), galaxies().with_flux(np.full((3, 128, 160), 3.0))):
        blurred = Degradation(1.8, 0.0, truncate)(image, rng()).blurred
        assert blurred.flux.sum() == pytest.approx(image.flux.sum(), rel=1e-5)


@pytest.mark.parametrize("fwhm", [1.4, 1.8, 2.5])
def test_cut_at_two_sigma_it_is_scipys_filter_and_the_authors(fwhm):
    image, sigma = galaxies(), fwhm / SCALE / FWHM_PER_SIGMA
    # MATLAB's imgaussfilt rounds the kernel's half-width up; scipy, to the nearest.
    theirs = [
        gaussian_filter(
            plane.astype(np.float64), sigma, mode="nearest", radius=int(np.ceil(2 * sigma))
        )
        for plane in image.flux
    ]
    assert_allclose(Degradation(fwhm, 0.0, 2.0)(image, rng()).blurred.flux, theirs, atol=1e-6)


def test_scipys_own_two_sigma_at_the_papers_width():
    image, sigma = galaxies(), 1.8 / SCALE / FWHM_PER_SIGMA
    theirs = gaussian_filter(image.flux[0].astype(np.float64), sigma, mode="nearest", truncate=2)
    assert_allclose(Degradation(1.8, 0.0, 2.0)(image, rng()).blurred.flux[0], theirs, atol=1e-6)


def test_nothing_asked_for_is_nothing_done():
    image = galaxies()
    assert_array_equal(Degradation(0.0, 0.0)(image, rng()).blurred.flux, image.flux)


def test_nan_stays_and_does_not_spread():
    image = galaxies()
    holed = image.flux.copy()
    holed[:, 60:64, 20:24] = np.nan
    holed[0, 5, 5] = np.inf
    result = Degradation(1.8, 0.0)(image.with_flux(holed), rng()).blurred.flux
    assert_array_equal(np.isfinite(result), np.isfinite(holed))
    assert result[0, 5, 5] == np.inf
    whole = Degradation(1.8, 0.0)(image, rng()).blurred.flux
    # Further away than the kernel reaches.
    assert_allclose(result[:, 80:, 60:], whole[:, 80:, 60:], atol=1e-6)
    beside = np.abs(result - whole)[:, 55:70, 15:30]
    assert np.nanmax(beside) < 0.3 * np.ptp(image.flux[:, 50:75, 10:35])


def test_masked_pixels_stay_and_spread_and_count_no_further():
    image = galaxies()
    flux = image.flux.copy()
    flux[:, :, 80:] = 5000.0
    masked = np.zeros(flux.shape, dtype=bool)
    masked[:, :, 80:] = True
    result = Degradation(1.8, 2.0)(image.with_flux(flux, mask=masked), rng()).blurred.flux
    assert_array_equal(result[masked], flux[masked])
    alone = Degradation(1.8, 2.0)(image.cutout(0, 0, 128, 80), rng()).blurred.flux
    assert_allclose(
        robust_background(result[:, :, :70]).sigma,
        robust_background(alone[:, :, :70]).sigma,
        rtol=0.1,
    )


def test_what_the_blur_made_untrue_is_made_anew_and_the_rest_is_kept():
    image = galaxies(unit="adu", variance=np.ones((3, 128, 160)), psf=gaussian_psf(1.2, 0.396))
    blurred = Degradation()(image, rng()).blurred
    assert blurred.psf.fwhm == pytest.approx(np.hypot(1.2, Degradation().fwhm), rel=0.02)
    assert blurred.bands == image.bands
    assert blurred.unit == image.unit
    assert blurred.pixel_scale == image.pixel_scale
    assert Degradation(fwhm=0.0)(image, rng()).blurred.psf is image.psf


def test_an_image_without_a_pixel_scale_is_refused():
    with pytest.raises(InputError, match="no pixel scale; --pixel-scale"):
        Degradation()(SkyImage(np.ones((8, 8))), rng())


# --- words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Degradation()),
        ("fwhm=1.4 noise=5", Degradation(1.4, 5.0)),
        ("noise=0,fwhm=2", Degradation(2.0, 0.0)),
        ("shared-noise", Degradation(shared_noise=True)),
        ("shared_noise=False truncate=2", Degradation(truncate=2.0)),
        ("noise-estimate=galaxygan", Degradation(noise_estimate="galaxygan")),
    ],
)
def test_words_make_a_degradation(text, expected):
    assert parse_degradation(text) == expected


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("seeing=2", "'seeing' is none of fwhm, noise, truncate, shared-noise, noise-estimate"),
        ("fwhm=wide", "fwhm: .* valid number"),
        ("fwhm", "fwhm: .* valid number"),
        ("shared-noise=2", "shared_noise: .* valid boolean"),
        ("noise-estimate=mine", "noise_estimate: .*'auto', 'galaxygan' or 'robust'"),
        ("fwhm=-1", "must be 0 or more"),
        ("noise=nan", "must be 0 or more"),
        ("truncate=nan", "must be positive"),
        ("truncate=0", "must be positive"),
    ],
)
def test_words_that_make_none(text, match):
    with pytest.raises(UsageError, match=match) as caught:
        parse_degradation(text)
    assert str(caught.value).startswith(f"degradation {text!r}: ")


@pytest.mark.parametrize("unit", ["nanomaggy", "Nanomaggies ", "nmgy"])
def test_spellings_of_the_nanomaggy(unit):
    assert is_nanomaggy(unit)
    assert not is_nanomaggy(f"10 {unit}")
    assert not is_nanomaggy(None)


# --- command line ----------------------------------------------------------------------------


def test_degrade_writes_what_the_function_returns(tmp_path, capsys):
    image = galaxies(unit="adu")
    write_image(image, tmp_path / "a.fits")
    arguments = ["degrade", f"{tmp_path / 'a.fits'}", "--fwhm", "1.4", "--noise", "2"]
    arguments += ["--seed", "7", "--shared-noise", "--truncate", "2", "--json"]
    assert main([*arguments, "--output", f"{tmp_path / 'b.fits'}"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["fwhm"], report["noise"], report["shared_noise"]) == (1.4, 2.0, True)
    written = read_image(tmp_path / "b.fits")
    expected = Degradation(1.4, 2.0, 2.0, shared_noise=True)(image, rng(7)).blurred
    assert_array_equal(written.flux, expected.flux)
    assert written.bands == image.bands
    assert written.unit == image.unit


@pytest.mark.parametrize("word", ["--fwhm", "--noise", "--truncate"])
def test_degrade_refuses_what_is_no_number(tmp_path, word):
    write_image(galaxies(), tmp_path / "a.fits")
    values = {"--fwhm": "1", "--noise": "1", "--truncate": "5", word: "nan"}
    arguments = [text for pair in values.items() for text in pair]
    target = tmp_path / "b.fits"
    assert main(["degrade", f"{tmp_path / 'a.fits'}", "-o", f"{target}", *arguments]) == 2
    assert not target.exists()

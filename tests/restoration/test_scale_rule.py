"""Images in other pixels than a network's: what each rule of its card makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from astropy.io.fits import Header
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import pellucid
from pellucid.errors import InputError
from pellucid.networks.bundle import Card
from pellucid.restoration import NeuralRestorer
from pellucid.sky import Background
from pellucid.sky.image import SkyImage
from pellucid.stretch import stretch_from_dict

#: The model's.
SCALE = 0.1
NOISE = 1.0
PLACE = (19.3, 22.8)
Network = Callable[[NDArray], NDArray]


def identity(tiles: NDArray) -> NDArray:
    return tiles


def sharpen(tiles: NDArray) -> NDArray:
    """Something of a network's kind: local, not linear, symmetric about each pixel."""
    smooth = gaussian_filter(tiles, (0, 0, 1, 1), mode="nearest")
    return np.clip(2.0 * tiles - smooth, -1.0, 1.0)


@pytest.fixture
def restorer(card) -> Callable[..., NeuralRestorer]:
    """A restorer of the model's pixels by some network, and by the rule ``resampled``."""

    def build(network: Network = sharpen, rule: str = "resampled", **changes) -> NeuralRestorer:
        changed = replace(card, pixel_scale=SCALE, scale_rule=rule, **changes)
        return NeuralRestorer(changed, network, "0" * 64)

    return build


def sky_wcs(scale: float, distorted: bool = False) -> WCS:
    cards: dict[str, object] = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
    cards |= {"CRVAL1": 150.0, "CRVAL2": 2.0, "CRPIX1": 9.0, "CRPIX2": 31.0}
    cards |= {"CD1_1": -scale / 3600, "CD1_2": 0.2 * scale / 3600}
    cards |= {"CD2_1": 0.2 * scale / 3600, "CD2_2": scale / 3600}
    if distorted:
        cards |= {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "B_ORDER": 2}
        cards |= {"A_2_0": 1e-6, "B_0_2": 1e-6}
    return WCS(Header(cards))


def star(scale: float, side: int = 44, **changes) -> SkyImage:
    """A star in three bands on a sky of five, of one width in its own pixels, with its WCS."""
    y, x = np.indices((side, side + 3))
    light = 600.0 * np.exp(-0.5 * ((y - PLACE[0]) ** 2 + (x - PLACE[1]) ** 2) / 2.2**2)
    noise = np.random.default_rng(1).normal(0.0, NOISE, (3, *light.shape))
    flux = light * np.array([0.5, 0.8, 1.0])[:, None, None] + noise + 5.0
    image = SkyImage(flux, bands=("g", "r", "i"), unit="adu", pixel_scale=scale)
    return replace(image, wcs=sky_wcs(scale), **changes)


def place_of(image: SkyImage) -> NDArray:
    """(y, x) of the star in each band."""
    window = np.clip(image.flux - 0.1 * image.flux.max(axis=(1, 2), keepdims=True), 0.0, None)
    total = window.sum(axis=(1, 2))
    return np.stack(
        [(window * grid).sum(axis=(1, 2)) / total for grid in np.indices(image.shape)[1:]], 1
    )


# --- coarser than the model's ----------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.2, 0.168])
def test_a_coarser_image_comes_back_in_the_models_pixels(restorer, scale, tmp_path):
    image = star(scale, variance=np.full((3, 44, 47), NOISE**2))
    result = restorer()(image, psf=1.5)
    there = result.image
    assert there.pixel_scale == SCALE
    assert there.shape == (3, round(44 * scale / SCALE), round(47 * scale / SCALE))
    assert (there.bands, there.unit) == (image.bands, image.unit)
    assert "brought from" in " ".join(result.provenance["notes"])
    # It was sharpened, not only brought there.
    plain = restorer(identity)(image, psf=1.5).image
    assert there.flux.max() > 1.03 * plain.flux.max()
    # Light is neither made nor lost: of the star's alone, a thousandth.
    for flux in (there.flux, plain.flux):
        light = (image.flux - 5.0).sum(axis=(1, 2))
        change = flux.sum(axis=(1, 2), dtype=float) - image.flux.sum(axis=(1, 2), dtype=float)
        sky = 5.0 * (flux[0].size * (SCALE / scale) ** 2 - image.flux[0].size)
        np.testing.assert_allclose(change - sky, 0.0, atol=1e-3 * light.min())
    # The same star at the same place on the sky, from the WCS in memory and from a file.
    pellucid.write_image(result, tmp_path / "there.fits")
    for wcs in (there.wcs, pellucid.read_image(tmp_path / "there.fits").wcs):
        y, x = place_of(there).T
        back = image.wcs.all_world2pix(wcs.all_pix2world(np.stack([x, y], 1), 0), 0)
        expected = place_of(image)[:, ::-1]
        np.testing.assert_allclose(back, expected, atol=0.1 * SCALE / scale)


def test_the_noise_of_coarser_pixels_follows_their_area(restorer):
    """The standard deviation of a flux per pixel, as that flux, goes with the pixel's area."""
    image = star(0.2, variance=np.full((3, 44, 47), NOISE**2))
    there = restorer()(image, psf=1.5).image
    np.testing.assert_allclose(np.sqrt(there.variance), NOISE / 4.0, rtol=1e-4)


def test_holes_and_masked_pixels_of_a_coarser_image_stay_where_they_are(restorer):
    results = []
    for value in (-1e6, 1e9):
        image = star(0.2)
        flux, mask = image.flux.copy(), np.zeros(image.shape, dtype=bool)
        flux[:, 30:33, 8] = np.nan
        mask[1, 8:10, 34:36] = True
        flux[mask] = value
        results.append(restorer()(replace(image, flux=flux, mask=mask), psf=1.5).image)
    for there in results:
        holes = np.repeat(np.repeat(np.isnan(flux), 2, axis=1), 2, axis=2)
        np.testing.assert_array_equal(np.isnan(there.flux), holes)
        np.testing.assert_array_equal(there.mask, np.repeat(np.repeat(mask, 2, axis=1), 2, axis=2))
    # What a masked pixel holds is kept there and reaches no other.
    low, high = (there.flux for there in results)
    assert low[there.mask].min() < -1e5
    assert high[there.mask].max() > 1e8
    np.testing.assert_array_equal(low[~there.mask], high[~there.mask])
    assert np.nanmax(high[~there.mask]) < 600.0


def test_a_coarser_image_keeps_the_distortions_of_its_wcs(restorer):
    image = replace(star(0.2), wcs=sky_wcs(0.2, distorted=True))
    there = restorer()(image, psf=1.5).image
    outer = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    places = [im.wcs.all_pix2world(outer * im.shape[:0:-1] - 0.5, 0) for im in (image, there)]
    np.testing.assert_allclose(places[1], places[0], atol=1e-10)


# --- finer than the model's ------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.05, 0.073])
def test_a_finer_image_comes_back_on_its_own_grid(restorer, scale):
    image = replace(star(scale), wcs=sky_wcs(scale, distorted=True), header=Header({"A": 1}))
    result = restorer()(image, psf=1.5)
    there = result.image
    assert there.shape == image.shape
    assert there.pixel_scale == scale
    assert there.wcs is image.wcs
    assert there.header is image.header
    assert "and back" in " ".join(result.provenance["notes"])
    light = (image.flux - 5.0).sum(axis=(1, 2))
    total = there.flux.sum(axis=(1, 2), dtype=float)
    np.testing.assert_allclose(
        total, image.flux.sum(axis=(1, 2), dtype=float), atol=1e-3 * light.min()
    )
    np.testing.assert_allclose(place_of(there), place_of(image), atol=0.05)
    assert np.abs(there.flux - image.flux).max() > 20.0


def test_holes_and_masked_pixels_of_a_finer_image_stay_as_they_are(restorer):
    image = star(0.05)
    flux, mask = image.flux.copy(), np.zeros(image.shape, dtype=bool)
    flux[:, 17, 24] = np.nan
    mask[1, 8:10, 34:36] = True
    flux[mask] = 1e8
    there = restorer()(replace(image, flux=flux, mask=mask), psf=1.5).image
    np.testing.assert_array_equal(np.isnan(there.flux), np.isnan(flux))
    np.testing.assert_array_equal(there.flux[mask], flux[mask])
    np.testing.assert_array_equal(there.mask, mask)
    assert np.nanmax(there.flux[~mask]) < 2000.0
    # The pixels around a hole in the star are restored as if there were none.
    whole = restorer()(image, psf=1.5).image.flux
    near = np.s_[:, 15:20, 22:27]
    assert np.nanmax(np.abs(there.flux[near] - whole[near]) / whole[near]) < 0.1
    assert np.nanmin(np.abs(there.flux[near] - image.flux[near])) > 0.0


# --- of one scale, or of any -----------------------------------------------------------------


def test_pixels_of_unknown_size_are_refused(restorer):
    with pytest.raises(InputError, match="no pixel scale; --pixel-scale states it"):
        restorer()(replace(star(SCALE), wcs=None, pixel_scale=None))


@pytest.mark.parametrize("scale", [0.098, 0.104])
def test_pixels_that_fit_are_not_resampled(restorer, scale):
    image = replace(star(SCALE), wcs=None, pixel_scale=scale)
    expected = restorer(rule="any")(star(SCALE)).image.flux
    np.testing.assert_array_equal(restorer()(image).image.flux, expected)


@pytest.mark.parametrize("scale", [0.04, 0.3])
def test_a_model_for_any_scale_takes_pixels_as_they_are(restorer, scale):
    expected = restorer(rule="any")(star(SCALE)).image.flux
    there = restorer(rule="any")(star(scale)).image
    np.testing.assert_array_equal(there.flux, expected)
    assert there.pixel_scale == scale


@pytest.mark.parametrize("scale", [0.09, 0.2])
def test_a_model_for_one_scale_refuses_others(restorer, scale):
    with pytest.raises(InputError, match=f'the image has {scale:g}" pixels, model untrained takes'):
        restorer(rule="fixed")(star(scale))


def test_a_bundle_of_before_the_rule_refuses_other_scales(card, galaxy):
    fields = json.loads(card.to_json())
    del fields["scale_rule"]
    assert Card.from_fields(fields).scale_rule == "fixed"
    shipped = pellucid.load_restorer("galaxygan-sdss")
    with pytest.raises(InputError, match=r'the image has 0\.2" pixels, model galaxygan-sdss'):
        shipped(replace(galaxy, pixel_scale=0.2))


# --- an image that knows its own sky ---------------------------------------------------------


@pytest.mark.parametrize("scale", [SCALE, 0.2, 0.05])
def test_a_sky_and_a_noise_that_an_image_brings_are_used(restorer, card, scale):
    """A galaxy fills the image; from its pixels nobody could know either."""
    y, x = np.indices((26, 26)) - 12.5
    shape = np.exp(-(y**2 + x**2) / 300.0)
    flux = np.stack([light * shape for light in (50.0, 70.0, 90.0)])
    levels = np.array([-3.0, 0.0, 4.0], dtype=np.float32)
    image = SkyImage(flux, bands=("g", "r", "i"), pixel_scale=scale)
    known = replace(image, sky=tuple(levels), variance=np.full(flux.shape, 0.25))
    seen = []

    def watch(tiles: NDArray) -> NDArray:
        seen.append(tiles.copy())
        return tiles

    # Pixels of another size hold another share of the light, of the sky and of the noise.
    area = (SCALE / scale) ** 2
    sky = Background(np.float32(area) * levels, 0.5 * area)
    brightest = (area * flux.max(axis=(1, 2)))[:, None, None]
    expected = 2.0 * stretch_from_dict(card.stretch).forward(brightest, sky)[:, 0, 0] - 1.0
    restorer(watch)(known)
    np.testing.assert_allclose(seen[0].max(axis=(0, 2, 3)), expected, atol=0.005)
    restorer(watch)(image)
    assert np.abs(seen[-1].max(axis=(0, 2, 3)) - expected).min() > 0.1


def test_a_model_that_knows_no_blur_says_nothing_of_one(restorer):
    result = restorer(fwhm=(0.0, 0.0))(star(SCALE), psf=0.7)
    assert result.provenance["notes"] == []
    assert "psf_fwhm" not in result.provenance
    told = restorer(fwhm=(0.3, 0.4))(star(SCALE), blur=0.7).provenance
    assert "a blur of 0.70" in told["notes"][0]
    assert told["psf_fwhm"] == 0.4
    # A star is as broad as the blur, and more.
    assert restorer(fwhm=(0.3, 0.4))(star(SCALE), psf=0.7).provenance["notes"] == []

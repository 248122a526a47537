"""A large image is restored piece by piece and comes out as if at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from patches import galaxies

from pellucid import SkyImage, load_restorer
from pellucid.optics import convolve
from pellucid.restoration import bandwise, bandwise_pieces, classical_pieces, pieces
from pellucid.restoration.doubt import doubt_of
from pellucid.restoration.explained import explained
from pellucid.restoration.field_sky import BLOCK, measured_sky
from pellucid.sky import gaussian_psf
from pellucid.sky.field import HeldField, Smooth

LAYERS = ("uncertainty", "range_95", "doubt", "chi2")


def noisy(flux: np.ndarray, share: float = 0.02) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0.0, share * flux.max(), flux.shape)
    return (flux + noise).astype(np.float32)


@pytest.mark.parametrize("psf", [1.3, 2.2, 4.4])
def test_pieces_that_see_all_of_an_image_make_what_is_made_at_once(psf, monkeypatch):
    """On halved pixels, the image's own, and joined ones; with a hole, errors, and a sky."""
    [(_, galaxy)] = galaxies(1, 120)
    seen = convolve(galaxy.flux[:2], gaussian_psf(psf, 0.4).for_bands(2))
    flux = noisy(seen) + np.float32(3.0 * seen.max())
    flux[1, 20:24, 30:50] = np.nan
    variance = np.full(flux.shape, 0.02 * seen.max()) ** 2 + 0.001 * flux
    image = SkyImage(flux, ("g", "r"), "adu", variance=variance, pixel_scale=0.4)
    restorer = load_restorer("pellucid")
    once = restorer(image, psf=psf)
    monkeypatch.setattr(pieces, "LARGE", 1)
    apart = restorer(image, psf=psf)
    sigma = 0.02 * seen.max()
    assert_array_equal(np.isfinite(apart.image.flux), np.isfinite(once.image.flux))
    assert_allclose(apart.image.flux, once.image.flux, atol=0.15 * sigma)
    for name in LAYERS:
        expected, found = getattr(once, name), getattr(apart, name)
        assert_array_equal(np.isfinite(found), np.isfinite(expected))
        assert np.nanmean(np.abs(found - expected)) < 0.02 + 0.02 * np.nanmean(expected)
    assert_allclose(apart.provenance["chi2"], once.provenance["chi2"], rtol=0.02)
    assert_allclose(
        np.nansum(apart.image.flux, axis=(1, 2), dtype=float),
        np.nansum(once.image.flux, axis=(1, 2), dtype=float),
        rtol=1e-5,
    )
    assert apart.image.pixel_scale == once.image.pixel_scale
    assert_allclose(apart.image.variance, once.image.variance, rtol=1e-5)
    assert apart.provenance.keys() == once.provenance.keys() - {"unlike"}
    for result in (once, apart):
        halved = [note for note in result.provenance["notes"] if "pixels were halved" in note]
        assert len(halved) == (psf < 2.0)


def test_no_seam_shows_between_pieces(monkeypatch):
    """A strip so long that no piece sees all of it, beside the strip restored at once."""
    rng = np.random.default_rng(2)
    flux = rng.normal(0.0, 1.0, (1, 64, 1500)).astype(np.float32)
    y, x = np.mgrid[:64, :1500]
    for place in range(40, 1500, 90):
        source = np.exp(-((y - 30) ** 2 + (x - place) ** 2) / rng.uniform(8, 80))
        flux[0] += rng.uniform(5, 200) * source.astype(np.float32)
    image = SkyImage(flux, ("r",), pixel_scale=0.4)
    restorer = load_restorer("pellucid")
    restorer = replace(restorer, card=replace(restorer.card, ceiling=0.2))
    once = restorer(image, psf=2.4)
    monkeypatch.setattr(pieces, "LARGE", 1)
    monkeypatch.setattr(bandwise_pieces, "SIDE", 1216)
    apart = restorer(image, psf=2.4)
    assert_allclose(apart.image.flux, once.image.flux, rtol=0.005, atol=0.05)
    assert abs(float(apart.image.flux.sum(dtype=float) / flux.sum(dtype=float)) - 1.0) < 1e-5
    # What several pieces say alike is said once, and a count of one is none of the whole.
    notes = [note for note in apart.provenance["notes"] if "brighter than any" in note]
    assert notes == [
        "some pixels are brighter than any in training; their excess was left as it is"
    ]


def test_all_pieces_are_explained_and_doubted_by_one_measure(monkeypatch):
    """Where a piece is crowded its own would be larger, and doubt change at the piece's edge."""
    flux = np.random.default_rng(5).normal(0.0, 1.0, (1, 64, 1500)).astype(np.float32)
    smooth = gaussian_psf(1.3, 0.4).for_bands(1)
    flux[:, :, :700] = 4.0 * convolve(flux[:, :, :700], smooth)  # of neighbours that are alike
    missing, doubted = [], []

    def explained_by(*given):
        missing.append(float(given[-1][0]))
        return explained(*given)

    def doubted_by(*given):
        found = doubt_of(*given)
        doubted.append(float(found.spread[0]))
        return found

    monkeypatch.setattr(bandwise, "explained", explained_by)
    monkeypatch.setattr(bandwise, "doubt_of", doubted_by)
    monkeypatch.setattr(pieces, "LARGE", 1)
    monkeypatch.setattr(bandwise_pieces, "SIDE", 1216)
    load_restorer("pellucid")(SkyImage(flux, ("r",), pixel_scale=0.4), psf=2.4)
    assert len(doubted) > 3
    assert len(set(missing)) == len(set(doubted)) == 1


def test_a_sky_that_varies_is_measured_where_it_is():
    """A slope, more noise on one side, and a galaxy that is no sky."""
    side = 9 * BLOCK // 2
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    flux = np.random.default_rng(3).normal(0.0, 1.0, (side, side)).astype(np.float32)
    flux = 100.0 + 3.0 * y + (1.0 + x) * flux
    middle = 5 * BLOCK // 2
    flux[middle - 90 : middle + 90, middle - 90 : middle + 90] += 300.0
    sky = measured_sky(HeldField(SkyImage(flux.astype(np.float32))))
    places = np.array([0.2, 0.5, 0.8]) * side
    assert not sky.even
    assert_allclose(sky.level(places, places)[0], np.tile([[100.6], [101.5], [102.4]], 3), atol=0.1)
    assert_allclose(sky.sigma(places, places)[0], np.tile([1.2, 1.5, 1.8], (3, 1)), rtol=0.05)


def test_a_smooth_map_is_the_same_from_any_window():
    nodes = np.array([10.0, 20.0, 40.0])
    smooth = Smooth(nodes, nodes, np.random.default_rng(4).normal(size=(2, 3, 3)))
    whole = smooth(np.arange(50), np.arange(60))
    assert_array_equal(smooth(np.arange(7, 33), np.arange(5, 45)), whole[:, 7:33, 5:45])
    assert_array_equal(whole[:, 10, 20], smooth.values[:, 0, 1].astype(np.float32))
    assert_array_equal(whole[:, :11, :11], np.broadcast_to(whole[:, :1, :1], (2, 11, 11)))


@pytest.mark.parametrize("method", ["wiener", "tikhonov", "richardson-lucy"])
def test_a_classical_method_shows_no_seam(method, monkeypatch):
    """In units of the noise; what is left is of the window's edge, and of what is measured."""
    rng = np.random.default_rng(6)
    y, x = np.mgrid[:500, :520]
    flux = np.zeros((500, 520))
    for row, column in rng.integers(10, 490, (60, 2)):
        flux += rng.uniform(5, 300) * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 14)
    flux = (flux + rng.normal(0.0, 1.0, flux.shape)).astype(np.float32)
    image = SkyImage(flux, ("r",), pixel_scale=0.4)
    restorer = load_restorer(method=method)
    once = restorer(image, psf=2.0)
    monkeypatch.setattr(pieces, "LARGE", 1)
    monkeypatch.setattr(classical_pieces, "CORE", 100)
    apart = restorer(image, psf=2.0)
    assert np.abs(apart.image.flux - once.image.flux).max() < 0.1
    assert apart.image.flux.sum(dtype=float) == pytest.approx(flux.sum(dtype=float), rel=1e-5)

"""A network that takes squares of one band makes finer pixels of a large image, piece by piece."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal
from patches import galaxies

from pellucid import SkyImage, load_restorer, read_image
from pellucid.cli import main
from pellucid.restoration import neural_pieces, pieces
from pellucid.sky import gaussian_psf
from pellucid.tiling import map_tiles, tiles_over

MODEL = "seeinggan-hsc-hst"
#: A field of HSC is 0.168″, of which the model takes a quarter.
SCALE, FINER = 0.168, 4


@pytest.fixture(scope="module")
def restorer():
    return load_restorer(MODEL)


@pytest.fixture
def image() -> SkyImage:
    """Galaxies above a sky of 3, with a hole; two pieces of eight squares' width."""
    [(_, galaxy)] = galaxies(1, 96)
    light = np.tile(galaxy.flux[0], (3, 1))[:210]
    noise = np.random.default_rng(3).normal(0.0, 0.02 * light.max(), light.shape)
    flux = (light + noise + 3.0).astype(np.float32)
    flux[100:104, 40:44] = np.nan
    psf = gaussian_psf(0.6, SCALE)
    return SkyImage(flux[None], ("i",), "nJy", psf=psf, pixel_scale=SCALE)


def test_pieces_of_any_size_make_the_same_pixels(image, restorer, monkeypatch):
    """With the shape, the holes and the light of what is made at once."""
    once = restorer(image)
    monkeypatch.setattr(pieces, "LARGE", 1)
    found = []
    for along in (4, 16):  # two pieces, one piece
        monkeypatch.setattr(neural_pieces, "ALONG", along)
        found.append(restorer(image))
    two, one = found
    # The light of all pieces is added up in another order.
    assert_allclose(two.image.flux, one.image.flux, atol=1e-5)
    shape = (1, FINER * 210, FINER * 96)
    assert two.image.shape == one.image.shape == once.image.shape == shape
    assert two.image.pixel_scale == pytest.approx(SCALE / FINER)
    assert_array_equal(np.isnan(two.image.flux), np.isnan(once.image.flux))
    assert np.nansum(two.image.flux) == pytest.approx(np.nansum(once.image.flux), rel=1e-5)
    assert two.provenance.keys() == once.provenance.keys()
    assert sorted(two.provenance["notes"]) == sorted(once.provenance["notes"])


def test_from_file_to_file_it_has_the_bits_of_the_image_in_memory(
    image, restorer, tmp_path, monkeypatch
):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.0, 2.0], [9, 9]
    wcs.wcs.cdelt = [-SCALE / 3600, SCALE / 3600]
    header = wcs.to_header()
    header["BUNIT"], header["FILTER"] = "nJy", "HSC-I"
    source, out = tmp_path / "hsc.fits", tmp_path / "out.fits"
    fits.writeto(source, image.flux[0, :100, :90], header)
    monkeypatch.setattr(pieces, "LARGE", 1)
    held = restorer(read_image(source), psf=0.6)
    words = ["restore", source, "--model", MODEL, "--psf", 0.6, "--output", out]
    assert main(list(map(str, words))) == 0
    again = read_image(out)
    assert_array_equal(again.flux, held.image.flux)
    assert again.pixel_scale == pytest.approx(SCALE / FINER)
    place = wcs.pixel_to_world(20.5, 30.5)
    x, y = again.wcs.world_to_pixel(place)
    assert (x, y) == pytest.approx((4 * 21 - 0.5, 4 * 31 - 0.5), abs=1e-3)


def test_of_several_bands_or_of_pixels_that_do_not_fit_the_whole_is_needed(image, restorer):
    assert restorer.by_pieces(image)
    assert not restorer.by_pieces(replace(image, pixel_scale=0.2))
    both = SkyImage(np.repeat(image.flux, 2, 0), ("r", "i"), "nJy", pixel_scale=SCALE)
    assert not restorer.by_pieces(both)


def test_light_of_another_band_is_told_and_not_spread_over_the_sky(image, restorer):
    kernel, units = None, (np.zeros((1, 1, 1)), np.ones((1, 1, 1)))
    made = neural_pieces.NeuralPieces(restorer, kernel, units, FINER, "nJy", [])
    own, other = (dict(zip(neural_pieces.LIGHT, (100, 1.0, k), strict=True)) for k in (1.2, 3.0))
    assert made.keeps_totals(own)
    assert not made.keeps_totals(other)
    assert any("3 times the light" in note for note in made.provenance(other, ("i",))["notes"])


@pytest.mark.parametrize("start", [0, 48, 96])
def test_tiles_over_a_part_blend_to_what_it_holds_and_lie_alike_from_any_window(start):
    size, overlap, whole = 64, 16, (slice(0, 192), slice(0, 150))
    seen: list[np.ndarray] = []

    def told(tiles: np.ndarray) -> np.ndarray:
        seen.extend(tiles)
        return tiles

    image = np.random.default_rng(0).random((1, 192, 150), np.float32)
    map_tiles(told, image, tiles_over(image.shape[1:], whole, size, overlap))
    all_of_it = list(seen)
    seen.clear()
    first = max(0, start - 48)
    part = slice(start - first, start - first + 48), whole[1]
    window = image[:, first : start + 96]
    found = map_tiles(told, window, tiles_over(window.shape[1:], part, size, overlap))
    assert_allclose(found[(slice(None), *part)], image[:, start : start + 48], rtol=1e-6)
    assert all(any(np.array_equal(tile, other) for other in all_of_it) for tile in seen)

"""What an error plane states beside the noise that the pixels show."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pellucid.errors import InputError
from pellucid.restoration import Restoration
from pellucid.restoration.change import with_change
from pellucid.restoration.noise import noise_notes, of_many_pixels, skies_of, stated_noise
from pellucid.sky import (
    SkyImage,
    background_of,
    robust_background,
    sky_of,
)


def image(flux: np.ndarray, sigma: float, unit: float = 1.0) -> SkyImage:
    return SkyImage(unit * flux, bands=("g",), variance=np.full(flux.shape, (unit * sigma) ** 2))


@pytest.fixture
def white() -> np.ndarray:
    return np.random.default_rng(5).normal(0.0, 1.0, (120, 130))


def test_a_plane_that_is_right_needs_no_note(white):
    assert noise_notes(image(white, 1.1)) == []
    assert stated_noise(image(white, 1.1)) == pytest.approx([1.1])
    assert stated_noise(SkyImage(white)) == [None]


@pytest.mark.parametrize("unit", [1e-20, 1.0, 1e20])
def test_resampled_pixels_scatter_less_than_a_plane_that_is_right_of_sums(white, unit):
    smooth = ndimage.gaussian_filter(white, 2.0)
    blocks = smooth[:, :120].reshape(6, 20, 6, 20).sum(axis=(1, 3))
    assert blocks.std() / 20 == pytest.approx(1.0, rel=0.3), "20 × 20 pixels have all the noise"
    (note,) = noise_notes(image(smooth, 1.0, unit))
    assert note.startswith(f"g: the pixels scatter by {smooth.std():.2g} times")
    assert "neighbours share theirs" in note


def test_a_plane_that_is_wrong_is_told_so(white):
    (note,) = noise_notes(image(white, 3.0))
    assert "scatter by 0.34 times" in note
    assert "too large, or in another unit" in note
    (note,) = noise_notes(image(white, 0.1))
    assert "scatter by 10 times" in note
    assert "left out" in note


def test_what_has_no_data_takes_no_part(white):
    flux, variance = white.copy(), np.ones(white.shape)
    flux[:, :70] += np.random.default_rng(6).normal(0, 9, (120, 70))
    variance[:, :70] = 1e6
    mask = np.zeros(white.shape, bool)
    mask[:, :70] = True
    assert noise_notes(SkyImage(flux, variance=variance, mask=mask)) == []


@pytest.mark.parametrize("unit", [1e-20, 1.0, 1e20])
def test_a_halo_that_fills_the_frame_is_no_noise(white, unit):
    y, x = np.indices(white.shape) / 60.0 - 1.0
    halo = 20.0 * np.exp(-0.5 * (y**2 + x**2))
    flux = (unit * (white + halo)).astype("f4")
    assert robust_background(flux[None]).sigma > 3 * unit
    seen = SkyImage(flux, pixel_scale=0.4, variance=np.full(white.shape, unit**2))
    assert sky_of(seen).sigma == pytest.approx(unit, rel=0.05)
    assert noise_notes(seen) == []
    twice = seen.with_flux(seen.flux + (unit * np.sqrt(3.0) * white[:, ::-1]))
    changed = with_change(seen, Restoration(twice)).provenance["change"].split()
    assert float(changed[6]) == pytest.approx(2.0, rel=0.1)


def test_where_no_halo_is_the_noise_is_the_scatter_of_the_pixels(white):
    """Of noise that is smooth, and among stars, too."""
    stars = np.zeros(white.shape)
    stars[::20, ::20] = 500.0
    for flux in (white, ndimage.gaussian_filter(white, 3.0), white + stars):
        sky = SkyImage(flux)
        assert sky_of(sky) == background_of(sky)


def of_white(flux: np.ndarray) -> float:
    return of_many_pixels(SkyImage(flux), float(flux.std()))


def test_noise_as_smooth_as_in_training_is_what_its_pixels_are(white):
    smooth = ndimage.gaussian_filter(white, 0.6)
    light = 300.0 * np.exp(-np.hypot(*np.indices(white.shape) - 60.0) / 9.0)
    assert of_white(white) == of_white(smooth) == 1.0
    # As pixels that are halved before the network sees them.
    assert of_white(ndimage.zoom(white, 2, order=3)) == 1.0
    assert of_white(ndimage.zoom(white, 2, order=1)) == 1.0
    assert of_many_pixels(SkyImage(white + light), 1.0) == 1.0


@pytest.mark.parametrize("unit", [1e-20, 1.0, 1e20])
def test_smooth_noise_is_worth_what_white_noise_has_on_squares(white, unit):
    smooth = ndimage.zoom(white, 3, order=3)
    squares = 4.0 * smooth.reshape(90, 4, 390)[:, :, :388].reshape(90, 4, 97, 4).mean(axis=(1, 3))
    wanted = squares.std() / smooth.std()
    # Neighbouring squares still share a little, of which differences see nothing.
    assert of_white(unit * smooth) == pytest.approx(wanted, rel=0.15)
    holes = smooth.copy()
    holes[:, ::3] = np.nan
    holes[:40] = np.nan
    whole_rows = smooth.copy()
    whole_rows[:40] = np.nan
    assert of_many_pixels(SkyImage(whole_rows), smooth.std()) == pytest.approx(wanted, rel=0.15)
    assert of_many_pixels(SkyImage(holes), smooth.std()) == 1.0, "without neighbours none is told"


@pytest.mark.parametrize("sigma", [2.0, 3.0, 5.4])
@pytest.mark.parametrize("level", [100.0, 100.3, 100.5])
@pytest.mark.parametrize("step", [1.0, 0.01])
def test_sky_and_noise_of_counts_lie_between_their_steps(sigma, level, step):
    light = np.random.default_rng(3).normal(level, sigma, (1, 300, 300))
    found = robust_background((step * np.rint(light)).astype("f4"))
    assert found.sky[0] / step == pytest.approx(level, abs=0.02 * sigma)
    assert found.sigma / step == pytest.approx(np.hypot(sigma, np.sqrt(1 / 12)), rel=0.02)


def test_a_simulation_without_noise_is_told_from_a_bright_or_damaged_pixel(white):
    """Numbers that a model makes of it would be no restoration of anything."""
    bright = white.copy()
    bright[60, 60] = 1e8
    assert skies_of(image(bright, 1.0))[1].item() == pytest.approx(1.0, rel=0.05)
    bright[60:66, 60:66] = 1e8
    with pytest.raises(InputError, match=r"^band g has no noise to speak of: .*e\+0[78] times as"):
        skies_of(image(bright, 1.0))

"""Sources matched and counted, on star fields whose every star is known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pellucid.errors import InputError
from pellucid.metrics import measure
from pellucid.metrics.counts import compare_sources, match_sources, source_limit
from pellucid.optics.resampling import resampled_psf
from pellucid.sky import gaussian_psf
from pellucid.sky.image import SkyImage
from pellucid.sources import Sources, detect, smoothed_sky

SIDE, FWHM, NOISE = 160, 3.0, 1.0
SPREAD = FWHM / 2.3548
#: (y, x) of 16 stars 36 pixels apart, off the pixels' middles.
STARS = [(26.3 + 36 * row, 25.8 + 36 * column) for row in range(4) for column in range(4)]


def field(stars, fluxes=400.0, spread=SPREAD) -> np.ndarray:
    """Round Gaussians of known flux on a dark sky."""
    y, x = np.mgrid[:SIDE, :SIDE]
    plane = np.zeros((SIDE, SIDE))
    for (v, u), flux in zip(stars, np.broadcast_to(fluxes, len(stars)), strict=True):
        radius2 = (y - v) ** 2 + (x - u) ** 2
        plane += flux * np.exp(-0.5 * radius2 / spread**2) / (2 * np.pi * spread**2)
    return plane


def noisy(plane: np.ndarray, seed: int, sigma: float = NOISE) -> np.ndarray:
    return plane + np.random.default_rng(seed).normal(0.0, sigma, plane.shape)


def at(*places: tuple[float, float]) -> Sources:
    """Sources of which only the places matter."""
    y, x = np.array(places, dtype=float).reshape(-1, 2).T
    ones = np.ones(len(x))
    return Sources(x, y, ones, ones, ones, ones, np.zeros((2, 2), dtype=np.int32))


def test_stars_added_are_ghosts_and_stars_removed_are_missed():
    truth = noisy(field(STARS[:13]), 1)
    restored = noisy(field(STARS[2:]), 2, 0.1)
    found = compare_sources(truth, restored, FWHM)
    assert found == {
        "truth": 13,
        "restored": 14,
        "matched": 11,
        "missed": 2,
        "ghosts": 3,
        "completeness": pytest.approx(11 / 13),
        "purity": pytest.approx(11 / 14),
    }


def test_other_noise_and_another_sky_change_nothing():
    plane = field(STARS, np.linspace(900.0, 90.0, len(STARS)))
    found = compare_sources(noisy(plane, 3), noisy(plane, 4) + 700.0, FWHM)
    assert found["completeness"] == found["purity"] == 1.0
    assert found["truth"] == len(STARS)


def test_the_truths_noise_cuts_both_images():
    truth = noisy(field(STARS), 5)
    ripple = field([(y + 18.0, x + 18.0) for y, x in STARS[:9]], 3.0)
    smooth = field(STARS) + ripple + noisy(np.zeros_like(ripple), 6, 0.01)
    # By its own noise the restoration shows them, and so does the truth if it is cut there.
    assert len(detect(smooth, 5.0, noise=smoothed_sky(smooth, FWHM).sigma, fwhm=FWHM)) == 25
    assert compare_sources(truth, smooth, FWHM)["ghosts"] == 0
    # What is as noisy as this shows stars that are not there, and is not forgiven them.
    loud = compare_sources(truth, noisy(field(STARS), 7, 4.0), FWHM)
    assert loud["ghosts"] > 5


def test_a_limit_leaves_out_what_is_fainter_in_both():
    fluxes = [400.0] * 8 + [50.0] * 8
    truth = noisy(field(STARS, fluxes), 8, 0.5)
    restored = noisy(field(STARS[:8]), 9, 0.1)
    assert compare_sources(truth, restored, FWHM)["missed"] == 8
    found = compare_sources(truth, restored, FWHM, limit=150.0)
    assert (found["truth"], found["missed"], found["ghosts"]) == (8, 0, 0)
    swapped = compare_sources(restored, truth, FWHM, limit=150.0, sigmas=25.0)
    assert (swapped["restored"], swapped["ghosts"]) == (8, 0)


def test_a_source_on_the_other_side_of_the_limit_is_a_partner():
    truth, restored = field(STARS, 410.0), field(STARS, 390.0)
    found = compare_sources(noisy(truth, 1, 0.1), noisy(restored, 2, 0.1), FWHM, limit=400.0)
    assert (found["truth"], found["missed"], found["restored"]) == (16, 0, 0)
    assert math.isnan(found["purity"])


def test_a_source_at_the_limit_stands_at_five_sigma():
    """The flux of such a source, measured with the PSF as weight, scatters by a fifth."""
    rng = np.random.default_rng(1)
    camera, noise, ratio = 0.168, 0.02, 0.5
    psf = gaussian_psf(0.66, camera)
    blurred = SkyImage(
        np.zeros((1, 64, 64)),
        variance=np.full((1, 64, 64), (noise * ratio**2) ** 2),
        sky=(0.0,),
        psf=resampled_psf(psf, camera * ratio),
        pixel_scale=camera * ratio,
    )
    limit = source_limit(blurred, camera)
    stamp = psf.stamps[0].astype(float)
    images = limit * stamp + noise * rng.standard_normal((4000, *stamp.shape))
    fluxes = (images * stamp).sum(axis=(1, 2)) / (stamp**2).sum()
    assert fluxes.mean() == pytest.approx(limit, rel=0.02)
    assert fluxes.mean() / fluxes.std() == pytest.approx(5.0, rel=0.04)
    assert source_limit(replace(blurred, psf=None), camera) == 0.0


def test_only_what_the_blurred_image_could_show_is_counted():
    truth = SkyImage(noisy(field(STARS, [4000.0] * 8 + [60.0] * 8), 8, 0.5), pixel_scale=0.03)
    restored = truth.with_flux(noisy(field(STARS[:8], 4000.0), 9, 0.1))
    blurred = truth.with_flux(
        noisy(field(STARS, 0.0), 10), psf=gaussian_psf(0.7, 0.03), pixel_scale=0.03
    )
    everything = measure(restored, truth, metrics=["sources"])
    assert (everything["sources_truth"], everything["sources_missed"]) == (16, 8)
    known = measure(restored, truth, blurred, metrics=["sources"])
    assert (known["sources_truth"], known["sources_missed"]) == (8, 0)


def test_sources_without_data_in_either_image_take_no_part():
    truth, restored = noisy(field(STARS), 1), noisy(field(STARS[1:]), 2, 0.1)
    assert compare_sources(truth, restored, FWHM)["missed"] == 1
    y, x = (round(place) for place in STARS[0])
    restored[y - 8 : y + 9, x - 8 : x + 9] = np.nan
    found = compare_sources(truth, restored, FWHM)
    assert (found["truth"], found["missed"], found["ghosts"]) == (15, 0, 0)


def test_a_source_has_one_partner_and_the_nearest():
    truth, restored = at((0, 0), (0, 2.7), (9, 9)), at((0, 0), (0, -2.7), (9, 10.5), (9, 8))
    first, second = match_sources(truth, restored, 3.0)
    # Parting the two that coincide would leave no source alone, but all of them displaced.
    assert dict(zip(first.tolist(), second.tolist(), strict=True)) == {0: 0, 2: 3}
    first, second = match_sources(at((0, 0)), at((0, 3.01)), 3.0)
    assert len(first) == len(second) == 0
    assert len(match_sources(at((0, 0)), at((0, 2.99)), 3.0)[0]) == 1


def test_empty_images_have_no_purity_and_no_completeness():
    empty = compare_sources(noisy(field([]), 1), noisy(field([]), 2), FWHM)
    assert empty["truth"] == empty["restored"] == empty["ghosts"] == 0
    assert math.isnan(empty["purity"])
    assert math.isnan(empty["completeness"])
    dark = compare_sources(noisy(field(STARS), 1), field([]), FWHM)
    assert dark["completeness"] == 0.0
    assert math.isnan(dark["purity"])
    exact = compare_sources(field(STARS), field(STARS), FWHM)
    assert (exact["truth"], exact["purity"], exact["completeness"]) == (16, 1.0, 1.0)


def test_what_cannot_be_compared_is_refused():
    plane = noisy(field(STARS), 1)
    with pytest.raises(InputError, match="one grid"):
        compare_sources(plane, plane[1:])
    with pytest.raises(InputError, match="truth is constant"):
        compare_sources(np.ones((30, 30)), plane[:30, :30])

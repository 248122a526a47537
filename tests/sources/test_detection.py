"""Sources found, matched and counted, on star fields whose every star is known."""

import math

import numpy as np
import pytest

from pellucid.errors import InputError
from pellucid.metrics.detection import (
    Sources,
    compare_sources,
    detect,
    match_sources,
    point_source_limit,
    smoothed,
    smoothed_sky,
)

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


def test_stars_are_found_where_they_are_and_with_their_flux():
    fluxes = np.linspace(900.0, 90.0, len(STARS))
    found = detect(field(STARS, fluxes), threshold=0.5, fwhm=FWHM)
    assert len(found) == len(STARS)
    np.testing.assert_allclose(np.column_stack([found.y, found.x]), STARS, atol=0.04)
    # A star behind the matched filter is √2 wider; down to 6 thresholds all of its light counts.
    np.testing.assert_allclose(found.flux, fluxes, rtol=0.03)
    for k, (y, x) in enumerate(STARS):
        assert found.segments[round(y), round(x)] == k + 1
    assert found.segments.max() == len(STARS)


def test_axes_and_angle_are_those_of_an_elongated_source():
    y, x = np.mgrid[:81, :81] - 40.0
    angle = 0.4
    along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    plane = 100.0 * np.exp(-0.5 * ((along / 6) ** 2 + (across / 3) ** 2))
    found = detect(plane, 1e-3, fwhm=0.0)
    assert len(found) == 1
    assert found.a[0] == pytest.approx(6.0, rel=0.01)
    assert found.b[0] == pytest.approx(3.0, rel=0.01)
    assert found.theta[0] == pytest.approx(angle, abs=0.005)


def test_a_threshold_in_units_of_noise_is_the_product():
    plane = noisy(field(STARS), 0)
    absolute, relative = detect(plane, 1.5), detect(plane, 5.0, noise=0.3)
    np.testing.assert_array_equal(absolute.segments, relative.segments)
    assert len(absolute) >= len(STARS)


def test_a_clump_beside_a_galaxy_counts():
    plane = field([(80.0, 80.0)], 20000.0, spread=8.0) + field([(80.0, 96.0)], 1000.0)
    assert len(detect(plane, 1.0)) == 2
    assert len(detect(plane, 1.0, contrast=1.0)) == 1


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


def test_the_limit_is_the_flux_whose_filtered_peak_stands_so_high():
    sky = noisy(np.zeros((SIDE, SIDE)), 10)
    limit = point_source_limit(sky, FWHM, sigmas=5.0)
    peak = smoothed(field([(80.0, 80.0)], limit), FWHM).max()
    assert peak == pytest.approx(5.0 * smoothed_sky(sky, FWHM).sigma, rel=0.01)
    # White noise behind a Gaussian: σ / (2 √π s).
    assert limit == pytest.approx(5.0 * NOISE * 2.0 * math.sqrt(math.pi) * SPREAD, rel=0.05)


def test_sources_without_data_in_either_image_take_no_part():
    truth, restored = noisy(field(STARS), 1), noisy(field(STARS[1:]), 2, 0.1)
    assert compare_sources(truth, restored, FWHM)["missed"] == 1
    y, x = (round(place) for place in STARS[0])
    restored[y - 8 : y + 9, x - 8 : x + 9] = np.nan
    found = compare_sources(truth, restored, FWHM)
    assert (found["truth"], found["missed"], found["ghosts"]) == (15, 0, 0)


def test_turned_images_hold_the_same_sources():
    plane = noisy(field(STARS, np.linspace(900.0, 90.0, len(STARS))), 11)
    first, second = detect(plane, 1.5), detect(np.rot90(plane), 1.5)
    np.testing.assert_allclose(second.x, first.y, atol=1e-3)
    np.testing.assert_allclose(second.y, SIDE - 1 - first.x, atol=1e-3)
    np.testing.assert_allclose(second.flux, first.flux, rtol=1e-5)


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


def test_what_cannot_be_compared_is_refused(monkeypatch):
    plane = noisy(field(STARS), 1)
    with pytest.raises(InputError, match="one plane"):
        detect(plane[None], 1.0)
    with pytest.raises(InputError, match="threshold of 0"):
        detect(plane, 0.0)
    with pytest.raises(InputError, match="one grid"):
        compare_sources(plane, plane[1:])
    with pytest.raises(InputError, match="truth is constant"):
        compare_sources(np.ones((30, 30)), plane[:30, :30])
    import sep

    room = sep.get_sub_object_limit()
    sep.set_sub_object_limit(2)
    monkeypatch.setattr(sep, "set_sub_object_limit", lambda size: None)
    try:
        with pytest.raises(InputError, match="raise it"):
            detect(plane, 1e-3)
    finally:
        monkeypatch.undo()
        sep.set_sub_object_limit(room)

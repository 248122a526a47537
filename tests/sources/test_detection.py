"""Sources found, on star fields whose every star is known."""

import numpy as np
import pytest

from pellucid.errors import InputError
from pellucid.sources import detect

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


def test_stars_are_found_where_they_are_and_with_their_flux():
    fluxes = np.linspace(900.0, 90.0, len(STARS))
    found = detect(field(STARS, fluxes), threshold=0.5, fwhm=FWHM)
    assert len(found) == len(STARS) == found.segments.max()
    own = np.array([found.segments[round(y), round(x)] - 1 for y, x in STARS])
    np.testing.assert_allclose(np.column_stack([found.y, found.x])[own], STARS, atol=0.04)
    # A star behind the matched filter is √2 wider; down to 6 thresholds all of its light counts.
    np.testing.assert_allclose(found.flux[own], fluxes, rtol=0.03)


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


def test_turned_images_hold_the_same_sources():
    plane = noisy(field(STARS, np.linspace(900.0, 90.0, len(STARS))), 11)
    first, second = (detect(image, 1.5) for image in (plane, np.rot90(plane)))
    ranks = [np.argsort(-found.flux) for found in (first, second)]
    np.testing.assert_allclose(second.x[ranks[1]], first.y[ranks[0]], atol=1e-3)
    np.testing.assert_allclose(second.y[ranks[1]], SIDE - 1 - first.x[ranks[0]], atol=1e-3)
    np.testing.assert_allclose(second.flux[ranks[1]], first.flux[ranks[0]], rtol=1e-5)


def test_without_a_width_the_filter_is_sextractors():
    import sep

    plane = noisy(field(STARS), 12)
    expected, segments = sep.extract(plane, 2.0, segmentation_map=True)
    found = detect(plane, 2.0, fwhm=None)
    np.testing.assert_array_equal(found.segments, segments)
    np.testing.assert_array_equal(found.x, expected["x"])
    # Where there is no data nothing is found.
    y, x = (round(place) for place in STARS[5])
    plane[y - 8 : y + 9, x - 8 : x + 9] = np.nan
    assert not detect(plane, 2.0, fwhm=None).segments[y - 8 : y + 9, x - 8 : x + 9].any()


def test_what_only_a_brighter_sources_wings_lift_above_the_threshold_is_dropped():
    y, x = np.mgrid[:SIDE, :SIDE] - 80.0
    plane = noisy(1000.0 * np.exp(-np.hypot(y, x) / 8.0), 13)
    found, everything = (detect(plane, 3.5, min_area=1, fwhm=0.0, clean=c) for c in (True, False))
    assert len(found) == 1 < len(everything)


def test_what_cannot_be_searched_is_refused(monkeypatch):
    import sep

    plane = noisy(field(STARS), 1)
    with pytest.raises(InputError, match="one plane"):
        detect(plane[None], 1.0)
    with pytest.raises(InputError, match="threshold of 0"):
        detect(plane, 0.0)
    room = sep.get_sub_object_limit()
    sep.set_sub_object_limit(2)
    monkeypatch.setattr(sep, "set_sub_object_limit", lambda size: None)
    try:
        with pytest.raises(InputError, match="raise the threshold"):
            detect(plane, 1e-3)
    finally:
        monkeypatch.undo()
        sep.set_sub_object_limit(room)


def test_noise_of_each_pixel_sets_a_threshold_of_its_own():
    plane = np.zeros((80, 80))
    y, x = np.mgrid[:80, :80]
    for place in ((20, 20), (20, 60), (60, 20)):
        plane += 10.0 * np.exp(-((y - place[0]) ** 2 + (x - place[1]) ** 2) / 18.0)
    noise = np.where(y > 40, 4.0, 1.0)
    same, fewer = (detect(plane, 5.0, each, fwhm=0.0) for each in (np.ones_like(plane), noise))
    assert len(detect(plane, 5.0, fwhm=0.0)) == len(same) == 3
    assert sorted(np.rint(fewer.x)) == [20, 60]
    np.testing.assert_allclose(same.flux, detect(plane, 5.0, fwhm=0.0).flux, rtol=1e-6)

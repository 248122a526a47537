"""The form of an object stays what it is however large, bright and turned the object is."""

from __future__ import annotations

import numpy as np
import pytest
from patches import galaxies

from pellucid.metrics.form import LENGTH, form_of
from pellucid.restoration.unlike import furthest, rank_of, unlikeness


def spiral(side: int = 96, scale: float = 1.0, angle: float = 0.0) -> np.ndarray:
    """A disc with a bar of two arms and a knot."""
    y, x = (np.indices((side, side)) - 0.5 * (side - 1)) / scale
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    radius = np.hypot(u, v / 0.6)
    phase = 2.0 * (np.arctan2(v / 0.6, u) - 0.25 * radius)
    disc = np.exp(-radius / 5.0) * (1.0 + 0.7 * np.cos(phase))
    return disc + 0.3 * np.exp(-0.5 * ((u - 9.0) ** 2 + (v - 3.0) ** 2) / 4.0)


@pytest.mark.parametrize(
    ("changed", "tolerance"),
    [
        (spiral(angle=0.9), 0.35),
        (spiral(side=192, scale=2.0), 0.6),
        (np.roll(spiral(), (4, -3), (0, 1)), 1e-3),
        (spiral()[:, ::-1], 1e-3),
    ],
)
def test_a_form_knows_no_angle_no_size_no_place(changed, tolerance):
    form, again = form_of(spiral(), 0.001), form_of(changed, 0.001)
    assert form.shape == (LENGTH,)
    assert np.isfinite(form).all()
    other = form_of(np.exp(-np.hypot(*(np.indices((96, 96)) - 47.5)) / 6.0), 0.001)
    apart = np.sqrt(np.mean(np.square(form - again)))
    assert apart < tolerance
    assert apart < 0.6 * np.sqrt(np.mean(np.square(form - other)))


def test_a_form_knows_no_brightness():
    form = form_of(1e3 * spiral(), 1.0)
    np.testing.assert_allclose(form, form_of(1e-9 * spiral(), 1e-12), rtol=1e-3, atol=1e-3)


def test_where_nothing_stands_out_there_is_no_form():
    noise = np.random.default_rng(0).standard_normal((64, 64))
    assert form_of(noise, 10.0) is None
    assert unlikeness(noise[None], {}) is None


def test_an_object_in_a_hole_has_no_form_that_is_no_number():
    hole = spiral().astype(np.float32)
    hole[44:46] = -500.0
    for deep in (hole, spiral() - 0.4, np.where(spiral() > 0.5, -30.0, spiral())):
        form = form_of(deep, 0.01)
        assert form is None or np.isfinite(form).all()


def test_galaxies_have_forms_and_ranks_count_the_ordinary_ones():
    forms = np.array([form_of(image.flux.mean(axis=0), 0.02) for _, image in galaxies(6, 72)])
    assert np.isfinite(forms).all()
    card = {
        "mean": forms.mean(axis=0).tolist(),
        "scale": (forms.std(axis=0) + 0.1).tolist(),
        "directions": np.eye(LENGTH)[:2].tolist(),
        "middle": [0.0, 0.0],
        "width": [1.0, 2.0],
        "quantiles": [-1.0, 0.0, 1.0, 2.0, 3.0],
    }
    plain = (forms - card["mean"]) / card["scale"]
    np.testing.assert_allclose(furthest(forms, card), np.maximum(plain[:, 0], plain[:, 1] / 2.0))
    assert [rank_of(value, card) for value in (-9.0, 0.5, 2.0, 99.0)] == [0.0, 0.375, 0.75, 1.0]

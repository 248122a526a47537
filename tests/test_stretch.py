"""Stretches: there and back, in any unit."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from skimage.data import hubble_deep_field

from pellucid.errors import InputError
from pellucid.sky import Background, robust_background
from pellucid.stretch import (
    GalaxyGANStretch,
    NoiseStretch,
    stretch_from_dict,
)

SKY = Background(np.zeros(1, np.float32), 1.0)


def fluxes(low: float, high: float):
    return arrays(np.float32, (1, 4, 5), elements=st.floats(low, high, width=32))


@settings(deadline=None, max_examples=50)
@given(fluxes(-0.09375, 4.0))
def test_galaxygan_comes_back_within_its_limits(flux):
    stretch = GalaxyGANStretch()
    assert_allclose(stretch.inverse(stretch.forward(flux)), flux, rtol=3e-6, atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(fluxes(-1e6, 1e6))
def test_galaxygan_unclipped_comes_back_everywhere(flux):
    stretch = GalaxyGANStretch(clip=False)
    assert_allclose(stretch.inverse(stretch.forward(flux)), flux, rtol=2e-5, atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(fluxes(-1e6, 1e6), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_noise_stretch_comes_back_everywhere(flux, sigma, level):
    stretch, sky = NoiseStretch(), Background(np.full(1, level, np.float32), sigma)
    # A float32 near the sky knows no more than the sky's own rounding and a little of the noise.
    tolerance = 1e-5 * sigma + 1e-6 * abs(level)
    assert_allclose(
        stretch.inverse(stretch.forward(flux, sky), sky), flux, rtol=3e-5, atol=tolerance
    )


@settings(deadline=None, max_examples=30)
@given(arrays(np.float32, (2, 4, 5), elements=st.floats(0, 1, width=32)))
def test_a_networks_values_come_back(value):
    sky = Background(np.array([3.0, -2.0], np.float32), 0.5)
    for stretch in (GalaxyGANStretch(), NoiseStretch()):
        again = stretch.forward(stretch.inverse(value * np.float32(0.99), sky), sky)
        assert_allclose(again, value * np.float32(0.99), atol=3e-6)


def test_galaxygan_is_the_papers_formula():
    stretch = GalaxyGANStretch()
    flux = np.linspace(-0.1, 4.0, 50).reshape(1, 5, 10)
    assert_allclose(stretch.forward(flux), np.arcsinh(10 * (flux + 0.1) / 4.1) / 3, rtol=1e-5)
    ends = stretch.forward(np.array([[[-0.1, 4.0]]]))
    assert_allclose(ends, [[[0.0, np.arcsinh(10.0) / 3.0]]], atol=1e-7)
    assert ends.dtype == np.float32


def test_galaxygan_cuts_what_the_unclipped_form_keeps():
    flux = np.array([[[-5.0, 50.0]]])
    assert_allclose(
        GalaxyGANStretch().inverse(GalaxyGANStretch().forward(flux)), [[[-0.1, 4.0]]], rtol=1e-5
    )
    kept = GalaxyGANStretch(clip=False)
    assert_allclose(kept.inverse(kept.forward(flux)), flux, rtol=1e-5)


def test_noise_stretch_maps_its_own_limits_to_zero_and_one():
    stretch = NoiseStretch(low=-8.0, high=500.0)
    sky = Background(np.array([10.0, 20.0], np.float32), 2.0)
    flux = sky.sky[:, None, None] + 2.0 * np.array([[[-8.0, 500.0]]])
    assert_allclose(stretch.forward(flux, sky), [[[0.0, 1.0]]] * 2, atol=1e-6)


@pytest.mark.parametrize("stretch", [GalaxyGANStretch(clip=False), NoiseStretch()])
def test_brighter_stays_brighter(stretch):
    flux = np.linspace(-30, 3000, 500, dtype=np.float32).reshape(1, 20, 25)
    assert (np.diff(stretch.forward(flux, SKY).ravel()) > 0).all()


@pytest.mark.parametrize(("gain", "zero"), [(1e4, 0.0), (1.0, 1000.0), (3e-3, -7.0)])
def test_any_unit_and_zero_point_give_the_same_noise_stretch(gain, zero):
    flux = hubble_deep_field()[300:400, 400:500].transpose(2, 0, 1).astype(np.float32)
    other = flux * gain + zero
    stretch = NoiseStretch()
    assert_allclose(
        stretch.forward(other, robust_background(other)),
        stretch.forward(flux, robust_background(flux)),
        atol=2e-4,
    )


def test_an_image_without_noise_is_refused():
    flat = np.full((1, 8, 8), 3.0, np.float32)
    with pytest.raises(InputError, match="sky is constant"):
        NoiseStretch().forward(flat, robust_background(flat))


def test_nan_stays_nan():
    flux = np.ones((1, 3, 3), np.float32)
    flux[0, 1, 1] = np.nan
    for stretch in (GalaxyGANStretch(), NoiseStretch()):
        assert_array_equal(np.isnan(stretch.forward(flux, SKY)), np.isnan(flux))


@pytest.mark.parametrize(
    "stretch", [GalaxyGANStretch(low=-0.2, clip=False), NoiseStretch(softening=3.0)]
)
def test_constants_travel_through_json(stretch):
    assert stretch_from_dict(json.loads(json.dumps(asdict(stretch)))) == stretch


@pytest.mark.parametrize(
    ("constants", "match"),
    [
        ({"name": "log"}, "no stretch is called 'log'; there are galaxygan, noise"),
        ({}, "no stretch is called None"),
        ({"name": ["noise"]}, "no stretch is called"),
        ({"name": "noise", "gamma": 2}, "stretch 'noise': no gamma; there are softening"),
        ({"name": "noise", "high": "x"}, "high is 'x', no finite number"),
        ({"name": "noise", "high": float("nan")}, "high is nan, no finite number"),
        ({"name": "noise", "low": 5000}, "high must be above low"),
        ({"name": "noise", "softening": 0}, "softening above 0"),
    ],
)
def test_unknown_stretches_are_refused(constants, match):
    with pytest.raises(InputError, match=match):
        stretch_from_dict(constants)

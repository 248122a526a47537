"""What travels to the browser is the flux to within a step of a code."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pellucid.view.planes import coded, decoded
from pellucid.view.sky_places import powers, sky_places

ROUNDING = 1 + 1e-6


def step_at(plane: dict, values: np.ndarray) -> np.ndarray:
    """Half a code's step: soft cosh(h) step / 2, and a curvature beyond it."""
    height = np.arcsinh((values - plane["zero"]) / plane["soft"])
    return plane["soft"] * np.sinh(plane["step"] / 2) * np.cosh(np.abs(height) + plane["step"] / 2)


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        np.float32,
        array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
        elements=st.floats(-(2.0**66), 2.0**66, width=32) | st.sampled_from([np.nan, np.inf]),
    ),
    st.floats(1e-12, 1e6),
)
def test_any_plane_comes_back_to_within_half_a_step(values, finest):
    plane = json.loads(json.dumps(coded(values, 0.0, finest), allow_nan=False))
    found = decoded(plane)
    known = np.isfinite(values)
    assert np.array_equal(np.isnan(found), ~known)
    off = np.abs(found - values)[known]
    assert (off <= step_at(plane, values[known].astype(float)) * ROUNDING + 1e-300).all()


def test_noise_comes_back_to_a_64th_of_itself_and_a_star_to_an_8000th():
    rng = np.random.default_rng(1)
    values = rng.normal(5.0, 0.1, (64, 64))
    values[10, 10] = 5e4
    found = decoded(coded(values, 5.0, 0.1 / 32))
    off = np.abs(found - values)
    dim = np.abs(values - 5.0) < 1
    assert off[dim].max() < 0.1 / 63
    assert off[10, 10] < 5e4 / 8000


def test_a_plane_of_nothing_stays_one():
    assert np.isnan(decoded(coded(np.full((5, 7), np.nan), 0.0, 1.0))).all()


def test_smooth_planes_take_less_room():
    y, x = np.mgrid[:128, :128]
    smooth = 100 * np.exp(-np.hypot(x - 64, y - 64) / 20)
    noise = np.random.default_rng(0).normal(0, 30, (128, 128))
    assert coded(smooth, 0, 0.01)["foretold"] == 2
    assert coded(noise, 0, 0.01)["foretold"] == 0
    assert len(coded(smooth, 0, 0.01)["data"]) < 0.5 * len(coded(noise, 0, 0.01)["data"])


def from_polynomial(told: dict, x: float, y: float) -> tuple[float, float]:
    """As sky.js does it."""
    x0, y0, half = told["middle"]
    u, v = (x - x0) / half, (y - y0) / half
    terms = np.array([u**i * v**j for i, j in told["powers"]])
    xi, eta = (np.radians(np.dot(told[key], terms) / 3600) for key in ("xi", "eta"))
    lon0, lat0 = np.radians(told["place"])
    depth = np.cos(lat0) - eta * np.sin(lat0)
    lon = lon0 + np.arctan2(xi, depth)
    lat = np.arctan2(np.sin(lat0) + eta * np.cos(lat0), np.hypot(xi, depth))
    return np.degrees(lon) % 360, np.degrees(lat)


@pytest.mark.parametrize("kind", ["TAN", "CAR", "ZEA", "SIN"])
@pytest.mark.parametrize("place", [(0.001, 0.0), (150.1, 67.3), (10.0, -89.9)])
def test_places_on_the_sky_are_right_to_a_hundredth_of_an_arcsec(kind, place):
    if kind == "CAR":
        place = (place[0], 0.01 * place[1])  # its pole is where it is torn
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"RA---{kind}", f"DEC--{kind}"]
    wcs.wcs.crval, wcs.wcs.crpix = place, [200.0, -30.0]
    wcs.wcs.cd = 1e-4 * np.array([[-0.9, 0.4], [0.4, 0.9]])
    wcs.wcs.set()
    told = sky_places(wcs, (300, 500))
    assert told is not None
    for x, y in [(0, 0), (499, 299), (250.3, 17.8), (-0.5, 299.5)]:
        lon, lat = from_polynomial(told, x, y)
        right = wcs.all_pix2world([[x, y]], 0)[0]
        east = (lon - right[0] + 180) % 360 - 180
        assert np.hypot(east * np.cos(np.radians(lat)), lat - right[1]) * 3600 < 0.01


def test_a_camera_with_distortion_has_its_places_too():
    header = {
        "CTYPE1": "RA---TAN-SIP",
        "CTYPE2": "DEC--TAN-SIP",
        "CRVAL1": 30.0,
        "CRVAL2": 40.0,
        "CRPIX1": 500.0,
        "CRPIX2": 500.0,
        "CD1_1": -1e-4,
        "CD2_2": 1e-4,
        "A_ORDER": 2,
        "B_ORDER": 2,
        "A_2_0": 2e-6,
        "B_1_1": -3e-6,
        "A_0_2": 1e-6,
    }
    wcs = WCS(header)
    told = sky_places(wcs, (1000, 1000))
    assert told is not None
    assert len(told["powers"]) > 3
    lon, lat = from_polynomial(told, 12.0, 987.0)
    right = wcs.all_pix2world([[12.0, 987.0]], 0)[0]
    assert abs(lon - right[0]) * np.cos(np.radians(lat)) * 3600 < 0.01
    assert abs(lat - right[1]) * 3600 < 0.01


def test_the_terms_of_an_order_are_all_there():
    assert [tuple(each) for each in powers(2)] == [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]

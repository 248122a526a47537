"""An uncertainty that is widened by a table holds as many true pixels as it says."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.restoration.calibration import calibrated

TABLE = {
    "spread": [-1.0, 0.0],
    "light": [0.0, 1.0, 2.0],
    "within_68": [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]],
    "within_95": [[3.0, 3.0, 3.0], [3.0, 3.0, 3.0]],
}


def widened(spread: float, light: float) -> float:
    planes = (np.full((1, 2, 2), value, np.float32) for value in (spread, light))
    return float(calibrated(*planes, TABLE)[0][0, 0, 0] / spread)


def test_the_table_is_read_where_it_stands_between_its_places_and_beyond_them():
    assert widened(0.1, 1.0) == pytest.approx(1.0, rel=1e-5)
    assert widened(1.0, 100.0) == pytest.approx(4.0, rel=1e-5)
    assert widened(10**-0.5, 10**0.5) == pytest.approx(2.0, rel=1e-5)
    assert widened(1e-9, 1e9) == pytest.approx(3.0, rel=1e-5)
    assert widened(1.0, -5.0) == pytest.approx(2.0, rel=1e-5)  # below the sky


def test_a_frame_of_many_rows_is_read_pixel_by_pixel():
    rng = np.random.default_rng(0)
    spread, light = (10 ** rng.uniform(-2, 2, (2, 300, 5)).astype(np.float32) for _ in range(2))
    whole = calibrated(spread, light, TABLE)
    part = calibrated(spread[:, 140:150], light[:, 140:150], TABLE)
    for all_rows, some in zip(whole, part, strict=True):
        np.testing.assert_allclose(all_rows[:, 140:150], some, rtol=1e-6)
    np.testing.assert_allclose(whole[1], 3.0 * spread, rtol=1e-5)


def test_a_card_without_a_table_takes_the_spread_for_a_gaussians():
    spread = np.full((1, 3, 3), 2.0, np.float32)
    deviation, range_95 = calibrated(spread, spread, {})
    np.testing.assert_allclose(range_95 / deviation, 1.96, rtol=1e-6)

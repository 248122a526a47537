"""Values that no detector gives are no stars, and no reason to stop."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pellucid.errors import InputError
from pellucid.sky.psf import stamp_fwhm
from pellucid.sources.detection import detect
from pellucid.sources.stars import candidates


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow", "ignore:divide by zero")
@pytest.mark.parametrize("value", [3e38, -3e38])
def test_a_pixel_beyond_all_numbers_is_no_star(value):
    flux = np.random.default_rng(1).normal(0.0, 1.0, (60, 60)).astype(np.float32)
    flux[20:23, 30:33] = value
    found = candidates(flux)
    assert not found.usable.any()


def test_what_is_no_number_has_no_width():
    with pytest.raises(InputError, match="no core"):
        stamp_fwhm(np.full((9, 9), np.nan))


ANY_BYTES = """
import numpy as np
from pellucid.sources.stars import candidates
rng = np.random.default_rng(48)
y, x = np.mgrid[:48, :48]
flux = 50 * np.exp(-((y - 24) ** 2 + (x - 24) ** 2) / 60) + rng.normal(0, 1, (48, 48))
words = rng.integers(0, 2**32, (16, 48), dtype=np.uint64)
flux[32:] = words.astype(np.uint32).view(np.float32)
candidates(flux)
"""


def test_pixels_of_any_bytes_end_in_no_fault_of_memory():
    """sep wrote outside of its arrays where its sums overflowed."""
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", ANY_BYTES], check=False)
    assert ended.returncode == 0


def test_what_no_detector_gives_is_a_hole():
    flux = np.random.default_rng(6).normal(0.0, 1.0, (60, 60))
    flux[30, 20:23] = 1e30
    flux[10:13, 40:43] += 50.0
    found = detect(flux, 5.0, 1.0, fwhm=0.0)
    assert len(found) == 1
    assert (found.y[0], found.x[0]) == pytest.approx((11.0, 41.0), abs=0.5)

"""Values that no detector gives are no stars, and no reason to stop."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.errors import InputError
from pellucid.sky.psf import stamp_fwhm
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

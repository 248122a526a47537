"""What no galaxy looks like is told from what galaxies look like, by the model that ships."""

from __future__ import annotations

import numpy as np
import pytest
from patches import galaxies

from pellucid import SkyImage, load_restorer
from pellucid.optics import convolve
from pellucid.restoration.unlike import UNUSUAL, UNUSUAL_FORM
from pellucid.sky import gaussian_psf

BLUR = gaussian_psf(3.5, 1.0)


def seen(flux: np.ndarray, bands: int = 1) -> SkyImage:
    """Blurred, with noise of a hundredth of the peak."""
    blurred = convolve(np.stack([flux] * bands).astype("f4"), BLUR.for_bands(bands))
    blurred *= 100.0 / blurred.max()
    blurred += np.random.default_rng(0).standard_normal(blurred.shape)
    return SkyImage(blurred, tuple("gri"[:bands]), "adu", pixel_scale=1.0)


@pytest.mark.parametrize("bands", [1, 3])
def test_a_ring_is_unusual(bands):
    y, x = np.indices((112, 112)) - 55.5
    radius = np.hypot(y, x)
    ring = np.exp(-0.5 * ((radius - 22.0) / 2.5) ** 2) + 0.7 * np.exp(-radius / 3.0)
    facts = load_restorer("pellucid")(seen(ring, bands), blur=BLUR).provenance
    assert facts["unlike"] > UNUSUAL
    assert UNUSUAL_FORM in facts["trust"]


def test_galaxies_are_not():
    found = [
        load_restorer("pellucid")(seen(image.flux.mean(axis=0)), blur=BLUR).provenance
        for _, image in galaxies(5, 96)
    ]
    assert sum(facts["unlike"] > UNUSUAL for facts in found) <= 1
    assert np.median([facts["unlike"] for facts in found]) < 0.95

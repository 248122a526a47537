"""A network that has learned from two telescopes' bands draws the other's flux."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.restoration import NeuralRestorer
from pellucid.sky import SkyImage, robust_background
from pellucid.stretch import stretch_from_dict


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_light_of_another_band_is_told_and_no_sky_made_of_the_rest(share, card):
    stretch = stretch_from_dict(card.stretch)
    y, x = np.mgrid[:64, :64] - 32.0
    light = 500.0 * np.exp(-(y**2 + x**2) / 30.0)
    noise = np.random.default_rng(0).normal(0.0, 1.0, (3, 64, 64))
    image = SkyImage((light + noise + 5.0).astype("f4"), ("g", "r", "i"), pixel_scale=0.396)
    background = robust_background(image.flux)
    sky = background.sky[:, None, None]

    def fainter(tiles: np.ndarray) -> np.ndarray:
        found = []
        for tile in tiles:
            above = stretch.inverse((tile + 1.0) / 2.0, background) - sky
            drawn = sky + np.where(above > 20.0, np.float32(share), 1.0) * above
            found.append(2.0 * stretch.forward(drawn.astype("f4"), background) - 1.0)
        return np.asarray(found, dtype="f4")

    result = NeuralRestorer(card, fainter, "0" * 64)(image)
    told = [note for note in result.provenance["notes"] if "times the light of the image" in note]
    change = result.image.flux - image.flux
    faint = light < 1.0
    if share < 0.5:
        assert len(told) == 1
        np.testing.assert_allclose(change[:, faint], 0.0, atol=1e-3)
    else:
        assert not told
        np.testing.assert_allclose(change.sum(axis=(1, 2)), 0.0, atol=1.0)
        assert np.median(change[:, faint]) > 0.5

"""What is learned of a network's uncertainty from galaxies whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pellucid.data.truth import Truth, open_truth, write_truth
from pellucid.restoration import Restoration
from pellucid.restoration.calibration import calibrated
from pellucid.studies.pellucid.calibration import learn_calibration


class Guess:
    """Says one for its uncertainty; what it restored is off by Student's t, three times wider."""

    name = "guess"

    def __init__(self, truths: dict[bytes, np.ndarray]) -> None:
        self.truths, self.asked = truths, 0

    def __call__(self, image, blur=None, psf=None, target=None):
        truth = self.truths[image.flux.tobytes()]
        self.asked += 1
        rng = np.random.default_rng(self.asked)  # the same on every machine
        off = 3.0 * rng.standard_t(3.0, truth.shape)
        flux = (truth + off).astype(np.float32)
        return Restoration(replace(image, flux=flux), np.ones_like(flux))


@pytest.fixture
def truth(deep_field, tmp_path):
    light = np.clip(deep_field.cutout(100, 100, 96, 96).flux, 0.0, None)
    write_truth(tmp_path / "truth.h5", [Truth("goods/1", light, 4.5)])
    return open_truth(tmp_path / "truth.h5")


def test_the_table_makes_ranges_hold_what_they_say(truth, monkeypatch):
    from pellucid.data.scenes import ScenePairs
    from pellucid.studies.pellucid import calibration

    monkeypatch.setattr(calibration, "VIEWS", 4)
    seen: dict[bytes, np.ndarray] = {}
    draw = ScenePairs.draw

    def remembered(self, index, rng, with_blur=True):
        pair = draw(self, index, rng, with_blur)
        seen[pair.blurred.flux.tobytes()] = pair.sharp.flux
        return pair

    monkeypatch.setattr(ScenePairs, "draw", remembered)
    table = learn_calibration(truth, [0], Guess(seen))
    spread = np.ones((1, 50, 50), np.float32)
    deviation, range_95 = calibrated(spread, 5.0 * spread, table)
    # Of Student's t with three degrees of freedom lie 68.27 % within 1.197, 95 % within 3.182.
    assert float(deviation.mean()) == pytest.approx(3 * 1.197, rel=0.1)
    assert float(range_95.mean()) == pytest.approx(3 * 3.182, rel=0.1)


def test_without_galaxies_nothing_is_learned(truth):
    assert learn_calibration(truth, [], Guess({})) == {}

"""A small store of truth, of the Hubble Deep Field, for tests of scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from patches import galaxies

from pellucid.data.scenes import ScenePairs, SceneRecipe
from pellucid.data.truth import Truth, TruthStore, open_truth, write_truth
from pellucid.sky import moffat_psf


def truth_store(path: Path, count: int = 6) -> TruthStore:
    """Patches of 72 pixels, and one lopsided kernel."""
    kernel = moffat_psf(3.0, 1.0).stamps[0].copy()
    kernel[:, : kernel.shape[1] // 2] *= 0.7
    objects = (Truth(f"hdf/{name}", image.flux, 3.0) for name, image in galaxies(count, 72))
    assert write_truth(path, objects, [kernel.astype(np.float32)]) == count
    return open_truth(path)


def small_scenes(path: Path) -> ScenePairs:
    """Scenes of 32 pixels, for networks that learn nothing worth having."""
    recipe = SceneRecipe(size=32, blur=(2.0, 4.0), peak=(50.0, 200.0))
    return ScenePairs(truth_store(path), recipe)

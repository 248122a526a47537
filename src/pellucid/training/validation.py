"""How well a network in training restores objects it never saw, by what `evaluate` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.data.pairs import Pairs
from pellucid.display import to_rgb, write_picture
from pellucid.evaluation.scores import UNTOUCHED, Scoring, Untouched, score_pairs
from pellucid.restoration import Restorer

#: Objects in a panel.
DRAWN = 8


def validate(restorer: Restorer, store: Pairs, indices: NDArray[np.integer]) -> dict[str, float]:
    """Mean stretched PSNR in dB of the blurred and the restored images of some objects."""
    restorers = {UNTOUCHED: Untouched(), restorer.name: restorer}
    scores = [
        [metrics["psnr"] for metrics in scored.metrics.values()]
        for scored in score_pairs(store, indices, restorers, Scoring(metrics=["psnr"]))
    ]
    blurred, restored = np.mean(scores, axis=0)
    return {"psnr_blurred": float(blurred), "psnr": float(restored)}


def draw_panel(restorer: Restorer, store: Pairs, indices: NDArray[np.integer], path: Path) -> None:
    """A picture of the first objects (rows: blurred, restored, sharp)."""
    columns = []
    for index in indices[:DRAWN]:
        pair = store.pair(int(index))
        images = (pair.blurred, restorer(pair.blurred, pair.blur).image, pair.sharp)
        columns.append(np.concatenate([to_rgb(image) for image in images]))
    write_picture(np.concatenate(columns, axis=1), path, overwrite=True)

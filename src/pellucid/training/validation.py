"""How well a network in training restores objects it never saw, by what `evaluate` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.data.channels import IMAGE, network_inputs
from pellucid.data.pairs import Pairs
from pellucid.display import to_rgb, write_picture
from pellucid.evaluation.scores import UNTOUCHED, Scoring, Untouched, score_pairs
from pellucid.restoration import NeuralRestorer

#: Objects in a panel.
DRAWN = 8


def validate(
    restorer: NeuralRestorer, store: Pairs, indices: NDArray[np.integer]
) -> dict[str, float]:
    """Mean stretched PSNR in dB of the blurred and the restored images of some objects."""
    restorers = {UNTOUCHED: Untouched(), restorer.name: restorer}
    scoring = Scoring(metrics=["psnr"], whole_psf=not _is_told(restorer))
    scores = [
        [metrics["psnr"] for metrics in scored.metrics.values()]
        for scored in score_pairs(store, indices, restorers, scoring)
    ]
    blurred, restored = np.mean(scores, axis=0)
    return {"psnr_blurred": float(blurred), "psnr": float(restored)}


def draw_panel(
    restorer: NeuralRestorer, store: Pairs, indices: NDArray[np.integer], path: Path
) -> None:
    """A picture of the first objects (rows: blurred, restored, sharp)."""
    columns = []
    for index in indices[:DRAWN]:
        pair = store.pair(int(index))
        blur = pair.blur if _is_told(restorer) else None
        images = (pair.blurred, restorer(pair.blurred, blur).image, pair.sharp)
        columns.append(np.concatenate([to_rgb(image) for image in images]))
    write_picture(np.concatenate(columns, axis=1), path, overwrite=True)


def _is_told(restorer: NeuralRestorer) -> bool:
    """Whether the network makes anything of the blur."""
    return network_inputs(restorer.card.network) != IMAGE

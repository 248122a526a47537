"""Whether galaxies that are unlike those of the training are restored worse, as the paper says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pellucid.data.made import MadePairs
from pellucid.evaluation.tables import markdown_table
from pellucid.studies.galaxygan.examples import coarse, unlikeness
from pellucid.studies.galaxygan.jobs import GAN, fold_for
from pellucid.studies.galaxygan.preset import Cell, Preset
from pellucid.studies.galaxygan.scores import Key, Scores

#: Training objects among which anything alike is looked for.
COMPARED = 2000
PARTS = 4

#: An object's id, and the fold in which it was tested on.
Tested = tuple[str, int]


def how_unlike(store: MadePairs, preset: Preset, scores: Scores, cell: Cell) -> dict[Tested, float]:
    """How far each object that a cell's GAN was tested on is from those of its training."""
    found: dict[Tested, float] = {}
    for fold in sorted(scores.folds[Key(GAN, *cell)]):
        objects = fold_for(store, preset, fold)
        training, tested = (
            np.stack([coarse(store.sharp(int(place))) for place in places])
            for places in (objects.training[:COMPARED], objects.tested)
        )
        names = [(name, fold) for name in scores.ids[fold]]
        found |= dict(zip(names, unlikeness(tested, training).tolist(), strict=True))
    return found


def rare_table(scores: Scores, cell: Cell, unlike: Mapping[Tested, float]) -> str:
    """What the GAN reaches on the objects most like those of its training, and least."""
    from scipy.stats import spearmanr

    leads = scores.leads(cell)
    if leads is None or len(unlike) < 2 * PARTS:  # an error takes two
        return ""
    places = [(fold, scores.ids[fold].index(name)) for name, fold in unlike]
    psnr = np.array([scores.folds[Key(GAN, *cell)][fold]["psnr"][k] for fold, k in places])
    lead = np.array([leads[1][fold][k] if fold in leads[1] else np.nan for fold, k in places])
    distance = np.array(list(unlike.values()))
    correlation, chance = spearmanr(distance, psnr)
    rows = [
        [
            f"{distance[part].min():.1f} to {distance[part].max():.1f}",
            f"{psnr[part].mean():.2f} ± {psnr[part].std(ddof=1) / np.sqrt(len(part)):.2f}",
            f"{np.nanmean(lead[part]):+.2f}".replace("-", "−"),
            str(len(part)),
        ]
        for part in np.array_split(np.argsort(distance), PARTS)
    ]
    headings = ["unlike the training images", "PSNR, dB", "lead, dB", "objects"]
    rank = f"{correlation:.2f}".replace("-", "−")
    return (
        f"## Galaxies that are rare\n\n"
        f"At {cell[0]:g}″ and {cell[1]:g} σ, by the distance to the nearest training images in the "
        "space of their principal components (1 is the spread along one). PSNR after the stretch, "
        f"and the lead over the best deconvolution. Rank correlation of distance and PSNR: {rank} "
        f"(probability by chance {chance:.2f}).\n\n{markdown_table(headings, rows)}\n"
    )

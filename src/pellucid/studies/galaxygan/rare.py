"""Whether galaxies that are unlike those of the training are restored worse, as the paper says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pellucid.data.made import MadePairs
from pellucid.evaluation.tables import markdown_table
from pellucid.studies.galaxygan.examples import coarse, unlikeness
from pellucid.studies.galaxygan.jobs import GAN, fold_for
from pellucid.studies.galaxygan.preset import Cell, Preset
from pellucid.studies.galaxygan.scores import Key, Scores

#: Training objects among which anything alike is looked for.
COMPARED = 2000
PARTS = 4

#: How unlike the training each tested object of a fold is, in the order of `Scores.ids`.
Unlike = Mapping[int, NDArray[np.float64]]


def how_unlike(store: MadePairs, preset: Preset, scores: Scores, cell: Cell) -> Unlike:
    """How far each object that a cell's GAN was tested on is from those of its training."""
    found = {}
    for fold in sorted(scores.folds[Key(GAN, *cell)]):
        objects = fold_for(store, preset, fold)
        training, tested = (
            np.stack([coarse(store.sharp(int(place))) for place in places])
            for places in (objects.training[:COMPARED], objects.tested)
        )
        found[fold] = unlikeness(tested, training)
    return found


def rare_table(scores: Scores, cell: Cell, unlike: Unlike) -> str:
    """What the GAN reaches on the objects most like those of its training, and least.

    Nothing where its lead over deconvolution is not known of two objects for each part.
    """
    from scipy.stats import spearmanr

    found = scores.leads(cell)
    if found is None:
        return ""
    _, leads = found
    psnr = np.concatenate([scores.folds[Key(GAN, *cell)][fold]["psnr"] for fold in leads])
    lead = np.concatenate(list(leads.values()))
    distance = np.concatenate([unlike[fold] for fold in leads])
    good = np.isfinite(psnr) & np.isfinite(lead)
    psnr, lead, distance = psnr[good], lead[good], distance[good]
    if len(psnr) < 2 * PARTS:
        return ""
    worst = psnr <= np.sort(psnr)[max(len(psnr) // 10, 1) - 1]
    rows = [
        [
            f"{distance[part].min():.1f} to {distance[part].max():.1f}",
            f"{psnr[part].mean():.2f} ± {psnr[part].std(ddof=1) / np.sqrt(len(part)):.2f}",
            f"{lead[part].mean():+.2f}".replace("-", "−"),
            str(worst[part].sum()),
            str(len(part)),
        ]
        for part in np.array_split(np.argsort(distance), PARTS)
    ]
    headings = ["unlike the training images", "PSNR, dB", "lead, dB", "of the worst", "objects"]
    trends = []
    for name, values in (("PSNR", psnr), ("the lead", lead)):
        rank, chance = spearmanr(distance, values)
        trends.append(f"{name} {rank:.2f} (by chance {chance:.2f})".replace("-", "−"))
    return (
        f"## Galaxies that are rare\n\n"
        f"At {cell[0]:g}″ and {cell[1]:g} σ, by the distance to the nearest training images in the "
        "space of their principal components (1 is the spread along one): PSNR after the stretch, "
        f"the lead over the best deconvolution, and how many of the {worst.sum()} objects with the "
        f"lowest PSNR are there. Rank correlation of the distance with {' and '.join(trends)}.\n\n"
        f"{markdown_table(headings, rows)}\n"
    )

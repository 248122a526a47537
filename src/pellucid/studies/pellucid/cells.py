"""GalaxyGAN's twenty cells: one model for all of them, against the classical methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pellucid.data.splits import known_mask, validation_mask
from pellucid.evaluation.scores import UNTOUCHED, Scoring, Untouched, score_pair, summarise
from pellucid.evaluation.tables import markdown_table
from pellucid.optics import INSTRUMENTS, Degradation, object_rng
from pellucid.restoration import NeuralRestorer, Restorer, load_restorer
from pellucid.sky import SkyImage
from pellucid.studies.truths import composites

#: FWHM of the seeing in arcsec, and noise in units of the originals': Schawinski et al. 2017.
SEEINGS = (1.4, 1.8, 2.2, 2.5)
NOISES = (1.0, 1.2, 2.0, 5.0, 10.0)
METHODS = ("wiener", "richardson-lucy", "tikhonov")
OF_ONE_CELL = "galaxygan-sdss"


def measure_cells(data: Path, model: Restorer, count: int) -> list[dict[str, Any]]:
    """Mean stretched PSNR of each restorer in each cell, on composites that no model has seen.

    Returns
    -------
    list of dict
        ``seeing``, ``noise``, ``objects``, and under each restorer's name its mean in dB.
    """
    restorers: dict[str, Restorer] = {UNTOUCHED: Untouched(), model.name: model}
    restorers |= {name: load_restorer(method=name) for name in METHODS}
    restorers[OF_ONE_CELL] = load_restorer(OF_ONE_CELL, force=True)
    sharp = dict(_unseen(data, restorers, count))
    rows = []
    for seeing in SEEINGS:
        for noise in NOISES:
            degradation = Degradation(fwhm=seeing, noise=noise)
            scores = summarise(
                score_pair(
                    name,
                    degradation(image, object_rng(0, name)),
                    restorers,
                    Scoring(metrics=["psnr"]),
                ).metrics
                for name, image in sharp.items()
            )
            row: dict[str, Any] = {"seeing": seeing, "noise": noise, "objects": len(sharp)}
            row |= {name: round(metrics["psnr"].mean, 3) for name, metrics in scores.items()}
            rows.append(row)
    return rows


def cells_page(rows: list[dict[str, Any]], model: str) -> str:
    """The cells as a table, with how far the model leads the best classical method."""
    headings = ["seeing", "noise", UNTOUCHED, *METHODS, OF_ONE_CELL, model, "lead"]
    lines = []
    for row in rows:
        lead = row[model] - max(row[name] for name in METHODS)
        names = (UNTOUCHED, *METHODS, OF_ONE_CELL, model)
        numbers = [f"{row[name]:.2f}" for name in names]
        lines.append([f'{row["seeing"]:g}"', f"{row['noise']:g} σ", *numbers, f"{lead:+.2f}"])
    return markdown_table(headings, lines, left=2)


def _unseen(
    data: Path, restorers: Mapping[str, Restorer], count: int
) -> Iterator[tuple[str, SkyImage]]:
    """The first composites that are held back from every model, by name."""
    cards = [r.card for r in restorers.values() if isinstance(r, NeuralRestorer)]
    found = 0
    for truth in composites(data):
        names = [truth.id, truth.id.partition("/")[2]]
        seen = any(known_mask(card.training.get("trained_ids", ""), names).any() for card in cards)
        if seen or not validation_mask([truth.id]).all():
            continue
        scale = INSTRUMENTS["sdss"].pixel_scale
        # Blue first, as SDSS's bands are named.
        yield truth.id, SkyImage(truth.flux[::-1], ("g", "r", "i"), "nanomaggy", pixel_scale=scale)
        found += 1
        if found == count:
            return

"""The paper's figures from a finished study: what worked (2, 3), what failed (4), the grid (A1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pellucid.data.made import MadePairs
from pellucid.data.pairs import open_made
from pellucid.display import to_rgb
from pellucid.evaluation.figures import Panel, draw_comparison
from pellucid.evaluation.scores import Scored, Scoring, Untouched, score_pair
from pellucid.restoration import Restorer, load_restorer
from pellucid.sky import SkyImage
from pellucid.studies.folder import model_file
from pellucid.studies.galaxygan.examples import by_kind, looks
from pellucid.studies.galaxygan.jobs import DEGRADED, GAN, Job, deconvolutions
from pellucid.studies.galaxygan.preset import Cell, Preset, degradation
from pellucid.studies.galaxygan.rare import Unlike
from pellucid.studies.galaxygan.scores import Key, Scores

COLUMNS = ("original", "degraded", "GAN", "Lucy–Richardson", "Lucy–Richardson,\nas the paper")
DECONVOLVED = ("richardson-lucy", "richardson-lucy-paper")
#: Objects of each kind in figure 3, and of each fault in figure 4.
ROWS = 2
FAILURES = 3
#: The cell of figures 2 and 4, where it was trained for.
SHOWN = (1.8, 2.0)

#: An object's id, and the fold in which it was tested on.
Tested = tuple[str, int]
#: What a row shows, of which object, in which cell.
Row = tuple[str, Tested, Cell]


@dataclass(frozen=True)
class Gallery:
    """A study's images and networks, opened when a figure asks for them."""

    folder: Path
    preset: Preset
    scores: Scores

    @cached_property
    def store(self) -> MadePairs:
        return open_made(self.folder / "sample.h5")

    def sharp(self, name: str) -> SkyImage:
        return self.store.sharp(self.store.ids.index(name))

    def scored(self, name: str, fold: int, cell: Cell, *methods: str) -> Scored:
        """An object as a cell's scores saw it, degraded, restored by the network of its own fold,
        where one was trained, and by deconvolutions."""
        pair = self.store.through(degradation(cell)).pair(
            self.store.ids.index(name), self.preset.seed
        )
        settings = self.scores.settings.get(Job("deconvolution", *cell, fold), {})
        classical = deconvolutions(settings.get("iterations", {}))
        restorers: dict[str, Restorer] = {DEGRADED: Untouched()}
        model = model_file(self.folder, Job("gan", *cell, fold).name)
        if model.exists():
            restorers[GAN] = load_restorer(model=model)
        restorers |= {method: classical[method] for method in methods}
        return score_pair(name, pair, restorers, Scoring(metrics=["psnr"]))

    def tested(self, cell: Cell) -> list[Tested]:
        """Every object that a network of this cell was tested on."""
        folds = self.scores.folds.get(Key(GAN, *cell), {})
        return [(name, fold) for fold in sorted(folds) for name in self.scores.ids[fold]]


def shown_cell(preset: Preset, scores: Scores) -> Cell | None:
    """The cell that stands for all; None where no network was tested."""
    cells = [cell for cell in preset.cells_of_gan() if scores.folds.get(Key(GAN, *cell))]
    return SHOWN if SHOWN in cells else next(iter(cells), None)


def draw_figures(
    folder: Path, preset: Preset, scores: Scores, unlike: Unlike, output: Path
) -> list[Path]:
    """Draw every figure that the study has the networks for, as PNG; returns the files.

    ``unlike`` says how far each object of the `shown_cell` is from those of the training.
    """
    shown = shown_cell(preset, scores)
    if shown is None:
        return []
    gallery = Gallery(folder, preset, scores)
    cells = [cell for cell in preset.cells_of_gan() if gallery.tested(cell)]
    kinds = _kinds(gallery, shown)
    files = []
    if kinds:
        _, best = kinds[0]
        turn = [(*kind, cell) for kind, cell in zip(kinds, _spread(cells, len(kinds)), strict=True)]
        files.append(_draw(gallery, [("", best, shown)], output / "figure-2.png"))
        files.append(_draw(gallery, turn, output / "figure-3.png"))
        files += _draw_grid(gallery, best, output)
    files.append(_draw(gallery, _failures(gallery, shown, unlike), output / "figure-4.png"))
    return files


def _spread(cells: Sequence[Cell], count: int) -> list[Cell]:
    """So many cells from first to last, of which each kind has an early and a late one."""
    even = [cells[k] for k in np.linspace(0, len(cells) - 1, count).round().astype(int)]
    apart = -(-count // ROWS)
    return [cell for first in range(apart) for cell in even[first::apart]]


def _kinds(gallery: Gallery, cell: Cell) -> list[tuple[str, Tested]]:
    """Objects of every kind, each with what it is called."""
    tested = gallery.tested(cell)
    chosen = by_kind([looks(gallery.sharp(name)) for name, _ in tested], ROWS)
    return [(kind, tested[k]) for kind, some in chosen.items() for k in some]


def _failures(gallery: Gallery, cell: Cell, unlike: Unlike) -> list[Row]:
    """The objects restored worst, and those most unlike what their network was trained on."""
    psnr: list[tuple[float, Tested]] = []
    rare: list[tuple[float, Tested]] = []
    for fold, metrics in sorted(gallery.scores.folds[Key(GAN, *cell)].items()):
        names = [(name, fold) for name in gallery.scores.ids[fold]]
        psnr += zip(metrics["psnr"], names, strict=True)
        rare += zip(-unlike[fold], names, strict=True)
    worst = [some for _, some in sorted(psnr)[:FAILURES]]
    rest = [some for _, some in sorted(rare) if some not in worst]
    rows = [("lowest PSNR", some, cell) for some in worst]
    return rows + [("unlike the rest", some, cell) for some in rest[:FAILURES]]


def _draw(gallery: Gallery, rows: Sequence[Row], path: Path) -> Path:
    """A row an object, with the fair Lucy–Richardson and the paper's beside the GAN."""
    panels = []
    for _, (name, fold), cell in rows:
        scored = gallery.scored(name, fold, cell, *DECONVOLVED)
        degraded, *others = (_panel(scored, who) for who in (DEGRADED, GAN, *DECONVOLVED))
        degraded = replace(degraded, note=f"{cell[0]:g}″, {cell[1]:g}σ\n{degraded.note}")
        panels.append([Panel(to_rgb(scored.pair.sharp), name), degraded, *others])
    return draw_comparison(panels, COLUMNS, [label for label, *_ in rows], path, overwrite=True)


def _draw_grid(gallery: Gallery, best: Tested, output: Path) -> list[Path]:
    """Figure A1 in three parts, each the whole grid of one object."""
    preset, (fair, _) = gallery.preset, DECONVOLVED
    scored = {cell: gallery.scored(*best, cell, fair) for cell in preset.cells()}
    _, degraded, gan, lucy, _ = COLUMNS
    parts = {
        "degraded": (DEGRADED, degraded),
        "gan": (GAN, gan),
        "deconvolved": (fair, lucy),
    }
    return [
        draw_comparison(
            [[_panel(scored[fwhm, noise], who) for fwhm in preset.fwhm] for noise in preset.noise],
            [f"{fwhm:g}″" for fwhm in preset.fwhm],
            [f"{noise:g} σ" for noise in preset.noise],
            output / f"figure-a1-{part}.png",
            f"{best[0]}: {title}",
            overwrite=True,
        )
        for part, (who, title) in parts.items()
    ]


def _panel(scored: Scored, restorer: str) -> Panel:
    if restorer not in scored.restored:
        height, width = scored.pair.sharp.shape[1:]
        return Panel(np.full((height, width, 3), 225, dtype=np.uint8), "not trained")
    picture = to_rgb(scored.restored[restorer].image)
    return Panel(picture, f"{scored.metrics[restorer]['psnr']:.1f} dB")

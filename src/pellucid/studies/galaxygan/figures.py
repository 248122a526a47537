"""The paper's figures from a finished study: what worked (2, 3), what failed (4), the grid (A1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.data.made import MadePairs
from pellucid.data.pairs import open_made
from pellucid.display import to_rgb
from pellucid.evaluation.figures import Panel, draw_comparison
from pellucid.metrics.psnr import stretched_psnr
from pellucid.restoration import Restorer, load_restorer
from pellucid.sky import Pair, SkyImage
from pellucid.studies.galaxygan.comparison import Restore, deconvolutions
from pellucid.studies.galaxygan.examples import by_kind, coarse, structure, unlikeness
from pellucid.studies.galaxygan.jobs import GAN, Job, fold_for, model_file
from pellucid.studies.galaxygan.preset import Cell, Preset, degradation
from pellucid.studies.galaxygan.scores import Key, Scores

COLUMNS = ("original", "degraded", "GAN", "Lucy–Richardson", "Lucy–Richardson,\nas the paper")
#: Objects of each kind in figure 3, and of each fault in figure 4.
ROWS = 2
FAILURES = 3
#: Training objects among which figure 4 looks for anything alike.
COMPARED = 2000


@dataclass(frozen=True)
class Atlas:
    """A study's images and networks, opened when a figure asks for them.

    Parameters
    ----------
    folder
        Of the study.
    """

    folder: Path
    preset: Preset
    scores: Scores

    @cached_property
    def store(self) -> MadePairs:
        return open_made(self.folder / "sample.h5")

    @cached_property
    def place(self) -> dict[str, int]:
        """Position in the store of each id."""
        return {name: k for k, name in enumerate(self.store.ids)}

    def panels(self, name: str, fold: int, cell: Cell) -> list[Panel]:
        """Original, degraded, restored and twice deconvolved; none restored without a network."""
        pair = self.pair(name, cell)
        sharp, blurred = pair.sharp, pair.blurred
        fwhm, noise = cell
        restore = self._deconvolutions(cell, fold)
        images = (
            self.restored(name, fold, cell),
            restore["richardson-lucy"](blurred),
            restore["richardson-lucy-paper"](blurred),
        )
        return [
            Panel(to_rgb(sharp), name),
            Panel(to_rgb(blurred), f"{fwhm:g}″, {noise:g}σ\n{_psnr(sharp, blurred)}"),
            *(_panel(sharp, image) for image in images),
        ]

    def pair(self, name: str, cell: Cell) -> Pair:
        """(sharp, degraded), as the cell's scores saw them."""
        through = self.store.through(degradation(cell))
        return through.pair(self.place[name], self.preset.seed)

    def restored(self, name: str, fold: int, cell: Cell) -> SkyImage | None:
        """What the network of the object's own fold made of it; None where none was trained."""
        model = model_file(self.folder, Job("gan", *cell, fold))
        if not model.exists():
            return None
        restorer: Restorer = load_restorer(model=model)
        return restorer(self.pair(name, cell).blurred, psf=cell[0]).image

    def deconvolved(self, name: str, fold: int, cell: Cell) -> SkyImage:
        """Fair Lucy–Richardson."""
        return self._deconvolutions(cell, fold)["richardson-lucy"](self.pair(name, cell).blurred)

    def tested(self, cell: Cell) -> list[tuple[str, int]]:
        """(id, fold) of every object that a network of this cell was tested on."""
        folds = self.scores.folds.get(Key(GAN, *cell), {})
        return [(name, fold) for fold in sorted(folds) for name in self.scores.ids[fold]]

    def _deconvolutions(self, cell: Cell, fold: int) -> dict[str, Restore]:
        settings = self.scores.settings.get(Job("deconvolution", *cell, fold), {})
        iterations = settings.get("iterations", {})
        return deconvolutions(cell, self.store.pixel_scale, iterations)


def draw_figures(folder: Path, preset: Preset, scores: Scores, output: Path) -> list[Path]:
    """Draw every figure that the study has the networks for, as PNG; returns the files."""
    atlas = Atlas(folder, preset, scores)
    cells = [cell for cell in preset.cells_of_gan() if atlas.tested(cell)]
    if not cells:
        return []
    curve = preset.learning_curve
    shown = curve.cell if curve is not None and curve.cell in cells else cells[0]
    kinds = _kinds(atlas, shown)
    files = []
    objects = [(kind, some) for kind, many in kinds.items() for some in many]
    if objects:
        best = objects[0][1]
        files.append(_draw(atlas, [("", best, shown)], output / "figure-2.png"))
        turn = [cells[k % len(cells)] for k in range(len(objects))]
        rows = [(kind, some, cell) for (kind, some), cell in zip(objects, turn, strict=True)]
        files.append(_draw(atlas, rows, output / "figure-3.png"))
        files += list(_draw_grid(atlas, best, output))
    rows = [(why, some, shown) for why, some in _failures(atlas, shown)]
    files.append(_draw(atlas, rows, output / "figure-4.png"))
    return files


def _kinds(atlas: Atlas, cell: Cell) -> dict[str, list[tuple[str, int]]]:
    tested = atlas.tested(cell)
    structures = [structure(atlas.store.sharp(atlas.place[name])) for name, _ in tested]
    chosen = by_kind(structures, ROWS)
    return {kind: [tested[k] for k in some] for kind, some in chosen.items()}


def _failures(atlas: Atlas, cell: Cell) -> list[tuple[str, tuple[str, int]]]:
    """The objects restored worst, and those most unlike what their network was trained on."""
    worst: list[tuple[float, tuple[str, int]]] = []
    unlike: list[tuple[float, tuple[str, int]]] = []
    for fold, metrics in sorted(atlas.scores.folds[Key(GAN, *cell)].items()):
        names = atlas.scores.ids[fold]
        worst += [(psnr, (name, fold)) for psnr, name in zip(metrics["psnr"], names, strict=True)]
        objects = fold_for(atlas.store, atlas.preset, fold)
        training, tested = (
            _coarse(atlas, some) for some in (objects.training[:COMPARED], objects.tested)
        )
        distances = unlikeness(tested, training)
        unlike += [(-each, (name, fold)) for each, name in zip(distances, names, strict=True)]
    rows = [("lowest PSNR", some) for _, some in sorted(worst)[:FAILURES]]
    seen = [some for _, some in rows]
    rest = [some for _, some in sorted(unlike) if some not in seen]
    return rows + [("unlike the rest", some) for some in rest[:FAILURES]]


def _coarse(atlas: Atlas, indices: NDArray[np.integer]) -> NDArray[np.float32]:
    return np.stack([coarse(atlas.store.sharp(int(index))) for index in indices])


def _draw(atlas: Atlas, rows: Sequence[tuple[str, tuple[str, int], Cell]], path: Path) -> Path:
    panels = [atlas.panels(name, fold, cell) for _, (name, fold), cell in rows]
    return draw_comparison(panels, COLUMNS, [label for label, *_ in rows], path, overwrite=True)


def _draw_grid(atlas: Atlas, best: tuple[str, int], output: Path) -> Iterator[Path]:
    """Figure A1 in three parts, each the whole grid of one object."""
    name, fold = best
    preset = atlas.preset
    parts = {
        "degraded": lambda cell: atlas.pair(name, cell).blurred,
        "gan": lambda cell: atlas.restored(name, fold, cell),
        "deconvolved": lambda cell: atlas.deconvolved(name, fold, cell),
    }
    titles = {"degraded": "degraded", "gan": "GAN", "deconvolved": "Lucy–Richardson"}
    sharp = atlas.store.sharp(atlas.place[name])
    for part, image in parts.items():
        rows = [
            [_panel(sharp, image((fwhm, noise))) for fwhm in preset.fwhm] for noise in preset.noise
        ]
        yield draw_comparison(
            rows,
            [f"{fwhm:g}″" for fwhm in preset.fwhm],
            [f"{noise:g} σ" for noise in preset.noise],
            output / f"figure-a1-{part}.png",
            f"{name}: {titles[part]}",
            overwrite=True,
        )


def _panel(sharp: SkyImage, image: SkyImage | None) -> Panel:
    if image is None:
        height, width = sharp.shape[1:]
        return Panel(np.full((height, width, 3), 225, dtype=np.uint8), "not trained")
    return Panel(to_rgb(image), _psnr(sharp, image))


def _psnr(sharp: SkyImage, image: SkyImage) -> str:
    return f"{stretched_psnr(sharp.flux, image.flux):.1f} dB"

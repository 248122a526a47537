"""What the adversary draws: the same galaxies through two recipes of the GalaxyGAN study.

    python benchmarks/adversary.py GRID LETTER [--pixels PIXELS] --output FOLDER

GRID and LETTER are finished studies of the same sample, PIXELS one by LETTER's recipe whose pixel
loss outweighs the adversary. Of the cells that the first two have networks for come a table
(adversary.md), the power spectra of what they restore (spectra.png) and one galaxy (adversary.png).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid import load_restorer
from pellucid.data.pairs import open_made
from pellucid.display import to_rgb
from pellucid.evaluation.figures import Panel, draw_comparison
from pellucid.evaluation.scores import Scored, Scoring, Untouched, score_pair
from pellucid.evaluation.tables import markdown_table, with_error
from pellucid.files import make_folder, write_atomically, write_content
from pellucid.metrics.texture import RINGS, windowed_power
from pellucid.sky import SkyImage
from pellucid.stretch import GalaxyGANStretch
from pellucid.studies.folder import model_file
from pellucid.studies.galaxygan.examples import by_kind, looks
from pellucid.studies.galaxygan.jobs import Job, fold_for
from pellucid.studies.galaxygan.preset import Cell, Preset, degradation

#: Rings between 0 and half a cycle per pixel.
DRAWN = 28
ORIGINAL, DEGRADED, GRID, LETTER = "original", "degraded", "fidelity", "the paper's recipe"
PIXELS = "the paper's, pixels alone"
METRICS = {
    "psnr": ("PSNR after the stretch, dB", 2),
    "ssim": ("SSIM after the stretch", 3),
    "cw_ssim": ("CW-SSIM", 3),
    "power_ratio_middle": ("power at 4 to 10 pixels, over the original's", 2),
    "power_ratio_fine": ("power at 2 to 4 pixels, over the original's", 2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("grid", type=Path)
    parser.add_argument("letter", type=Path)
    parser.add_argument("--pixels", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    folders = {GRID: options.grid, LETTER: options.letter}
    folders |= {} if options.pixels is None else {PIXELS: options.pixels}
    cells = sorted(read_preset(options.letter).cells_of_gan(), key=lambda cell: cell[::-1])
    scored = {cell: scores for cell in cells if (scores := score(folders, cell))}
    output = make_folder(options.output)
    write_content(output / "adversary.md", table(scored), overwrite=True)
    draw_spectra(scored, output / "spectra.png")
    first = next(iter(scored.values()))
    best = by_kind([looks(one.pair.sharp) for one in first], 1)["spiral"][0]
    draw_galaxy({cell: some[best] for cell, some in scored.items()}, output / "adversary.png")


def read_preset(folder: Path) -> Preset:
    return Preset.model_validate(json.loads((folder / "study.json").read_text())["preset"])


def score(folders: dict[str, Path], cell: Cell) -> list[Scored]:
    """The first fold's galaxies through the recipes; none where one of the two is missing."""
    preset = read_preset(folders[LETTER])
    job = Job("gan", *cell, preset.first_fold)
    models = {name: model_file(folder, job.name) for name, folder in folders.items()}
    models = {name: model for name, model in models.items() if model.exists()}
    if not {GRID, LETTER} <= set(models):
        return []
    store = open_made(folders[LETTER] / "sample.h5").through(degradation(cell))
    restorers = {name: load_restorer(model=model) for name, model in models.items()}
    scoring = Scoring(metrics=["psnr", "ssim", "cw_ssim", "texture"])
    return [
        score_pair(
            store.ids[place],
            store.pair(int(place), preset.seed),
            {DEGRADED: Untouched(), **restorers},
            scoring,
        )
        for place in fold_for(store, preset, preset.first_fold).tested
    ]


def image_of(one: Scored, column: str) -> SkyImage:
    return one.pair.sharp if column == ORIGINAL else one.restored[column].image


def table(scored: dict[Cell, list[Scored]]) -> str:
    """Each metric of each cell: the mean over galaxies and its standard error."""
    known = [name for some in scored.values() for name in some[0].metrics]
    names, rows = list(dict.fromkeys(known)), []
    for cell, some in scored.items():
        columns = [name for name in names if name in some[0].metrics]
        measured = {
            title: ([[one.metrics[name][metric] for name in columns] for one in some], digits)
            for metric, (title, digits) in METRICS.items()
        }
        measured |= {
            f"correlation with the original at {size} pixels": (
                [[correlation(one, name, *RINGS[ring]) for name in columns] for one in some],
                2,
            )
            for size, ring in (("4 to 10", "power_ratio_middle"), ("2 to 4", "power_ratio_fine"))
        }
        for title, (numbers, digits) in measured.items():
            values = np.array(numbers)
            means, errors = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))
            shown = [with_error(*both, digits) for both in zip(means, errors, strict=True)]
            entries = dict(zip(columns, shown, strict=True))
            cells = [entries.get(name, "–") for name in names]
            rows.append([f"{cell[0]:g}″, {cell[1]:g} σ", title, *cells])
    count = min(len(some) for some in scored.values())
    text = markdown_table(["cell", "", *names], rows, left=2)
    told = f"{count} galaxies a cell that neither learned from; means and their standard errors."
    return f"# What the adversary does\n\n{told}\n\n{text}\n"


def correlation(one: Scored, column: str, low: float, high: float) -> float:
    """How far structure of a size is the original's: 1 where it is all of it, 0 by chance."""
    truth, restored = (
        GalaxyGANStretch().forward(image_of(one, name).flux) for name in (ORIGINAL, column)
    )
    height, width = one.pair.sharp.shape[1:]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    ring = (frequency >= low) & (frequency < high)
    alone, made, both = (
        float(windowed_power(plane)[:, ring].sum()) for plane in (truth, restored, truth + restored)
    )
    return 0.5 * (both - alone - made) / np.sqrt(alone * made)


def spectrum(image: SkyImage) -> NDArray[np.float64]:
    """Power in rings of spatial frequency after the stretch, bands together, shape (ring,)."""
    power = windowed_power(GalaxyGANStretch().forward(image.flux))
    height, width = image.shape[1:]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    rings = np.minimum((frequency * 2 * DRAWN).astype(int), DRAWN).ravel()
    sums = np.bincount(rings, power.sum(axis=0).ravel(), DRAWN + 1)
    return (sums / np.maximum(np.bincount(rings, minlength=DRAWN + 1), 1))[:DRAWN]


def draw_spectra(scored: dict[Cell, list[Scored]], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.1 * len(scored) + 0.5, 3.1), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(scored), sharey=True, squeeze=False)[0]
    frequency = (np.arange(DRAWN) + 0.5) / (2 * DRAWN)
    styles = {DEGRADED: ("0.55", ":"), GRID: ("C0", "-"), LETTER: ("C3", "--")}
    styles |= {PIXELS: ("C1", "-.")}
    for axis, (cell, some) in zip(axes, scored.items(), strict=True):
        truth = np.mean([spectrum(one.pair.sharp) for one in some], axis=0)
        for name, (colour, style) in styles.items():
            if name not in some[0].restored:
                continue
            seen = np.mean([spectrum(image_of(one, name)) for one in some], axis=0)
            axis.semilogy(frequency, seen / truth, style, color=colour, label=name)
        axis.axhline(1.0, color="0.8", lw=0.8, zorder=0)
        axis.set(title=f"{cell[0]:g}″, {cell[1]:g} σ", xlabel="cycles per pixel", ylim=(1e-3, 1e2))
    axes[0].set_ylabel("power over the original's")
    fullest = max(axes, key=lambda axis: len(axis.lines))
    figure.legend(*fullest.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    write_atomically(path, lambda file: figure.savefig(file, format="png"), overwrite=True)


def draw_galaxy(scored: dict[Cell, Scored], path: Path) -> None:
    columns = (ORIGINAL, DEGRADED, GRID, LETTER)
    rows = [
        [
            Panel(
                to_rgb(image_of(one, name)),
                "" if name == ORIGINAL else f"{one.metrics[name]['psnr']:.1f} dB",
            )
            for name in columns
        ]
        for one in scored.values()
    ]
    labels = [f"{cell[0]:g}″, {cell[1]:g} σ" for cell in scored]
    title = next(iter(scored.values())).id
    draw_comparison(rows, columns, labels, path, title, overwrite=True)


if __name__ == "__main__":
    main()

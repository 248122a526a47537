"""Tables 1a to 1d beside the paper's, and every other metric, as Markdown, CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pellucid.evaluation.tables import finite, markdown_table, with_error
from pellucid.studies.galaxygan.jobs import DEGRADED, GAN, Job, plan
from pellucid.studies.galaxygan.paper import published
from pellucid.studies.galaxygan.preset import Cell, Preset
from pellucid.studies.galaxygan.scores import Key, Mean, Scores, mean_of

#: Restorers in the order of a table's columns, and what a reader calls them.
NAMES = {
    DEGRADED: "degraded",
    GAN: "GAN",
    "wiener": "Wiener",
    "richardson-lucy": "Lucy–Richardson",
    "blind": "blind",
    "richardson-lucy-paper": "Lucy–Richardson, as the paper",
    "blind-paper": "blind, as the paper",
}
#: The metrics printed in Markdown, with their headings and decimals; CSV and JSON have all.
METRICS = {
    "psnr": ("PSNR after the stretch, dB", 2),
    "ssim": ("SSIM after the stretch", 3),
    "psnr_linear": ("PSNR of the linear flux, dB", 2),
    "flux_ratio": ("Flux, restored over true", 3),
    "colour_error_g_r": ("Error of the colour g − r, magnitudes", 3),
    "colour_error_r_i": ("Error of the colour r − i, magnitudes", 3),
    "ellipticity_error": ("Error of the ellipticity", 3),
}
PAPER_TABLES = (
    (GAN, "Table 1a: PSNR (dB) of the GAN"),
    ("blind-paper", "Table 1b: PSNR (dB) of blind deconvolution, as the paper ran it"),
    ("richardson-lucy-paper", "Table 1c: PSNR (dB) of Lucy–Richardson, as the paper ran it"),
)


def markdown(preset: Preset, scores: Scores) -> str:
    """All tables for a reader."""
    parts = [
        "# GalaxyGAN: the tables",
        _what(preset, scores),
        "Each entry is the mean over folds ± its standard error. Tables 1a to 1d give ours, and in "
        "brackets the paper's and ours less the paper's. A dash was not computed.",
    ]
    parts += [_paper_table(preset, scores, *table) for table in PAPER_TABLES]
    parts += [
        _curve_table(preset, scores),
        _lead_table(preset, scores),
        _margin_table(preset, scores),
        "# Beside it",
        "Deconvolutions without “as the paper” have a sky pedestal and the iterations that were "
        "best on training images; Wiener takes its noise from the image. All are told the exact "
        "kernel, the blind ones as their start. A row is over the objects of the folds that all of "
        "its entries were scored on.",
    ]
    parts += [_metric_table(preset, scores, metric) for metric in METRICS]
    return "\n\n".join(part for part in parts if part) + "\n"


def rows(preset: Preset, scores: Scores) -> list[dict[str, Any]]:
    """Every mean as a row of plain values; None where there is no number."""
    found = []
    for key in scores.folds:
        for metric in scores.metrics():
            mean = scores.mean(key, metric)
            if mean is None:
                continue
            paper = published(*key) if metric == "psnr" else None
            row = dict(zip(("restorer", "fwhm", "noise", "training_images"), key, strict=True))
            row |= {
                "metric": metric,
                "mean": round(mean.mean, 6),
                "error": finite(round(mean.error, 6)),
                "folds": mean.folds,
                "objects": mean.objects,
                "paper": paper,
                "difference": None if paper is None else round(mean.mean - paper, 6),
            }
            found.append(row)
    return found


def _what(preset: Preset, scores: Scores) -> str:
    """What was computed: numbers alone would be taken for the paper's GAN."""
    recipe = preset.recipe
    stretch = "clipped" if recipe.stretch.get("clip", True) else "not clipped"
    weights = f"{recipe.pixel_weight:g}"
    if recipe.final_pixel_weight is not None:
        weights += f", then {recipe.final_pixel_weight:g}"
    shape = ", ".join(f"{name} {value}" for name, value in recipe.network.items())
    begun = ""
    if preset.beginning is not None:
        (fwhm, noise), steps = preset.beginning.cell, preset.beginning.steps
        begun = f", from a network of {fwhm:g}″ and {noise:g} σ with {steps:,}"
    objects = "all" if preset.test_objects is None else f"at most {preset.test_objects}"
    return (
        f"Preset `{preset.name}`: {preset.description}. Deconvolution on {preset.folds} of the ten "
        f"folds, the GAN on {preset.gan_folds} and in {len(preset.cells_of_gan())} of "
        f"{len(preset.cells())} cells; {objects} objects of a fold are tested. The GAN: {shape}; "
        f"{recipe.steps:,} steps of {recipe.batch}{begun}; pixel weight {weights} "
        f"(the paper's: width 64, levels 8; 82,100 steps of 1; 100); stretch {stretch}. "
        f"{len(scores.records)} of {len(plan(preset))} jobs are done."
    )


def _paper_table(preset: Preset, scores: Scores, restorer: str, title: str) -> str:
    rows = [
        [f"{noise:g} σ", *(_beside(scores, Key(restorer, fwhm, noise)) for fwhm in preset.fwhm)]
        for noise in preset.noise
    ]
    headings = ["noise", *(f"{fwhm:g}″" for fwhm in preset.fwhm)]
    return _section(title, "", headings, rows, left=0)


def _curve_table(preset: Preset, scores: Scores) -> str:
    curve = preset.learning_curve
    if curve is None:
        return ""
    first = preset.first_fold
    trained = {
        images: scores.settings.get(Job("gan", *curve.cells[0], first, images), {}).get(
            "trained_on", images
        )
        for images in curve.images
    }
    rows = []
    for cell in curve.cells:
        whole = scores.mean(Key(GAN, *cell), "psnr", range(first, first + curve.folds))
        found = [_beside(scores, Key(GAN, *cell, n), trained[n] == n) for n in curve.images]
        rows.append([_cell(cell), *found, _number(whole, 2)])
        if preset.recipe.patience is not None:
            jobs = [Job("gan", *cell, first, images) for images in (*curve.images, None)]
            steps = [scores.settings.get(job, {}).get("steps") for job in jobs]
            rows.append(["steps", *("–" if number is None else f"{number:,}" for number in steps)])
    ended = (
        ""
        if preset.recipe.patience is None
        else f" Each training ended {preset.recipe.patience} validations after its best one, which "
        "is what was tested (its step on the first fold stands below it), or after "
        f"{preset.recipe.steps:,} steps."
    )
    headings = [
        f"{n}" if n == given else f"{n} (there were {given})" for n, given in trained.items()
    ]
    return _section(
        "Table 1d: PSNR (dB) of the GAN by the number of training images",
        f"Folds: {curve.folds}. The paper does not say at which cell its own was made.{ended}",
        ["images", *headings, "all"],
        rows,
    )


def _lead_table(preset: Preset, scores: Scores) -> str:
    rows = []
    for cell in preset.cells_of_gan():
        gan = scores.mean(Key(GAN, *cell), "psnr")
        cells = []
        for rival in ("richardson-lucy-paper", "blind-paper"):
            other = scores.mean(Key(rival, *cell), "psnr", scores.folds.get(Key(GAN, *cell)))
            if gan is None or other is None:
                cells.append("–")
                continue
            paper, paper_rival = published(GAN, *cell), published(rival, *cell)
            beside = f" ({paper - paper_rival:+.1f})" if paper and paper_rival else ""
            cells.append(_minus(f"{gan.mean - other.mean:+.1f}{beside}"))
        rows.append([_cell(cell), *cells])
    return _section(
        "The GAN's lead over the deconvolutions of the paper",
        "PSNR in dB, ours less ours, and in brackets the paper's less the paper's.",
        ["cell", "over Lucy–Richardson", "over blind"],
        rows,
    )


def _margin_table(preset: Preset, scores: Scores) -> str:
    rows = []
    for cell in preset.cells():
        found = scores.leads(cell)
        if found is None:
            continue
        best, leads = found
        every = np.concatenate(list(leads.values()))
        every = every[np.isfinite(every)]
        mean = mean_of([float(np.nanmean(some)) for some in leads.values()], every.size)
        won = f"{100 * np.mean(every > 0):.0f} %"
        rows.append([_cell(cell), NAMES[best], _number(mean, 2, "+"), won, str(every.size)])
    return _section(
        "The GAN's lead over the best deconvolution of its cell",
        "PSNR in dB on the same objects of the same folds, and the share of them that it wins.",
        ["cell", "best deconvolution", "lead", "won", "objects"],
        rows,
        left=2,
    )


def _metric_table(preset: Preset, scores: Scores, metric: str) -> str:
    heading, digits = METRICS[metric]
    rows = []
    for cell in preset.cells():
        folds = scores.shared_folds(cell)
        means = [scores.mean(Key(restorer, *cell), metric, folds) for restorer in NAMES]
        objects = max((mean.objects for mean in means if mean is not None), default=0)
        rows.append([_cell(cell), *(_number(mean, digits) for mean in means), str(objects)])
    return _section(heading, "", ["cell", *NAMES.values(), "objects"], rows)


def _section(
    title: str,
    text: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    left: int = 1,
) -> str:
    table = markdown_table(headings, rows, left)
    return "\n\n".join(part for part in (f"## {title}", text, table) if part)


def _cell(cell: Cell) -> str:
    return f"{cell[0]:g}″, {cell[1]:g} σ"


def _beside(scores: Scores, key: Key, comparable: bool = True) -> str:
    """Our PSNR, and in brackets the paper's and the difference, where they can be compared."""
    mean, paper = scores.mean(key, "psnr"), published(*key) if comparable else None
    if mean is None:
        return "–" if paper is None else f"– ({paper:.1f})"
    if paper is None:
        return _number(mean, 2)
    return f"{_number(mean, 2)} ({paper:.1f}, {_minus(f'{mean.mean - paper:+.1f}')})"


def _number(mean: Mean | None, digits: int, sign: str = "") -> str:
    return "–" if mean is None else _minus(with_error(mean.mean, mean.error, digits, sign))


def _minus(text: str) -> str:
    return text.replace("-", "−")

"""Tables 1 and 2 beside the paper's, then sources, flux and structure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.studies.seeinggan.comparison import SEEINGGAN, SUBARU
from pellucid.studies.seeinggan.paper import TABLE_1, TABLE_2
from pellucid.studies.seeinggan.sample import Sample
from pellucid.studies.seeinggan.scores import Scores, values

NAMES = {
    SUBARU: "Subaru, bicubic",
    "wiener": "Wiener",
    "richardson-lucy": "Richardson–Lucy",
    SEEINGGAN: "SeeingGAN",
}
TABLE_1_METRICS = {
    "psnr": ("PSNR (dB)", 2),
    "ssim": ("SSIM", 3),
    "cw_ssim": ("CW-SSIM", 3),
    "cw_ssim_all_scales": ("CW-SSIM, all scales", 3),
    "cw_ssim_printed": ("CW-SSIM as printed", 3),
}
STRUCTURE = {
    "flux_ratio": "flux, ratio",
    "rhalf_ratio": "half-light radius, ratio",
    "ellipticity_difference": "ellipticity, difference",
    "concentration_difference": "concentration, difference",
    "gini_difference": "Gini, difference",
    "m20_difference": "M20, difference",
}


def markdown(sample: Sample, scores: Scores) -> str:
    """All tables as a page."""
    return "\n".join(
        [
            *_table_1(scores),
            *_table_2(scores),
            *_sources(scores),
            *_structure(scores),
            *_galaxies(sample, scores),
        ]
    )


def as_csv(scores: Scores) -> str:
    """One line a galaxy, restorer and metric."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "restorer", "metric", "value"])
    for name, rows in scores.items():
        for restorer, metrics in rows.items():
            writer.writerows([name, restorer, key, repr(value)] for key, value in metrics.items())
    return text.getvalue()


def gains(scores: Scores, restorer: str, metric: str = "cw_ssim") -> dict[str, float]:
    """Percentage by which a restorer changes a metric of the Subaru image, galaxy by galaxy."""
    before, after = (values(scores, name, metric) for name in (SUBARU, restorer))
    measured = np.isfinite(before) & np.isfinite(after) & (before != 0)
    gain = 100.0 * (after[measured] / before[measured] - 1.0)
    if not gain.size:
        return dict.fromkeys(("mean", "deviation", "minimum", "maximum", "improved"), float("nan"))
    return {
        "mean": float(gain.mean()),
        "deviation": float(gain.std(ddof=1)) if gain.size > 1 else float("nan"),
        "minimum": float(gain.min()),
        "maximum": float(gain.max()),
        "improved": float((gain > 0).mean()),
    }


def summary(scores: Scores) -> dict[str, Any]:
    """The tables' numbers for programs: restorer to metric to mean, minimum, maximum, median."""
    table: dict[str, Any] = {}
    for restorer in restorers(scores):
        metrics = next(iter(scores.values()))[restorer]
        table[restorer] = {key: _statistics(values(scores, restorer, key)) for key in metrics}
        if restorer != SUBARU:
            table[restorer]["cw_ssim_gain_percent"] = gains(scores, restorer)
    return table


def as_json(scores: Scores) -> str:
    """`summary` as text; what is not finite is null."""
    return json.dumps(_finite(summary(scores)), indent=1, allow_nan=False) + "\n"


def restorers(scores: Scores) -> list[str]:
    """Who was scored."""
    return list(next(iter(scores.values())))


def _table_1(scores: Scores) -> list[str]:
    names = restorers(scores)
    lines = [
        f"## Table 1: likeness to HST, {len(scores)} galaxies (mean / minimum / maximum)",
        "",
        _row(["", *(NAMES.get(name, name) for name in names), "paper: Subaru", "paper: SeeingGAN"]),
        _row(["---"] * (len(names) + 3)),
    ]
    for metric, (title, digits) in TABLE_1_METRICS.items():
        cells = [_three(values(scores, name, metric), digits) for name in names]
        theirs = TABLE_1.get(metric)
        paper = [
            " / ".join(f"{each:.3f}" for each in theirs[who]) if theirs else ""
            for who in ("subaru", "seeinggan")
        ]
        lines.append(_row([title, *cells, *paper]))
    return [*lines, ""]


def _table_2(scores: Scores) -> list[str]:
    lines = [
        "## Table 2: CW-SSIM gained over the Subaru image, per cent",
        "",
        _row(["", "mean", "standard deviation", "minimum", "maximum", "galaxies improved"]),
        _row(["---"] * 6),
    ]
    for name in restorers(scores):
        if name == SUBARU:
            continue
        gain = gains(scores, name)
        cells = [_number(gain[key], ".2f") for key in ("mean", "deviation", "minimum", "maximum")]
        lines.append(_row([NAMES.get(name, name), *cells, _number(gain["improved"], ".0%")]))
    return [*lines, _row(["paper: SeeingGAN", *map(str, TABLE_2), ""]), ""]


def _sources(scores: Scores) -> list[str]:
    lines = [
        "## Sources: what is shown that HST does not have, and what is not shown that it has",
        "",
        _row(["", "HST's", "shown", "missed", "ghosts", "completeness", "purity"]),
        _row(["---"] * 7),
    ]
    for name in restorers(scores):
        truth, shown, missed, ghosts = (
            int(np.nansum(values(scores, name, f"sources_{key}")))
            for key in ("truth", "restored", "missed", "ghosts")
        )
        completeness = f"{1 - missed / truth:.3f}" if truth else ""
        purity = f"{1 - ghosts / shown:.3f}" if shown else ""
        counts = map(str, (truth, shown, missed, ghosts))
        lines.append(_row([NAMES.get(name, name), *counts, completeness, purity]))
    return [*lines, ""]


def _structure(scores: Scores) -> list[str]:
    names = restorers(scores)
    lines = [
        "## Flux and structure against HST's: median, and half the 16 to 84 per cent range",
        "",
        _row(["", *(NAMES.get(name, name) for name in names)]),
        _row(["---"] * (len(names) + 1)),
    ]
    for metric, title in STRUCTURE.items():
        lines.append(_row([title, *(_spread(values(scores, name, metric)) for name in names)]))
    return [*lines, ""]


def _galaxies(sample: Sample, scores: Scores) -> list[str]:
    lines = [
        "## The galaxies",
        "",
        _row(["id", "magnitude", "R90 (arcsec)", "CW-SSIM: Subaru", "SeeingGAN"]),
        _row(["---"] * 5),
    ]
    for each in sample.galaxies:
        if each.id not in scores:
            continue
        size = "" if each.r90 is None else f"{each.r90:.2f}"
        magnitude = "" if each.magnitude is None else f"{each.magnitude:.2f}"
        both = (_number(scores[each.id][name]["cw_ssim"], ".3f") for name in (SUBARU, SEEINGGAN))
        lines.append(_row([each.id, magnitude, size, *both]))
    return [*lines, ""]


def _number(value: float, form: str) -> str:
    return format(value, form) if np.isfinite(value) else ""


def _three(numbers: np.ndarray, digits: int) -> str:
    good = numbers[np.isfinite(numbers)]
    if not good.size:
        return ""
    return " / ".join(f"{each:.{digits}f}" for each in (good.mean(), good.min(), good.max()))


def _spread(numbers: np.ndarray) -> str:
    good = numbers[np.isfinite(numbers)]
    if not good.size:
        return ""
    low, middle, high = np.percentile(good, [16, 50, 84])
    return f"{middle:.3f} ± {0.5 * (high - low):.3f}"


def _statistics(numbers: np.ndarray) -> dict[str, float]:
    good = numbers[np.isfinite(numbers)]
    if not good.size:
        return {"count": 0}
    return {
        "count": int(good.size),
        "mean": float(good.mean()),
        "minimum": float(good.min()),
        "maximum": float(good.max()),
        "median": float(np.median(good)),
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"

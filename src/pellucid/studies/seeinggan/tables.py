"""Tables 1 and 2 beside the paper's, then sources, flux and structure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.evaluation.tables import BREAK, markdown_table
from pellucid.studies.seeinggan.jobs import PIXELS, SEEINGGAN, SUBARU
from pellucid.studies.seeinggan.order import order_table
from pellucid.studies.seeinggan.paper import TABLE_1, TABLE_2
from pellucid.studies.seeinggan.sample import Parts
from pellucid.studies.seeinggan.scores import Scores, Second, values

#: Who is compared in the paper, and what its numbers are called beside ours.
PAPER = {SUBARU: "paper: Subaru", SEEINGGAN: "paper: SeeingGAN"}
NAMES = {
    SUBARU: "Subaru, bicubic",
    "blurred": "the blurred image",
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
TABLE_3 = {
    "psnr": ("PSNR (dB)", 2),
    "ssim": ("SSIM", 3),
    "cw_ssim": ("CW-SSIM", 3),
    "flux_ratio": ("flux, ratio", 3),
    "half_light_radius_ratio": ("radius, ratio", 3),
}
LAYER_NAMES = {SUBARU: "Subaru", PIXELS: "pixels alone", SEEINGGAN: "the model"}
TABLE_4 = {
    "psnr": ("PSNR (dB)", 2),
    "cw_ssim": ("CW-SSIM", 3),
    "cw_ssim_all_scales": ("CW-SSIM, all scales", 3),
    "rhalf_ratio": ("radius, ratio", 2),
    "veil": ("veil", 3),
}
ORDER = (
    "SeeingGAN's lead on the same galaxies: mean [95 %, galaxies drawn again], share that it wins"
)
STRUCTURE = {
    "flux_ratio": "flux, ratio",
    "rhalf_ratio": "half-light radius, ratio",
    "ellipticity_difference": "ellipticity, difference",
    "concentration_difference": "concentration, difference",
    "gini_difference": "Gini, difference",
    "m20_difference": "M20, difference",
}


def markdown(
    sample: Parts, scores: Scores, second: Second | None = None, layers: Scores | None = None
) -> str:
    """All tables as a page."""
    parts = [part(scores) for part in (_table_1, _table_2, _sources, _structure)]
    parts.append(_order(sample, scores))
    if second is not None:
        parts.append(_second(second))
    if layers:
        parts.append(_layers(layers))
    return "\n".join([*parts, _galaxies(sample, scores)])


def gains(scores: Scores, restorer: str, metric: str = "cw_ssim") -> dict[str, float]:
    """Percentage by which a restorer changes a metric of the Subaru image, galaxy by galaxy."""
    before, after = (values(scores, name, metric) for name in (SUBARU, restorer))
    measured = np.isfinite(before) & np.isfinite(after) & (before != 0)
    gain = 100.0 * (after[measured] / before[measured] - 1.0)
    if not gain.size:
        return dict.fromkeys(("mean", "deviation", "minimum", "maximum", "improved"), math.nan)
    return {
        "mean": float(gain.mean()),
        "deviation": float(gain.std(ddof=1)) if gain.size > 1 else math.nan,
        "minimum": float(gain.min()),
        "maximum": float(gain.max()),
        "improved": float((gain > 0).mean()),
    }


def summary(scores: Scores) -> dict[str, Any]:
    """The tables' numbers for programs: restorer to metric to mean, minimum, maximum, median."""
    table: dict[str, Any] = {}
    for restorer in restorers(scores):
        metrics = next(iter(scores.values()))[restorer]
        table[restorer] = {key: _statistics(_good(scores, restorer, key)) for key in metrics}
        if restorer != SUBARU:
            table[restorer]["cw_ssim_gain_percent"] = gains(scores, restorer)
    return table


def restorers(scores: Scores) -> list[str]:
    """Who was scored."""
    return list(next(iter(scores.values())))


def _table_1(scores: Scores) -> str:
    names = restorers(scores)
    table = []
    for metric, (title, digits) in TABLE_1_METRICS.items():
        paper = TABLE_1.get(metric, dict.fromkeys(PAPER, ()))
        cells = [_three(_good(scores, name, metric), digits) for name in names]
        cells += [_lines(f"{value:.3f}" for value in paper[who]) for who in PAPER]
        table.append([title, *cells])
    return _section(
        f"Table 1: likeness to HST, {len(scores)} galaxies "
        "(mean ± standard deviation, below it minimum and maximum; the paper's without deviation)",
        ["", *map(_called, names), *PAPER.values()],
        table,
    )


def _table_2(scores: Scores) -> str:
    table = []
    for name in restorers(scores):
        if name != SUBARU:
            *gain, improved = gains(scores, name).values()
            cells = [_number(value, ".2f") for value in gain]
            table.append([_called(name), *cells, _number(improved, ".0%")])
    return _section(
        "Table 2: CW-SSIM gained over the Subaru image, per cent",
        ["", "mean", "standard deviation", "minimum", "maximum", "galaxies improved"],
        [*table, [PAPER[SEEINGGAN], *map(str, TABLE_2), ""]],
    )


def _sources(scores: Scores) -> str:
    table = []
    for name in restorers(scores):
        kinds = ("truth", "restored", "missed", "ghosts")
        counts = [int(np.nansum(values(scores, name, f"sources_{kind}"))) for kind in kinds]
        truth, shown, missed, ghosts = counts
        completeness = f"{1 - missed / truth:.3f}" if truth else ""
        purity = f"{1 - ghosts / shown:.3f}" if shown else ""
        table.append([_called(name), *map(str, counts), completeness, purity])
    return _section(
        "Sources: what is shown that HST does not have, and what is not shown that it has",
        ["", "HST's", "shown", "missed", "ghosts", "completeness", "purity"],
        table,
    )


def _structure(scores: Scores) -> str:
    names = restorers(scores)
    return _section(
        "Flux and structure against HST's: median, and half the 16 to 84 per cent range",
        ["", *map(_called, names)],
        [
            [title, *(_spread(_good(scores, name, metric)) for name in names)]
            for metric, title in STRUCTURE.items()
        ],
    )


def _order(sample: Parts, scores: Scores) -> str:
    """Who leads on the galaxies that HSC and HST saw."""
    known = {galaxy.id: galaxy for galaxy in sample.galaxies}
    taken = [known.get(name) for name in scores]
    magnitude, size = (
        np.array([getattr(some, key, None) for some in taken], dtype=float)
        for key in ("magnitude", "r90")
    )
    return _section(ORDER, *order_table(scores, -magnitude, size, SEEINGGAN, _others(scores)))


def _others(scores: Scores) -> dict[str, str]:
    """Who SeeingGAN is ahead of or behind, and how they are called."""
    return {name: _called(name) for name in restorers(scores) if name != SEEINGGAN}


def _second(second: Second) -> str:
    """Table 3, and who leads there."""
    scores = second.scores
    table = []
    for name in restorers(scores):
        cells = [_spread_of_mean(_good(scores, name, key), n) for key, (_, n) in TABLE_3.items()]
        ghosts = int(np.nansum(values(scores, name, "sources_ghosts")))
        table.append([_called(name), *cells, str(ghosts)])
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(second.kinds).items())
    order = order_table(scores, second.signal, second.radius, SEEINGGAN, _others(scores))
    return "\n".join(
        [
            _section(
                f"Table 3: {len(scores)} galaxies of Euclid ({kinds}), mean ± standard deviation",
                ["", *(title for title, _ in TABLE_3.values()), "ghosts"],
                table,
            ),
            _section(ORDER, *order),
        ]
    )


def _layers(scores: Scores) -> str:
    """Table 4: what figure 6 shows of two galaxies, of all of them."""
    table = []
    for name in restorers(scores):
        cells = [_spread_of_mean(_good(scores, name, key), n) for key, (_, n) in TABLE_4.items()]
        missed, ghosts = (
            int(np.nansum(values(scores, name, f"sources_{kind}"))) for kind in ("missed", "ghosts")
        )
        table.append([LAYER_NAMES.get(name, name), *cells, str(missed), str(ghosts)])
    own = _spread_of_mean(_good(scores, SUBARU, "veil_truth"), TABLE_4["veil"][1])
    return _section(
        f"Table 4: the perceptual loss's layer, {len(scores)} galaxies, mean ± standard deviation "
        f"(veil: smooth light over empty sky, in HST's noise of a pixel; HST's own is {own})",
        ["", *(title for title, _ in TABLE_4.values()), "missed", "ghosts"],
        table,
    )


def _galaxies(sample: Parts, scores: Scores) -> str:
    return _section(
        "The galaxies",
        ["id", "magnitude", "R90 (arcsec)", "CW-SSIM: Subaru", "SeeingGAN"],
        [
            [
                galaxy.id,
                _number(galaxy.magnitude, ".2f"),
                _number(galaxy.r90, ".2f"),
                *(_number(scores[galaxy.id][who]["cw_ssim"], ".3f") for who in PAPER),
            ]
            for galaxy in sample.galaxies
            if galaxy.id in scores
        ],
    )


def _section(title: str, headings: Sequence[str], table: Iterable[Sequence[str]]) -> str:
    return f"## {title}\n\n{markdown_table(headings, table)}\n"


def _good(scores: Scores, restorer: str, metric: str) -> NDArray[np.float64]:
    numbers = values(scores, restorer, metric)
    return numbers[np.isfinite(numbers)]


def _called(restorer: str) -> str:
    return NAMES.get(restorer, restorer)


def _number(value: float | None, form: str) -> str:
    return "" if value is None or not np.isfinite(value) else format(value, form)


def _three(good: NDArray[np.float64], digits: int) -> str:
    if not good.size:
        return ""
    ends = (f"{value:.{digits}f}" for value in (good.min(), good.max()))
    return _lines((_spread_of_mean(good, digits), *ends))


def _lines(numbers: Iterable[str]) -> str:
    """A mean, and below it minimum and maximum: a cell of one line would be too wide."""
    mean, *ends = [*numbers] or [""]
    return f"{mean}{BREAK}{' to '.join(ends)}" if ends else mean


def _spread_of_mean(good: NDArray[np.float64], digits: int) -> str:
    return f"{good.mean():.{digits}f} ± {good.std():.{digits}f}" if good.size else ""


def _spread(good: NDArray[np.float64]) -> str:
    if not good.size:
        return ""
    low, middle, high = np.percentile(good, [16, 50, 84])
    return f"{middle:.3f} ± {0.5 * (high - low):.3f}"


def _statistics(good: NDArray[np.float64]) -> dict[str, float]:
    if not good.size:
        return {"count": 0}
    return {
        "count": int(good.size),
        "mean": float(good.mean()),
        "minimum": float(good.min()),
        "maximum": float(good.max()),
        "median": float(np.median(good)),
    }

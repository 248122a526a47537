"""Tables of summaries: for a terminal, a page, a program."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console
from rich.table import Table

from pellucid.evaluation.scores import Summary

#: Metric, its heading, and how many decimals it deserves.
COLUMNS: dict[str, tuple[str, int]] = {
    "psnr": ("PSNR [dB]", 2),
    "ssim": ("SSIM", 3),
    "psnr_linear": ("linear PSNR [dB]", 2),
    "flux_ratio": ("flux ratio", 3),
    "half_light_radius_ratio": ("radius ratio", 3),
    "centroid_error": ("centroid [pix]", 2),
    "ellipticity_error": ("Δe", 3),
}

Summaries = dict[str, dict[str, Summary]]


def terminal_table(summaries: Summaries, title: str, columns: tuple[str, ...]) -> Table:
    """A table for `rich`, one row a restorer."""
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(COLUMNS[column][0], justify="right", no_wrap=True)
    for restorer, metrics in summaries.items():
        table.add_row(restorer, *(format_summary(metrics[name], name) for name in columns))
    return table


def print_table(table: Table) -> None:
    """Print a table to stdout, never narrower than it needs where nobody's terminal is there."""
    console = Console()
    Console(width=None if console.is_terminal else 160).print(table)


def markdown_table(summaries: Summaries, columns: tuple[str, ...]) -> str:
    """The same in Markdown."""
    lines = [
        "| | " + " | ".join(COLUMNS[name][0] for name in columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    for restorer, metrics in summaries.items():
        cells = (format_summary(metrics[name], name) for name in columns)
        lines.append(f"| {restorer} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def as_json(summaries: Summaries) -> dict[str, Any]:
    """Plain numbers; what is not finite becomes null."""
    return {
        restorer: {
            name: {"mean": _number(each.mean), "error": _number(each.error), "count": each.count}
            for name, each in metrics.items()
        }
        for restorer, metrics in summaries.items()
    }


def format_summary(summary: Summary, metric: str) -> str:
    """``mean ± standard error``, with the decimals the metric deserves."""
    digits = COLUMNS.get(metric, ("", 3))[1]
    if not summary.count:
        return "–"
    if not math.isfinite(summary.error):
        return f"{summary.mean:.{digits}f}"
    return f"{summary.mean:.{digits}f} ± {summary.error:.{digits}f}"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None

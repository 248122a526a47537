"""Tables: for a terminal, a page, a program."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from pellucid.errors import printable
from pellucid.evaluation.scores import Summaries, Summary

#: Between the lines of a cell of Markdown.
BREAK = "<br>"
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


def unit_of(metric: str) -> str:
    """In what a metric is measured; empty where it is a ratio or a plain number."""
    if metric.startswith("colour_error"):
        return "mag"
    return {"psnr": "dB", "psnr_linear": "dB", "centroid_error": "pixels"}.get(metric, "")


def summary_rows(summaries: Summaries, columns: Iterable[str]) -> list[list[str]]:
    """A row a restorer: its name, then ``mean ± standard error`` of each column."""
    columns = list(columns)
    return [
        [printable(name), *(_format(metrics[column], COLUMNS[column][1]) for column in columns)]
        for name, metrics in summaries.items()
    ]


def print_table(summaries: Summaries, title: str, columns: Iterable[str]) -> None:
    """Print a table to stdout, never narrower than it needs where nobody's terminal is there."""
    columns = list(columns)
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(COLUMNS[column][0], justify="right", no_wrap=True)
    for row in summary_rows(summaries, columns):
        table.add_row(*row)
    console = Console()
    Console(width=None if console.is_terminal else 160).print(table)


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A table in Markdown; the first ``left`` columns are texts, the others numbers."""
    lines = [
        _row(headings),
        "|" + "---|" * left + "---:|" * (len(headings) - left),
        *(_row(cells) for cells in rows),
    ]
    return "\n".join(lines)


def csv_text(rows: Sequence[dict[str, Any]]) -> str:
    """Rows of one form as CSV; an empty field is no number."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def json_text(content: Any) -> str:
    """Strict JSON, a list one row a line; what is not finite is null."""
    content = finite(content)
    if isinstance(content, list):
        return "[\n" + ",\n".join(json.dumps(row, allow_nan=False) for row in content) + "\n]\n"
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def finite(content: Any) -> Any:
    """Plain values as JSON has them; what is not finite becomes None."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def with_error(mean: float, error: float, digits: int, sign: str = "") -> str:
    """``mean ± error``, without the error where it is unknown."""
    number = f"{mean:{sign}.{digits}f}"
    return f"{number} ± {error:.{digits}f}" if math.isfinite(error) else number


def _format(summary: Summary, digits: int) -> str:
    return with_error(summary.mean, summary.error, digits) if summary.count else "–"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(printable(cell).replace("|", "\\|") for cell in cells) + " |"

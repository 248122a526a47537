"""A page with the table and the pictures of a comparison, in one file."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.display import to_rgb
from pellucid.errors import UsageError
from pellucid.evaluation.scores import Scored, Summaries
from pellucid.evaluation.tables import COLUMNS, markdown_table, summary_rows
from pellucid.files import write_content
from pellucid.version import __version__

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 74rem; margin: 2rem auto; padding: 0 1rem;
       color: #1c2330; background: #fff }
table { border-collapse: collapse; margin: 1.5rem 0 }
th, td { padding: .35rem .8rem; text-align: right; border-bottom: 1px solid #d9dee7 }
th:first-child, td:first-child { text-align: left }
.wide { overflow-x: auto }
.galaxies td { border: 0; padding: .15rem; text-align: center; font-size: .8rem; color: #5a6474 }
img { width: 11rem; image-rendering: pixelated; display: block }
footer { color: #5a6474; font-size: .85rem }
"""


def check_report_name(path: str | Path) -> Path:
    """The path of a report; `UsageError` when its name ends neither in .html nor in .md."""
    path = Path(path)
    if path.suffix not in (".html", ".md"):
        raise UsageError(f"{path}: a report's name ends in .html or .md")
    return path


def write_report(
    path: str | Path,
    title: str,
    summaries: Summaries,
    shown: Sequence[Scored],
    overwrite: bool = False,
) -> Path:
    """Write a page: Markdown with the table, or HTML with the objects ``shown`` as well."""
    path = check_report_name(path)
    headings = ["", *(heading for heading, _ in COLUMNS.values())]
    rows = summary_rows(summaries, COLUMNS)
    if path.suffix == ".md":
        text = f"# {title}\n\n{markdown_table(headings, rows)}\n"
    else:
        table = _row("th", headings) + "".join(_row("td", row) for row in rows)
        text = _page(html.escape(title), table, "".join(map(_gallery_row, shown)))
    return write_content(path, text, overwrite)


def _page(title: str, table: str, gallery: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f'<h1>{title}</h1><div class="wide"><table>{table}</table></div>'
        f'<div class="wide"><table class="galaxies">{gallery}</table></div>'
        "<p>Mean over the objects ± its standard error. PSNR and SSIM are taken after the stretch."
        f"</p><footer>pellucid {__version__}</footer></html>\n"
    )


def _row(tag: str, texts: Sequence[str]) -> str:
    cells = "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)
    return f"<tr>{cells}</tr>\n"


def _gallery_row(scored: Scored) -> str:
    """An object as it is, then as each restorer made it."""
    cells = [f"<td>{_picture(to_rgb(scored.pair.sharp))}{html.escape(scored.id)}</td>"]
    cells += [
        f"<td>{_picture(to_rgb(restoration.image))}{html.escape(name)} "
        f"{scored.metrics[name]['psnr']:.1f} dB</td>"
        for name, restoration in scored.restored.items()
    ]
    return f"<tr>{''.join(cells)}</tr>\n"


def _picture(rgb: NDArray[np.uint8]) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, format="PNG")
    return (
        f'<img alt="" src="data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}">'
    )

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
from pellucid.sky import SkyImage
from pellucid.version import __version__

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --faint: #5a6474; --line: #d9dee7; --paper: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e9eaec; --faint: #9aa1ab; --line: #2d3035; --paper: #131416 }
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 74rem; margin: 2rem auto; padding: 0 1rem;
       color: var(--ink); background: var(--paper) }
h1 { font-size: 1.4rem; overflow-wrap: anywhere }
table { border-collapse: collapse; margin: 1.5rem 0 }
th, td { padding: .35rem .8rem; text-align: right; border-bottom: 1px solid var(--line);
         white-space: nowrap }
th:first-child, td:first-child { text-align: left }
.wide { overflow-x: auto }
.galaxies td { border: 0; padding: .15rem .15rem .6rem; text-align: left; vertical-align: top;
               font-size: .8rem; color: var(--faint); white-space: normal; max-width: 11rem;
               overflow-wrap: anywhere }
.galaxies b { display: block; color: var(--ink); font-weight: 500 }
img { width: 11rem; image-rendering: pixelated; display: block }
footer { color: var(--faint); font-size: .85rem }
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
    cells = [_cell(scored.pair.sharp, "the truth", scored.id)]
    cells += [
        _cell(restoration.image, name, f"{scored.metrics[name]['psnr']:.1f} dB")
        for name, restoration in scored.restored.items()
    ]
    return f"<tr>{''.join(cells)}</tr>\n"


def _cell(image: SkyImage, name: str, told: str) -> str:
    return f"<td>{_picture(to_rgb(image))}<b>{html.escape(name)}</b>{html.escape(told)}</td>"


def _picture(rgb: NDArray[np.uint8]) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, format="PNG")
    return (
        f'<img alt="" src="data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}">'
    )

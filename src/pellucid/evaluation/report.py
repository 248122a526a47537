"""A page with the table and the pictures of a comparison, in one file."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.data.pairs import Pairs
from pellucid.display import to_rgb
from pellucid.errors import UsageError
from pellucid.evaluation.tables import COLUMNS, Summaries, format_summary, markdown_table
from pellucid.files import write_content
from pellucid.metrics import measure
from pellucid.restoration import Restorer
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
    store: Pairs,
    shown: Sequence[int] | NDArray[np.integer],
    restorers: Sequence[Restorer],
    seed: int = 0,
    overwrite: bool = False,
) -> Path:
    """Write a page: Markdown with the table, or HTML with some galaxies as well.

    Raises
    ------
    UsageError
        When the name ends neither in .html nor in .md.
    """
    path = check_report_name(path)
    if path.suffix == ".md":
        text = f"# {title}\n\n{markdown_table(summaries, tuple(COLUMNS))}"
    else:
        text = _page(title, summaries, _gallery(store, shown, restorers, seed))
    return write_content(path, text, overwrite)


def _page(title: str, summaries: Summaries, gallery: str) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text, _ in COLUMNS.values())
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td>"
        + "".join(f"<td>{format_summary(metrics[column], column)}</td>" for column in COLUMNS)
        + "</tr>\n"
        for name, metrics in summaries.items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{html.escape(title)}</h1>"
        f'<div class="wide"><table><tr><th></th>{head}</tr>\n{rows}</table></div>'
        f'<div class="wide"><table class="galaxies">{gallery}</table></div>'
        "<p>Mean over the objects ± its standard error. PSNR and SSIM are taken after the stretch."
        f"</p><footer>pellucid {__version__}</footer></html>\n"
    )


def _gallery(
    store: Pairs,
    shown: Sequence[int] | NDArray[np.integer],
    restorers: Sequence[Restorer],
    seed: int,
) -> str:
    rows = []
    for index in shown:
        pair = store.pair(int(index), seed)
        sharp, images = pair.sharp, {"degraded": pair.blurred}
        for restorer in restorers:
            images[restorer.name] = restorer(pair.blurred, pair.blur).image
        cells = [f"<td>{_picture(to_rgb(sharp))}{html.escape(store.ids[int(index)])}</td>"]
        cells += [
            f"<td>{_picture(to_rgb(image))}{html.escape(name)} "
            f"{measure(image, sharp, metrics=['psnr'])['psnr']:.1f} dB</td>"
            for name, image in images.items()
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>\n")
    return "".join(rows)


def _picture(rgb: NDArray[np.uint8]) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, format="PNG")
    return (
        f'<img alt="" src="data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}">'
    )

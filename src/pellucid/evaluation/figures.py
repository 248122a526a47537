"""Figures: galaxies side by side, as the paper's Figure 2 shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.files import write_atomically

#: Inches a picture.
PANEL = 1.6
#: Inches left of the first picture, for the rows' names.
LABEL = 0.25
#: Inches that a page shows without shrinking them; letters of wider figures are larger, to a bound.
PAGE = 7.5
LARGEST = 1.35


@dataclass(frozen=True)
class Panel:
    """One picture of a figure.

    Parameters
    ----------
    picture
        Shape (y, x, 3), uint8.
    note
        Small text in its lower corner, e.g. its PSNR.
    """

    picture: NDArray[np.uint8]
    note: str = ""


def draw_comparison(
    rows: Sequence[Sequence[Panel]],
    headings: Sequence[str],
    names: Sequence[str],
    path: str | Path,
    title: str = "",
    overwrite: bool = False,
) -> Path:
    """Draw a row a galaxy and a column a restorer, as PNG or PDF by the name's end.

    Parameters
    ----------
    rows
        One sequence of panels a galaxy.
    headings
        One text a column.
    names
        One text a row.
    """
    # The object interface: no window, no state shared with a caller's own pyplot.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = PANEL * len(headings) + LABEL
    larger = min(max(width / PAGE, 1.0), LARGEST)
    heading = 0.12 + 0.14 * larger * max(text.count("\n") + 1 for text in headings)
    height = PANEL * len(rows) + heading + (0.25 * larger if title else 0.04)
    figure = Figure(figsize=(width, height), dpi=150)
    FigureCanvasAgg(figure)
    top = 1.0 - (heading + (0.22 * larger if title else 0.0)) / height
    grid = figure.subplots(len(rows), len(headings), squeeze=False)
    figure.subplots_adjust(LABEL / width, 0.002, 0.998, top, wspace=0.03, hspace=0.03)
    for name, row, axes in zip(names, rows, grid, strict=True):
        for panel, axis in zip(row, axes, strict=True):
            axis.imshow(panel.picture, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            axis.text(
                0.04, 0.05, panel.note, color="white", fontsize=7 * larger,
                transform=axis.transAxes,
                bbox={"facecolor": "black", "alpha": 0.55, "pad": 1.5, "edgecolor": "none"},
            )  # fmt: skip
        axes[0].set_ylabel(name, fontsize=7 * larger, labelpad=2)
    for heading, axis in zip(headings, grid[0], strict=True):
        axis.set_title(heading, fontsize=8 * larger, pad=3)
    if title:
        figure.suptitle(title, fontsize=9 * larger, y=1.0 - 0.08 / height, va="top")
    kind = Path(path).suffix.lstrip(".") or "png"
    return write_atomically(path, lambda stream: figure.savefig(stream, format=kind), overwrite)

"""What a tutorial's last line returned, where that is a figure, as sphinx-gallery wants it."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst


def returned_figure(block: Any, variables: dict[str, Any], conf: dict[str, Any]) -> str:
    """`Restoration.plot` gives a figure that pyplot has never heard of."""
    figure = variables["example_globals"].get("___")
    if not isinstance(figure, Figure):
        return ""
    path = next(variables["image_path_iterator"])
    figure.savefig(path, dpi=130)
    return figure_rst([path], conf["src_dir"])

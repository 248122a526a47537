"""The site: `make docs` builds it of the pages beside this file, with warnings as errors."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_site"), str(HERE.parent / "src")]

from pellucid.version import __version__  # noqa: E402

project = "pellucid"
author = copyright = "the pellucid developers"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "signatures",
]
exclude_patterns = ["_build", "_site", "tutorials"]

# Pages are Markdown that a forge shows as well: links between them are files, and headings have
# the anchors that a forge gives them.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
highlight_language = "none"
smartquotes = False  # 1.4" is an angle

# The scripts in tutorials/ are run at each build; the pages made of them stand in learn/.
sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "learn",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "run_stale_examples": True,
    "image_scrapers": ("matplotlib", "figures.returned_figure"),
    "ignore_repr_types": r"matplotlib",
    "capture_repr": ("_repr_html_",),
    "download_all_examples": False,
    "write_computation_times": False,
    "remove_config_comments": True,
    "show_signature": False,
    "min_reported_time": 600,
}

# What the package offers, by its docstrings. Reading them must not cost an import of torch.
autodoc_mock_imports = ["torch"]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 72
numpydoc_show_class_members = False
default_role = "py:obj"

html_theme = "furo"
html_title = f"pellucid {__version__}"
html_static_path = ["_site/static"]
html_css_files = ["pellucid.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1f4e79", "color-brand-content": "#1f5f99"},
    "dark_css_variables": {"color-brand-primary": "#9cc4ec", "color-brand-content": "#86b7e8"},
}

#: Where the site has what lies elsewhere on a forge.
ELSEWHERE = {
    r"\]\(\.\./CONTRIBUTING\.md": "](contributing.md",
    r"\]\(tutorials/(\w+)\.py": r"](learn/\1.rst",
}


#: Pages that a study or a benchmark wrote.
OF_STUDIES = ("/tables", "/readings", "/adversary", "/starred", "/shear", "/choices")


def _as_page(app: object, page: str, source: list[str]) -> None:
    """What a page needs here that it has no use for on a forge."""
    for outside, inside in ELSEWHERE.items():
        source[0] = re.sub(outside, inside, source[0])
    if page.startswith("results/") and page.endswith(OF_STUDIES):
        # A study wrote it; its results lead there, the list of pages does not.
        title = "" if source[0].startswith("# ") else "# Tables\n\n"
        source[0] = f"---\norphan: true\n---\n\n{title}{source[0]}"


def setup(app: object) -> None:
    app.connect("source-read", _as_page)  # type: ignore[attr-defined]

"""The page: one file with its style, its script and its data inside, and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from pellucid.files import write_content
from pellucid.version import __version__

#: How a note begins that is a warning; the scripts know it, too.
AMISS = "warning: "
#: In the order in which the browser runs them, as one script.
SCRIPTS = (
    *("planes.js", "sky.js", "stretch.js", "marks.js", "stage.js", "plots.js"),
    *("panel.js", "viewer.js", "hands.js", "gallery.js", "page.js"),
)
_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def page(subjects: Iterable[dict[str, Any]], title: str) -> str:
    """A page of subjects as `pellucid.view.subject.told` tells them; of what failed, why.

    What a header or a name contains is text: it stands in JSON, and the script never makes markup.
    """
    here = files("pellucid.view")
    style = (here / "page.css").read_text("utf-8")
    script = "\n".join((here / name).read_text("utf-8") for name in SCRIPTS)
    policy = _POLICY.format(script=_digest(script), style=_digest(style))
    index: list[dict[str, Any]] = []
    data = []
    for each in subjects:
        told = {"name": each["name"], "numbers": each.get("numbers", {})}
        if "layers" in each:
            told["at"] = len(data)
            told["warnings"] = [note for note in each.get("notes", ()) if note.startswith(AMISS)]
            data.append(f'<script type="application/json" class="subject">{as_text(each)}</script>')
        else:
            told["reason"] = each.get("reason", "")
        index.append(told)
    data.append(f'<script type="application/json" id="index">{as_text(index)}</script>')
    filled = {
        "POLICY": policy,
        "TITLE": html.escape(title),
        "VERSION": html.escape(__version__),
        "STYLE": style,
        "DATA": "\n".join(data),
        "SCRIPT": script,
    }
    text = (here / "page.html").read_text("utf-8")
    parts = text.split("%%")  # odd ones are names: what is filled in is not looked at again
    return "".join(filled[part] if k % 2 else part for k, part in enumerate(parts))


def write_page(
    subjects: Iterable[dict[str, Any]],
    title: str,
    path: str | os.PathLike[str],
    overwrite: bool = False,
) -> Path:
    """Write a page; raises as `pellucid.files.write_atomically`."""
    return write_content(path, page(subjects, title), overwrite)


def as_text(value: Any) -> str:
    """JSON that no text inside can end: < > & and the line ends of JavaScript are escaped."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    # A lone surrogate of an odd file name is no UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")

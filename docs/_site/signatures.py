"""Signatures as the source has them, not as Python resolves them."""

from __future__ import annotations

import inspect
import re
import sys
from typing import Any, Literal, get_origin


class _Text:
    """Printed as it is, where Python would print quotes or an address."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _annotation(written: Any, names: dict[str, Any]) -> Any:
    """What was written, but with the words that a name stands for."""

    def spelled(match: re.Match[str]) -> str:
        known = names.get(match[0])
        return str(known).replace("typing.", "") if get_origin(known) is Literal else match[0]

    return _Text(re.sub(r"\b\w+\b", spelled, written)) if isinstance(written, str) else written


def _default(value: Any) -> Any:
    empty = value is inspect.Parameter.empty
    made = callable(value) or repr(value) == "<factory>"
    return _Text("...") if made and not empty else value


def as_written(
    app: Any, what: str, name: str, value: Any, options: Any, signature: str, gives: str
) -> tuple[str, str] | None:
    """For autodoc; of a protocol, which nobody makes, nothing."""
    if getattr(value, "_is_protocol", False):
        return "", ""
    if what not in ("class", "function", "method"):
        return None
    names = vars(sys.modules[value.__module__])
    found = inspect.signature(value)
    parameters = [
        parameter.replace(
            annotation=_annotation(parameter.annotation, names),
            default=_default(parameter.default),
        )
        for parameter in found.parameters.values()
        if parameter.name != "self"
    ]
    returned = found.return_annotation if what != "class" else inspect.Signature.empty
    written = str(found.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
    return written, str(_annotation(returned, names)) if isinstance(returned, str) else ""


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-signature", as_written)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

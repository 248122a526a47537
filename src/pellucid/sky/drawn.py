"""How values draw themselves: what draws them lies far above, and says so here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

#: By what is drawn; `pellucid.api` fills it.
DRAWERS: dict[str, Callable[..., Any]] = {}


def drawn(what: str, *values: Any) -> Any:
    """What a drawer makes of some values."""
    if what not in DRAWERS:
        import_module("pellucid.api")
    return DRAWERS[what](*values)

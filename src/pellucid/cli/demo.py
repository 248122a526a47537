"""demo: real galaxies, degraded and restored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = Path(
        "demo"
    ),
) -> None:
    """Degrade real galaxies, restore them in every way, and draw what came out."""
    from pellucid.demo import run_demo

    run_demo(output)

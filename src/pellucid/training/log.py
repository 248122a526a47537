"""What a run says of itself: JSON lines in a file, a bar on the terminal."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pellucid.files import write_content


class Log:
    """JSON lines; what a resumed run will do again is cut off first."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        self.seconds = 0.0
        kept = []
        for line in path.read_text(errors="replace").splitlines() if path.exists() else []:
            with contextlib.suppress(
                ValueError, KeyError, TypeError
            ):  # the line that a kill cut short
                entry = json.loads(line)
                if entry["step"] <= step:
                    kept.append(line + "\n")
                    self.seconds = max(self.seconds, entry.get("seconds", 0.0))
        write_content(path, "".join(kept), overwrite=True)

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Numbers, or tensors of one."""
        entry = {"step": step, **{name: round(float(value), 5) for name, value in values.items()}}
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


def progress_bar(wanted: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[psnr]}"),
        console=Console(stderr=True),
        disable=not (wanted and sys.stderr.isatty()),
    )


def tell(bar: Progress, text: str) -> None:
    """A line where the bar would be, which is drawn on a terminal alone."""
    bar.console.print(text, soft_wrap=True, highlight=False, markup=False)


def in_words(score: Mapping[str, float], count: int) -> str:
    """What a validation found on so many objects that are held back."""
    found = f"PSNR {score['psnr']:.2f} dB, of the blurred images {score['psnr_blurred']:.2f} dB"
    return f"{found} ({count} object{'s' * (count != 1)} held back)"

"""What a run says of itself: JSON lines in a file, a bar on the terminal."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pellucid.files import write_content


class Log:
    """JSON lines; what a resumed run will do again is cut off first.

    Attributes
    ----------
    seconds
        How long the run has taken so far.
    scores
        PSNR of the validations so far, dB, by their steps.
    """

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        self.seconds = 0.0
        self.scores: dict[int, float] = {}
        kept = []
        for line in path.read_text(errors="replace").splitlines() if path.exists() else []:
            with contextlib.suppress(
                ValueError, KeyError, TypeError
            ):  # the line that a kill cut short
                entry = json.loads(line)
                if entry["step"] <= step:
                    kept.append(line + "\n")
                    self._note(entry)
        write_content(path, "".join(kept), overwrite=True)

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Numbers, or tensors of one."""
        entry = {"step": step, **{name: round(float(value), 5) for name, value in values.items()}}
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
            if "psnr" in entry:  # decides what ships where a recipe has patience
                file.flush()
                os.fsync(file.fileno())
        self._note(entry)

    def _note(self, entry: Mapping[str, Any]) -> None:
        if "psnr" in entry:
            self.seconds = max(self.seconds, entry.get("seconds", 0.0))
            self.scores[entry["step"]] = entry["psnr"]

    @property
    def best(self) -> int:
        """The step of the best validation, of equals the first; 0 before there is one."""
        return max(self.scores, key=self.scores.__getitem__, default=0)

    def gains(self, patience: int | None) -> bool:
        """Whether the best validation is among the last ``patience``."""
        return patience is None or self.best in [0, *list(self.scores)[-patience:]]


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


def time_left(steps: int, seconds: float) -> str:
    """How long the rest takes, in words."""
    told = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    return f"{steps} steps are left at most, about {told}; each validation is a line"


def in_words(score: Mapping[str, float], count: int) -> str:
    """What a validation found on so many objects that are held back."""
    found = f"PSNR {score['psnr']:.2f} dB, of the blurred images {score['psnr_blurred']:.2f} dB"
    return f"{found} ({count} object{'s' * (count != 1)} held back)"

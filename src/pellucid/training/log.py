"""What a run says of itself: JSON lines in a file, a bar on the terminal."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pellucid.files import write_content


class Log:
    """JSON lines; what a resumed run will do again is cut off first."""

    def __init__(self, path: Path, step: int) -> None:
        lines = path.read_text().splitlines() if path.exists() else []
        entries = []
        for line in lines:
            with contextlib.suppress(json.JSONDecodeError):  # the line that a kill cut short
                entries.append(json.loads(line))
        kept = [entry for entry in entries if entry["step"] <= step]
        self.seconds = max((entry.get("seconds", 0.0) for entry in kept), default=0.0)
        text = "".join(json.dumps(entry) + "\n" for entry in kept)
        write_content(path, text, overwrite=True)
        self.path = path

    def write(self, entry: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


def progress_bar(wanted: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[psnr]}"),
        console=console,
        disable=not (wanted and sys.stderr.isatty()),
    )


def rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in values.items()}

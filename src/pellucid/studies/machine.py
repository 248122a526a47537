"""On what a number was computed."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from pellucid.version import __version__


def machine() -> dict[str, str | int | None]:
    """Processor, cores, accelerator and versions of this machine."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "accelerator": _accelerator(),
        "python": platform.python_version(),
        "pellucid": __version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _accelerator() -> str | None:
    torch = sys.modules.get("torch")  # a job that did not need torch had no accelerator either
    if torch is None or not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_name()

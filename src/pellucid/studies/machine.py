"""On what a number was computed."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

from pellucid.version import __version__


def machine() -> dict[str, str | int | None]:
    """Processor, cores, accelerator and versions of this machine."""
    cpus = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", cpus.read_text()) if cpus.exists() else []
    torch = sys.modules.get("torch")  # a job that did not need torch had no accelerator either
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "accelerator": torch.cuda.get_device_name()
        if torch and torch.cuda.is_available()
        else None,
        "python": platform.python_version(),
        "pellucid": __version__,
    }

"""A small part of the full disks: where each kind of file ends early, by `ulimit`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

KINDS = ("FITS", "PSF", "pair store", "checkpoint")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_a_full_disk_leaves_the_old_file_and_nothing_else():
    pytest.importorskip("torch")
    typed = [sys.executable, str(Path(__file__).parent / "disk.py"), "--places", "2", "--no-mount"]
    done = subprocess.run([*typed, "--only", *KINDS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" clean |") == len(KINDS)

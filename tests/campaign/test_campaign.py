"""A small part of the campaign: the same damaged files each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CAMPAIGN = Path(__file__).parent / "run.py"


@pytest.mark.skipif(not hasattr(__import__("os"), "pidfd_open"), reason="needs Linux")
def test_no_damaged_file_ends_in_a_traceback_or_leaves_anything(tmp_path):
    pytest.importorskip("torch")
    typed = [sys.executable, CAMPAIGN, "--inputs", "42", "--seed", "5", "--keep", tmp_path]
    done = subprocess.run([*map(str, typed)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("| 6 | 6 |") == 7

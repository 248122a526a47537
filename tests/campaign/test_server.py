"""A small part of the hostile server: the ways that are over in a second."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WAYS = (
    "sends more than it promised",
    "sends without end what had a length",
    "sends without end what had none",
    "has a length of a chunk without end",
    "sends on to another host",
    "sends on to ftp",
    "sends on with a page without end",
    "packs gigabytes into a table",
    "sends a table that lies in a file of ours",
)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_no_server_fills_the_disk_or_sends_us_elsewhere():
    pytest.importorskip("pyvo")
    typed = [sys.executable, str(Path(__file__).parent / "server.py"), "--only", *WAYS]
    done = subprocess.run(typed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(WAYS)} ways: {len(WAYS)} clean" in done.stdout

"""Atomic writing: whatever happens on the way, the target is whole."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from pellucid.errors import TemporaryError, UsageError
from pellucid.files import check_target, write_atomically

OLD = b"the old file"


def fill(stream) -> None:
    stream.write(b"the new ")
    stream.write(b"file")


def failing(error: BaseException):
    def write(stream) -> None:
        stream.write(b"half of the n")
        stream.flush()
        raise error

    return write


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "a.fits"
    path.write_bytes(OLD)
    return path


def test_a_new_file_is_written(tmp_path):
    assert write_atomically(tmp_path / "b.fits", fill) == tmp_path / "b.fits"
    assert (tmp_path / "b.fits").read_bytes() == b"the new file"
    assert os.listdir(tmp_path) == ["b.fits"]


def test_an_old_file_is_replaced_only_when_asked(target):
    with pytest.raises(UsageError, match="exists already; --overwrite"):
        write_atomically(target, fill)
    assert target.read_bytes() == OLD
    write_atomically(target, fill, overwrite=True)
    assert target.read_bytes() == b"the new file"


def test_the_old_file_stands_until_the_new_one_is_whole(target):
    def write(stream) -> None:
        fill(stream)
        stream.flush()
        assert target.read_bytes() == OLD

    write_atomically(target, write, overwrite=True)


@pytest.mark.parametrize(
    ("error", "raised", "match"),
    [
        (OSError(errno.ENOSPC, "No space left"), TemporaryError, "disk is full"),
        (OSError(errno.EDQUOT, "Quota exceeded"), TemporaryError, "disk is full"),
        (OSError(errno.EIO, "Input/output error"), TemporaryError, "Input/output error"),
        (PermissionError(errno.EACCES, "denied"), TemporaryError, "cannot be written to"),
        (ValueError("a bug"), ValueError, "a bug"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
)
def test_a_failure_leaves_the_old_file_and_nothing_else(target, error, raised, match):
    with pytest.raises(raised, match=match) as caught:
        write_atomically(target, failing(error), overwrite=True)
    assert target.read_bytes() == OLD
    assert os.listdir(target.parent) == [target.name]
    if raised is TemporaryError:
        assert caught.value.exit_code == 75
        assert str(caught.value).startswith(f"{target}: ")


@pytest.mark.skipif(sys.platform == "win32", reason="limits and signals of POSIX")
@pytest.mark.parametrize("death", ["limit", "kill"])
def test_a_real_full_disk_and_a_real_kill_leave_the_old_file(target, death):
    code = f"""
import os, resource, signal
from pellucid.errors import TemporaryError
from pellucid.files import write_atomically

def write(stream):
    stream.write(b"x" * 100_000)
    stream.flush()
    if {death!r} == "kill":
        os.kill(os.getpid(), signal.SIGKILL)

if {death!r} == "limit":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    write_atomically({str(target)!r}, write, overwrite=True)
except TemporaryError as error:
    assert "disk is full" in str(error)
    raise SystemExit(error.exit_code)
"""
    left = subprocess.run([sys.executable, "-c", code], check=False)
    assert left.returncode == (75 if death == "limit" else -signal.SIGKILL)
    assert target.read_bytes() == OLD


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_mode_is_what_the_users_mask_gives(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "a", fill)
        (tmp_path / "plain").touch()
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_impossible_targets_are_refused_before_any_work(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        check_target(tmp_path, overwrite=True)
    with pytest.raises(UsageError, match="does not exist"):
        check_target(tmp_path / "none" / "a.fits")
    assert check_target(tmp_path / "a.fits") == tmp_path / "a.fits"
    assert os.listdir(tmp_path) == []

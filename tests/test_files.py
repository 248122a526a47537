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


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="files and signals of POSIX")


@POSIX
def test_what_a_killed_run_left_is_swept_by_the_next(tmp_path):
    """And what a run that goes on is writing is not."""
    code = f"""
import os, signal, sys, time
from pellucid.files import write_atomically

def write(stream):
    print("begun", flush=True)
    time.sleep(60)

write_atomically({str(tmp_path / "a.fits")!r}, write)
"""
    runs = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        assert [run.stdout.readline() for run in runs] == ["begun\n"] * 2
        runs[0].kill()
        runs[0].wait()
        assert len(os.listdir(tmp_path)) == 2
        write_atomically(tmp_path / "b.fits", fill)
        left = sorted(os.listdir(tmp_path))
        assert len(left) == 2
        assert left[1] == "b.fits"
        assert f"-{runs[1].pid}-" in left[0]
    finally:
        for run in runs:
            run.kill()
            run.communicate()


@POSIX
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_command_that_is_told_to_end_leaves_nothing(tmp_path, name):
    number = getattr(signal, name)
    code = f"""
import sys, time
import pellucid.cli
from pellucid.files import write_atomically

def write(stream):
    stream.write(b"half")
    stream.flush()
    print("begun", flush=True)
    time.sleep(60)

def main():
    write_atomically({str(tmp_path / "a.fits")!r}, write)

pellucid.cli.main = main
try:
    pellucid.cli.run()
except KeyboardInterrupt:
    sys.exit(130)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "begun\n"
        run.send_signal(number)
    assert run.returncode == 128 + number
    assert os.listdir(tmp_path) == []


@POSIX
def test_a_link_stays_and_what_it_leads_to_is_replaced(target, tmp_path):
    link = tmp_path / "link.fits"
    link.symlink_to(target)
    write_atomically(link, fill, overwrite=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"the new file"


@POSIX
def test_the_mode_of_the_old_file_is_kept(target):
    target.chmod(0o640)
    write_atomically(target, fill, overwrite=True)
    assert target.stat().st_mode & 0o777 == 0o640


@POSIX
def test_a_pipe_and_a_device_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/null"):
        with pytest.raises(UsageError, match="is a device or a pipe"):
            check_target(path, overwrite=True)


def test_a_name_that_is_too_long_is_refused_before_any_work(tmp_path):
    assert check_target(tmp_path / ("a" * 255))
    write_atomically(tmp_path / ("a" * 255), fill)
    with pytest.raises(UsageError, match="more than 255 bytes"):
        check_target(tmp_path / ("é" * 128))

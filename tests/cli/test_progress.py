"""What a person sees while a restoration takes its time."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import numpy as np
import pytest

from pellucid.cli import main
from pellucid.cli.progress import watched
from pellucid.tiling import listening, map_tiles, map_windows, passes, plan_tiles


@pytest.fixture
def frame(save):
    data = np.random.default_rng(0).normal(100.0, 1.0, (96, 96)).astype("f4")
    data[:, :30] = -9999.0
    return save("in.fits", data, SEEING=1.2)


def test_notes_of_what_was_read_come_before_the_work(frame, wiener, capsys, monkeypatch, pellucid):
    from pellucid.restoration import ClassicalRestorer

    restore, heard = ClassicalRestorer.__call__, []

    def heard_first(*given):
        heard.append(capsys.readouterr().err)
        return restore(*given)

    monkeypatch.setattr(ClassicalRestorer, "__call__", heard_first)
    assert main(["restore", str(frame), *map(str, wiener)]) == 0
    after = capsys.readouterr().err
    assert "are not used and stay as they are" in heard[0]
    assert "are not used" not in after
    assert "the noise of the sky is" in after
    assert "\x1b" not in heard[0] + after, "no bar where there is no terminal"


def shown(words) -> str:
    """What a terminal shows of a command that ends well and prints no result."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pellucid", *map(str, words)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(
        command, stderr=theirs, stdout=subprocess.PIPE, env=environment
    ) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                said += os.read(ours, 4096)
            except OSError:  # the terminal's other end is closed
                break
        assert process.wait() == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(ours)
    return said.decode()


def test_a_terminal_shows_a_bar(frame, wiener):
    text = shown(["restore", frame, *wiener])
    assert text.index("are not used and stay") < text.index("restoring")
    assert text.index("restoring") < text.index("restored by wiener")


def test_the_model_that_was_taken_is_told_before_the_work(save, tmp_path, capsys, monkeypatch):
    from pellucid.restoration.bandwise import BandwiseRestorer

    restore, heard = BandwiseRestorer.__call__, []

    def heard_first(*given):
        heard.append(capsys.readouterr().err)
        return restore(*given)

    monkeypatch.setattr(BandwiseRestorer, "__call__", heard_first)
    frame = save("in.fits", SEEING=1.2)
    assert main(["restore", str(frame), "-o", str(tmp_path / "out.fits")]) == 0
    assert heard[0].count("model pellucid was taken") == 1
    assert "was taken" not in capsys.readouterr().err


def test_a_bar_fills_once_for_all_bands():
    image, told = np.zeros((1, 70, 80), "f4"), []
    with listening(lambda done, total: told.append((done, total))):
        for _ in passes(range(2)):
            map_windows(lambda window: window, image, 32, 4, 4)
    assert {total for _, total in told} == {18}
    assert [done for done, _ in told] == [*range(10), *range(9, 19)]


def test_without_a_terminal_rich_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with watched("restoring"):
        pass


def test_each_tile_is_told():
    image, told = np.zeros((1, 70, 80), "f4"), []
    with listening(lambda done, total: told.append((done, total))):
        map_tiles(lambda tiles: tiles, image, plan_tiles((70, 80), 32, 8), batch=4)
        map_windows(lambda window: window, image, 32, 4, 4)
    counts = [total for done, total in told if done == 0]
    assert counts == [3, 9]
    assert told == [(done, total) for total in counts for done in range(total + 1)]
    map_windows(lambda window: window, image, 32, 4, 4)
    assert len(told) == 14, "nobody is told any more"


def test_many_images_are_counted_with_rate_and_time_left(capsys, monkeypatch):
    from pellucid.batch.schedule import Failure
    from pellucid.cli import progress
    from pellucid.errors import InputError

    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    ended = [None, Failure("b", InputError("b.fits: is bad")), *[None] * 48]
    assert list(progress.followed(ended, 50)) == ended
    assert capsys.readouterr().err.splitlines() == [
        "pellucid: failed: b.fits: is bad",
        "pellucid: 3 of 50, 4 s each, 3.1 min left, 1 failed",
        "pellucid: 18 of 50, 4 s each, 2.1 min left, 1 failed",
        "pellucid: 33 of 50, 4 s each, 68 s left, 1 failed",
        "pellucid: 48 of 50, 4 s each, 8 s left, 1 failed",
    ]
    assert [progress.duration(value) for value in (90, 600, 9000, 200_000)] == [
        "90 s",
        "10.0 min",
        "2.5 h",
        "2.3 days",
    ]


def test_of_many_that_fail_the_first_are_named(capsys):
    from pellucid.batch.schedule import Failure
    from pellucid.cli import progress
    from pellucid.errors import InputError

    ended = [Failure(str(k), InputError(f"{k}: off the mosaic")) for k in range(5000)]
    assert list(progress.followed(ended, len(ended))) == ended
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "pellucid: failed: 0: off the mosaic"
    assert said[progress.NAMED :] == ["pellucid: further ones that fail stand in the table"]


def test_without_a_terminal_a_long_work_tells_how_far_it_is(capsys, monkeypatch):
    from pellucid.cli import progress
    from pellucid.tiling import counted

    clock = iter(range(0, 1000, 7))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.watched("restoring"):
        list(counted(range(20)))
    assert capsys.readouterr().err.splitlines() == [
        "pellucid: restoring: 1 of 20 parts, 7 s each, 2.2 min left",
        "pellucid: restoring: 10 of 20 parts, 7 s each, 70 s left",
        "pellucid: restoring: 19 of 20 parts, 7 s each, 7 s left",
    ]


def test_a_terminal_shows_a_bar_of_many(frame, tmp_path):
    words = ["restore", frame, "--method", "wiener", "--psf", "1.2", "-o", tmp_path / "out"]
    text = shown(words)
    assert "1/1" in text
    assert "1 of 1 restored" in text

"""A process that is told to end does, whatever takes the signal's exception for its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from astropy.io import fits

from pellucid import ending
from pellucid.ending import ENDED, ending_cleanly
from pellucid.errors import InputError, reason_of
from pellucid.files import write_content

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
NAMES = ("SIGHUP", "SIGINT", "SIGTERM")
SIGNALS = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]


@pytest.fixture(autouse=True)
def _heard():
    """A SIGHUP counts where these tests run under nohup, too."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


class Told:
    """Tells this process to end while a class is made, of which Python makes a RuntimeError."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        self.number = number

    def __set_name__(self, owner: type, name: str) -> None:
        os.kill(os.getpid(), self.number)


class Dropped:
    """Tells this process to end while it is deleted, which Python remarks and forgets."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def make_class(number: int = signal.SIGTERM) -> None:
    type("Class", (), {"field": Told(number)})


def code_of(work: Callable[[], object]) -> int:
    """The exit code with which work ends that is told to end."""
    with pytest.raises(SystemExit) as end, ending_cleanly():
        work()
    return end.value.code


@pytest.mark.parametrize(("number", "code"), list(zip(SIGNALS, ENDED, strict=False)))
def test_an_error_out_of_a_signal_is_the_end_and_no_fault_of_a_file(number, code):
    def read() -> None:
        try:
            make_class(number)
        except Exception as error:
            raise InputError(f"a.fits: {error}") from error

    assert code_of(read) == code


def test_nor_is_it_why_an_object_failed():
    def do_one() -> None:
        try:
            make_class()
        except RuntimeError as error:
            pytest.fail(reason_of(error))

    assert code_of(do_one) == 143


def test_an_import_that_failed_for_it_is_the_end(tmp_path, monkeypatch):
    told = "import os\ntry:\n    os.kill(os.getpid(), 15)\nexcept BaseException:\n"
    (tmp_path / "late_module.py").write_text(f"{told}    raise ImportError('it failed')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert code_of(lambda: __import__("late_module")) == 143


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_was_dropped_comes_again(monkeypatch):
    def go_on() -> None:
        Dropped()
        until = time.monotonic() + 20.0
        while time.monotonic() < until:
            time.sleep(0.01)
        pytest.fail("it went on")

    monkeypatch.setattr(ending, "AGAIN", 0.05)
    assert code_of(go_on) == 143


def test_nothing_is_put_in_place_after_it(tmp_path):
    """A result may be another where something was dropped on the way to it."""
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write() -> None:
        try:
            make_class()
        except RuntimeError:
            write_content(path, "new", overwrite=True)

    assert code_of(write) == 143
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("again", ["SIGTERM", None])
def test_what_is_undone_on_the_way_is_not_cut_short(again, monkeypatch):
    """Neither by the next signal nor by the one that comes again."""
    undone = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            if again is not None:
                os.kill(os.getpid(), getattr(signal, again))
            time.sleep(0.1)
            undone.append("all")

    monkeypatch.setattr(ending, "AGAIN", 0.02)
    assert code_of(work) == 143
    assert undone == ["all"]


def test_handlers_and_timer_are_left_as_they_were():
    numbers = (*SIGNALS, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    assert code_of(lambda: os.kill(os.getpid(), signal.SIGHUP)) == 129
    assert [signal.getsignal(number) for number in numbers] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert str(InputError("a.fits: is empty")) == "a.fits: is empty"


RUN = """
import os, sys
from pellucid.batch import one
from pellucid.cli import run

number = int(sys.argv.pop())

class Told:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), number)

def opened(files, request, original=one.opened):
    if "1.fits" in str(files[0]):
        type("Class", (), {"field": Told()})
    return original(files, request)

one.opened = opened
run()
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_over_a_folder_ends_and_counts_no_file_as_failed(number, tmp_path):
    """The signal comes while a class is made on the way to the second of three images."""
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(1)
    cards = fits.Header({"CDELT1": -1e-4, "CDELT2": 1e-4, "CTYPE1": "RA---TAN"})
    cards.update({"CTYPE2": "DEC--TAN", "CRVAL1": 1.0, "CRVAL2": 1.0})
    for k in range(3):
        flux = rng.normal(10.0, 1.0, (40, 40)).astype("f4")
        fits.PrimaryHDU(flux, cards).writeto(tmp_path / "in" / f"{k}.fits")
    words = ["restore", "in", "--method", "wiener", "--psf", "1.2", "-o", "out", "--workers", "1"]
    told = [sys.executable, "-c", RUN, *words, str(int(number))]
    ended = subprocess.run(told, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 128 + number
    assert "interrupted" in ended.stderr.splitlines()[-1]
    assert "1.fits" not in ended.stderr
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.fits")) == ["0.fits"]
    plain = [sys.executable, "-m", "pellucid", *words, "--resume", "--json"]
    resumed = subprocess.run(plain, cwd=tmp_path, capture_output=True, text=True, check=True)
    report = json.loads(resumed.stdout)
    assert (report["done"], report["failed"]) == (3, 0), report

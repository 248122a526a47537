"""Independent jobs: each is done once, whoever fails, is killed or goes away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from pellucid.batch.schedule import run_here, run_on_dask, share
from pellucid.errors import InputError, TemporaryError, UsageError

#: Of a machine that has better things to do; a test that fails sooner fails for another reason.
PATIENCE = 600.0


@dataclass(frozen=True)
class Errand:
    name: str


def write_square(folder: Path, errand: Errand) -> None:
    """A job whose result file can be written but once."""
    with (folder / errand.name).open("x") as file:
        file.write(str(int(errand.name) ** 2))


def fail_at_three(folder: Path, errand: Errand) -> None:
    if errand.name == "3":
        raise InputError("three is bad")
    write_square(folder, errand)


def die_at_three(folder: Path, errand: Errand) -> None:
    if errand.name == "3":
        os.kill(os.getpid(), signal.SIGKILL)


def wait_for_go(folder: Path, errand: Errand) -> None:
    """Say who does the job, and do it once ``go`` is there."""
    (folder / f"{errand.name}.by-{os.getpid()}").touch()
    wait_until(lambda: (folder / "go").exists())
    write_square(folder, errand)


def sleep_in(errand: Errand) -> None:
    print(os.getpid(), flush=True)  # noqa: T201
    time.sleep(10 * PATIENCE)


def wait_until(there: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def errands(count: int) -> list[Errand]:
    return [Errand(str(k)) for k in range(count)]


def results(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.name.isdigit()}


SQUARES = {str(k): str(k * k) for k in range(6)}


# --- shares ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 5, 8, 23])
@pytest.mark.parametrize("members", [1, 2, 8])
def test_shares_are_disjoint_and_make_the_whole(count, members):
    jobs = list(range(count))
    shares = [share(jobs, f"{k}/{members}") for k in range(1, members + 1)]
    assert sorted(job for some in shares for job in some) == jobs
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert share(jobs, None) == jobs


@pytest.mark.parametrize(
    "text", ["0/2", "3/2", "1/0", "0/0", "1", "/", "1/", "/2", "-1/2", "1.0/2", "a/b", "1/2/3", ""]
)
def test_a_share_that_is_none_is_refused(text):
    with pytest.raises(UsageError, match="i/N"):
        share([1, 2], text)


# --- this machine ----------------------------------------------------------------------------


def test_every_job_is_done_and_a_failing_one_stops_no_other(tmp_path):
    ended = list(run_here(partial(fail_at_three, tmp_path), errands(6), workers=2))
    assert len(ended) == 6
    assert [(each.job, each.reason) for each in ended if each] == [("3", "three is bad")]
    assert results(tmp_path) == {name: value for name, value in SQUARES.items() if name != "3"}


def test_no_jobs_are_no_work():
    assert list(run_here(partial(write_square, Path("nowhere")), [])) == []


def test_a_killed_worker_is_a_matter_of_trying_again(tmp_path):
    with pytest.raises(TemporaryError, match=r"killed.*--resume"):
        list(run_here(partial(die_at_three, tmp_path), errands(6), workers=1))


def test_workers_end_with_a_parent_that_was_killed():
    """The worker holds the pipe that the test reads: it ends when the worker does."""
    code = (
        "from test_schedule import Errand, run_here, sleep_in\n"
        "list(run_here(sleep_in, [Errand('1')], workers=1))"
    )
    here, pipe = Path(__file__).parent, subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], cwd=here, stdout=pipe, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
        try:
            assert parent.communicate(timeout=PATIENCE) == ("", None)
        except subprocess.TimeoutExpired:
            os.kill(worker, signal.SIGKILL)
            pytest.fail("the worker outlived its parent")


def test_ctrl_c_ends_the_workers_and_begins_nothing_new():
    code = (
        "from test_schedule import Errand, run_here, sleep_in\n"
        "list(run_here(sleep_in, [Errand(str(k)) for k in range(6)], workers=1))"
    )
    here, pipe = Path(__file__).parent, subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=here,
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
        try:
            begun_after, said = parent.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(parent.pid, signal.SIGKILL)
            pytest.fail("Ctrl-C did not end it")
    assert begun_after == ""
    assert parent.returncode
    assert "KeyboardInterrupt" in said or "TemporaryError" in said


# --- a Dask cluster --------------------------------------------------------------------------


@contextmanager
def dask_cluster(folder: Path, workers: int = 2) -> Iterator[tuple[str, subprocess.Popen]]:
    """A scheduler and workers of one thread, without nannies: a killed worker stays dead.

    Yields the scheduler's address and its process.
    """
    pytest.importorskip("distributed")
    note = folder / "scheduler.json"
    here = ["--host", "127.0.0.1", "--no-dashboard"]
    one = ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    scheduler = _dask("scheduler", *here, "--port", "0", "--scheduler-file", str(note))
    started = [scheduler]
    try:
        wait_until(lambda: note.exists() and note.read_text().endswith("}"))
        started += [
            _dask("worker", *here, *one, "--scheduler-file", str(note)) for _ in range(workers)
        ]
        yield json.loads(note.read_text())["address"], scheduler
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def _dask(*words: str) -> subprocess.Popen:
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *words],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_cluster_does_what_this_machine_does_even_when_a_worker_is_killed(tmp_path):
    folder = tmp_path / "jobs"
    folder.mkdir()
    with dask_cluster(tmp_path) as (address, _):
        study = _in_the_background(run_on_dask(partial(wait_for_go, folder), errands(6), address))
        wait_until(lambda: len(_at_work(folder)) == 2)
        os.kill(_at_work(folder).pop(), signal.SIGKILL)
        (folder / "go").touch()
        assert study.result(timeout=PATIENCE) == [None] * 6
    assert results(folder) == SQUARES
    assert len(_at_work(folder)) == 2  # processes; the one left did the other's job, too
    assert len(list(folder.glob("*.by-*"))) == 7


def test_on_a_cluster_too_a_failing_job_stops_no_other_and_a_lost_scheduler_is_told(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    with dask_cluster(tmp_path, workers=1) as (address, scheduler):
        ended = list(run_on_dask(partial(fail_at_three, one), errands(6), address))
        assert [(each.job, each.reason) for each in ended if each] == [("3", "three is bad")]
        assert len(results(one)) == 5
        study = _in_the_background(run_on_dask(partial(wait_for_go, two), errands(2), address))
        wait_until(lambda: _at_work(two))
        scheduler.kill()
        with pytest.raises(TemporaryError, match="went away"):
            study.result(timeout=PATIENCE)


def test_no_scheduler_is_a_matter_of_trying_again(monkeypatch):
    distributed = pytest.importorskip("distributed")
    client = distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda at, timeout: client(at, timeout=0.5))
    with pytest.raises(TemporaryError, match="no Dask scheduler answers"):
        list(run_on_dask(partial(write_square, Path("nowhere")), errands(1), "tcp://127.0.0.1:9"))


def _at_work(folder: Path) -> set[int]:
    """Processes that did or do a job."""
    return {int(path.suffix.removeprefix(".by-")) for path in folder.glob("*.by-*")}


def _in_the_background(ended: Iterator) -> Future[list]:
    """Runs the jobs in a thread meanwhile."""
    future: Future[list] = Future()

    def run() -> None:
        try:
            future.set_result(list(ended))
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future

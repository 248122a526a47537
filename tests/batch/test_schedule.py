"""Independent jobs: each is done once, whoever fails, is killed or goes away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from cluster import PATIENCE, dask_cluster, importing, wait_until

from pellucid.batch.schedule import IN_FLIGHT, run_jobs, share
from pellucid.errors import InputError, TemporaryError, UsageError


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
    try:
        os.write(1, f"{os.getpid()}\n".encode())  # at once: two write into one pipe
        time.sleep(10 * PATIENCE)
    finally:
        os.write(1, b"undone\n")


def fail_or_sleep(errand: Errand) -> None:
    if errand.name == "1":
        raise OSError(28, "No space left on device")
    sleep_in(errand)


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


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_and_a_failing_one_stops_no_other(tmp_path, workers):
    ended = list(run_jobs(partial(fail_at_three, tmp_path), errands(6), workers))
    assert len(ended) == 6
    assert [(failure.job, str(failure.error)) for failure in ended if failure] == [
        ("3", "three is bad")
    ]
    assert results(tmp_path) == {name: value for name, value in SQUARES.items() if name != "3"}


def test_no_jobs_are_no_work():
    assert list(run_jobs(partial(write_square, Path("nowhere")), [])) == []


def test_a_killed_worker_is_a_matter_of_trying_again(tmp_path):
    with pytest.raises(TemporaryError, match=r"killed.*--resume"):
        list(run_jobs(partial(die_at_three, tmp_path), errands(6), workers=2))


def test_workers_end_with_a_parent_that_was_killed():
    """The workers hold the pipe that the test reads: it ends when they do."""
    with sleepers(2, stderr=subprocess.DEVNULL) as (parent, workers):
        parent.kill()
        try:
            assert parent.communicate(timeout=PATIENCE)[0] == 2 * "undone\n"
        except subprocess.TimeoutExpired:
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            pytest.fail("the workers outlived their parent")


def test_a_parent_that_is_told_to_end_waits_for_no_job():
    """SIGTERM reaches the parent alone, whose workers are at jobs without end."""
    with sleepers(6, stderr=subprocess.DEVNULL) as (parent, _):
        parent.terminate()
        try:
            said_after = parent.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            pytest.fail("it waited for its workers' jobs")
    assert said_after == 2 * "undone\n"
    assert parent.returncode == 128 + signal.SIGTERM


def test_a_parent_that_waits_after_a_failure_ends_when_it_is_told_to():
    """It is closing the pool then, while the other worker is at a job without end."""
    with sleepers(2, subprocess.DEVNULL, "fail_or_sleep", said=1) as (parent, _):
        time.sleep(1.0)  # that the failure is known
        parent.terminate()
        try:
            said_after = parent.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            pytest.fail("it waited for its worker's job")
    assert said_after == "undone\n"
    assert parent.returncode == 128 + signal.SIGTERM


def test_a_worker_that_is_told_to_end_is_a_matter_of_trying_again():
    with sleepers(2, stderr=subprocess.PIPE) as (parent, workers):
        os.kill(workers[0], signal.SIGTERM)
        said_after, warned = parent.communicate(timeout=PATIENCE)
    assert said_after == 2 * "undone\n"
    assert "TemporaryError: a worker was killed" in warned


def test_ctrl_c_ends_the_workers_and_begins_nothing_new():
    with sleepers(6, stderr=subprocess.PIPE) as (parent, _):
        os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
        try:
            said_after, warned = parent.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(parent.pid, signal.SIGKILL)
            pytest.fail("Ctrl-C did not end it")
    assert said_after == 2 * "undone\n"
    assert warned == ""
    assert parent.returncode == 128 + signal.SIGINT


@contextmanager
def sleepers(
    count: int, stderr: int, job: str = "sleep_in", said: int = 2
) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process with two workers at jobs without end, and the ids of those that said them."""
    code = (
        "from pellucid.ending import ending_cleanly\n"
        f"from test_schedule import errands, run_jobs, {job}\n"
        f"with ending_cleanly(): list(run_jobs({job}, errands({count}), workers=2))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=importing(Path(__file__).parent),
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        try:
            yield parent, [int(parent.stdout.readline()) for _ in range(said)]
        finally:
            parent.kill()


# --- a Dask cluster --------------------------------------------------------------------------


def test_a_cluster_does_what_this_machine_does_even_when_a_worker_is_killed(tmp_path):
    folder = tmp_path / "jobs"
    folder.mkdir()
    with dask_cluster(tmp_path, tasks=Path(__file__).parent) as (address, _):
        study = _in_the_background(
            run_jobs(partial(wait_for_go, folder), errands(6), scheduler=address)
        )
        wait_until(lambda: len(_at_work(folder)) == 2)
        os.kill(_at_work(folder).pop(), signal.SIGKILL)
        (folder / "go").touch()
        assert study.result(timeout=PATIENCE) == [None] * 6
    assert results(folder) == SQUARES
    assert len(_at_work(folder)) == 2  # processes; the one left did the other's job, too
    assert len(list(folder.glob("*.by-*"))) == 7


def test_a_cluster_is_given_a_few_jobs_at_a_time_and_all_in_the_end(tmp_path):
    distributed = pytest.importorskip("distributed")
    tasks = Path(__file__).parent
    with dask_cluster(tmp_path, workers=1, tasks=tasks) as (address, _):
        folder = tmp_path / "jobs"
        folder.mkdir()
        study = _in_the_background(
            run_jobs(partial(wait_for_go, folder), errands(6), scheduler=address)
        )
        wait_until(lambda: _at_work(folder))
        with distributed.Client(address, set_as_default=False) as client:
            known = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
        (folder / "go").touch()
        assert study.result(timeout=PATIENCE) == [None] * 6
    assert known <= IN_FLIGHT
    assert results(folder) == SQUARES


def test_on_a_cluster_too_a_failing_job_stops_no_other_and_a_lost_scheduler_is_told(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    with dask_cluster(tmp_path, workers=1, tasks=Path(__file__).parent) as (address, scheduler):
        ended = list(run_jobs(partial(fail_at_three, one), errands(6), scheduler=address))
        assert [(failure.job, str(failure.error)) for failure in ended if failure] == [
            ("3", "three is bad")
        ]
        assert len(results(one)) == 5
        study = _in_the_background(
            run_jobs(partial(wait_for_go, two), errands(2), scheduler=address)
        )
        wait_until(lambda: _at_work(two))
        scheduler.kill()
        with pytest.raises(TemporaryError, match="went away"):
            study.result(timeout=PATIENCE)


def test_no_scheduler_is_a_matter_of_trying_again(monkeypatch):
    distributed = pytest.importorskip("distributed")
    client = distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda at, timeout: client(at, timeout=0.5))
    with pytest.raises(TemporaryError, match="no Dask scheduler answers"):
        list(
            run_jobs(
                partial(write_square, Path("nowhere")), errands(1), scheduler="tcp://127.0.0.1:9"
            )
        )


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

"""Processes that work for another one: they end with it, and it is not held up by them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cluster import PATIENCE, importing

from pellucid.workers import processes

#: Results of which each is sent in many pieces.
LARGE = 2 * 10**6


def script(folder: Path, does: str, guarded: bool = True) -> subprocess.Popen[str]:
    """A running script of a user, which has ``processes`` and this file's jobs."""
    lines = ["import time", "from test_workers import *"]
    lines += [
        "from pellucid.ending import ending_cleanly",
        "from pellucid.workers import processes",
    ]
    lines += ["if __name__ == '__main__':"] if guarded else []
    indent = "    " if guarded else ""
    path = folder / "script.py"
    path.write_text("\n".join([*lines, *(indent + line for line in does.splitlines())]))
    return subprocess.Popen(
        [sys.executable, str(path)],
        env=importing(Path(__file__).parent),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a script said until its end, which is not waited for without end."""
    try:
        return process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail("it did not end")


def large() -> bytes:
    return bytes(LARGE)


def test_only_its_own_processes_are_ended():
    with processes(2, "") as pool:
        assert pool.submit(abs, -1).result() == 1
        with pytest.raises(SystemExit), processes(2, "") as inner:
            sys.exit(inner.submit(abs, -3).result())
        assert pool.submit(abs, -2).result() == 2


def test_a_jobs_own_exit_is_its_failure():
    with processes(2, "") as pool:
        assert isinstance(pool.submit(sys.exit, 3).exception(), SystemExit)
        assert pool.submit(abs, -2).result() == 2


def test_a_keyword_of_a_job_is_its_own():
    with processes(2, "") as pool:
        assert pool.submit(dict, job=1, fn=2).result() == {"job": 1, "fn": 2}


def test_a_parent_that_is_told_amid_large_results_ends(tmp_path):
    """One that was sent by half would be waited for without end."""
    process = script(
        tmp_path,
        """with ending_cleanly(), processes(2, "") as pool:
    waiting = [pool.submit(large) for _ in range(8)]
    while True:
        waiting.append(pool.submit(large))
        print(len(waiting.pop(0).result()), flush=True)""",
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    ended(process)
    assert process.returncode == 128 + signal.SIGTERM


def test_a_parent_that_is_told_while_it_looks_at_a_result_ends(tmp_path):
    """What yields the results waits meanwhile, and the worker is at the next job."""
    process = script(
        tmp_path,
        f"""def results():
    with processes(1, "") as pool:
        first, second = pool.submit(abs, -1), pool.submit(time.sleep, {10 * PATIENCE})
        yield first.result()
        yield second.result()
with ending_cleanly():
    kept = results()
    for result in kept:
        print(result, flush=True)
        time.sleep({10 * PATIENCE})""",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    process.terminate()
    ended(process)
    assert process.returncode == 128 + signal.SIGTERM


def test_a_script_that_does_all_when_it_is_imported_is_told_what_to_do(tmp_path):
    does = 'with processes(2, "") as pool: pool.submit(abs, -1).result()'
    _, said = ended(script(tmp_path, does, guarded=False))
    assert "UsageError: the workers could not begin: a script that wants several keeps" in said
    assert ended(script(tmp_path, does))[1] == ""

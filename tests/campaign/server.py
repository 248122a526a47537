"""A server that misbehaves in every way that there is, and what `pellucid fetch` makes of it.

    python tests/campaign/server.py [--only NAME…]

Each way is tried in a process of its own, which may hold 256 MB more than it began with, and write
files of 64 MB. The command must end in time with the exit code for an archive that cannot be gone
by, in one line for each file, without what was sent in the file's place; and once the server
behaves, the same command must bring all of it.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import importlib
import io
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

from misbehaviour import FAULTS, Archive, serving

#: Of one way, by the clock; each takes a few.
SECONDS = 120.0
MEMORY, LARGEST = 2**28, 2**26
FORK = multiprocessing.get_context("fork")


def hurry() -> None:
    """Give answers seconds and megabytes in the place of an hour and gigabytes."""
    from pellucid.archives import download, http
    from pellucid.archives.cosmos import catalogue

    http.FILE_SECONDS = http.QUERY_SECONDS = 1.0
    http.WHOLE_SECONDS = download.WHOLE_SECONDS = 2.5
    http.HELD = catalogue._LARGEST = download.LARGEST = 2**22
    download.SLOWEST = 2**22


def trial(name: str, folder: Path) -> str:
    """What is wrong with how one way to misbehave is met; "clean" where nothing is."""
    from pellucid.cli import main

    fault, archive = FAULTS[name], Archive()
    with serving(archive) as address:
        words = archive.words(address, folder)
        archive.fault = fault
        said, started = io.StringIO(), time.monotonic()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = main(words)
        seconds = time.monotonic() - started
        lines = said.getvalue().strip().splitlines()
        if code not in fault.codes:
            return f"wrong exit code ({code}): {lines[-1:]}"
        if seconds > 30.0:
            return f"hang ({seconds:.0f} s)"
        if code and (not lines or any(len(line) > 500 for line in lines)):
            return f"no line ({lines})"
        for path, content in archive.files(folder).items():
            if path.exists() and path.read_bytes() != content:
                return f"what was sent stands in the place of {path.name}"
        if sum(path.stat().st_size for path in folder.rglob("*.part")) > 2**23:
            return "more was kept than was promised"
        archive.fault = None
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = main(words)
        if code:
            return f"does not go on: {said.getvalue().splitlines()[-1:]}"
        if [p for p, content in archive.files(folder).items() if p.read_bytes() != content]:
            return "the file is another one afterwards"
        if list(folder.rglob("*.part")):
            return "left behind"
    return "clean"


def alone(name: str, folder: Path) -> str:
    """`trial` in a fork of this process."""
    verdict = folder / "verdict"
    (folder / "in").mkdir(parents=True)
    child = FORK.Process(target=_judge, args=(name, folder / "in", verdict))
    child.start()
    child.join(SECONDS)
    if child.is_alive():
        child.kill()
        return "hang"
    return verdict.read_text() if verdict.exists() else f"traceback ({child.exitcode})"


def _judge(name: str, folder: Path, verdict: Path) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))
    hurry()
    what = trial(name, folder)
    held = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used) * 1024
    verdict.write_text(what if held < MEMORY else f"memory ({held / 1e6:.0f} MB)")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(FAULTS), default=list(FAULTS))
    options = parser.parse_args()
    for loaded in (
        "pellucid.cli",
        "pyvo",
        "astropy.table",
        "astropy.io.votable",
        "astropy.io.fits",
    ):
        importlib.import_module(loaded)
    found = {}
    with tempfile.TemporaryDirectory(prefix="server-") as place:
        for number, name in enumerate(options.only):
            started = time.monotonic()
            found[name] = alone(name, Path(place, str(number)))
            took = time.monotonic() - started
            sys.stderr.write(f"{took:6.1f} s  {name}: {found[name]}\n")
    counts = collections.Counter(what.partition(" (")[0] for what in found.values())
    lines = ["| | exit code | what became of it |", "|---|---|---|"]
    for name, what in found.items():
        due = " or ".join(map(str, FAULTS[name].codes))
        lines.append(f"| {name} | {due} | {what} |")
    told = ", ".join(f"{number} {what}" for what, number in counts.most_common())
    sys.stdout.write("\n".join([*lines, "", f"{len(found)} ways: {told}"]) + "\n")
    return int(set(found.values()) != {"clean"})


if __name__ == "__main__":
    sys.exit(main())

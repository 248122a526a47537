"""What is done of one large image, so that a killed run goes on with it.

``OUT.fits.part`` is the result as far as it is, ``OUT.fits.part.jsonl`` beside it says how far: its
first line what the work is, then a line for each step, written when its pixels are on the disk.
"""

from __future__ import annotations

import json
import os
from collections import UserDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import UsageError
from pellucid.files import one_at_a_time
from pellucid.restoration.pieces import Told

#: Ends of the names of what is kept, and of its journal and lock.
PART, JOURNAL, LOCK = ".part", ".part.jsonl", ".part.lock"


class Kept(UserDict[str, Told]):
    """Steps that are done, and what each told; a further one is written down at once."""

    def __init__(self, journal: Path, work: Mapping[str, str], done: Mapping[str, Told]) -> None:
        super().__init__()
        self.data.update(done)
        self.journal, self.work = journal, work
        #: Whose pixels are on the disk before a step is done.
        self.descriptor: int | None = None

    def __setitem__(self, step: str, told: Told) -> None:
        self.data[step] = told
        if self.descriptor is not None:
            os.fsync(self.descriptor)
        sums = {name: np.asarray(value, np.float64).tolist() for name, value in told[0].items()}
        self._write({"step": step, "sums": sums, "notes": list(told[1])})

    def clear(self) -> None:
        """Begin anew: write down what the work is, and nothing that is done."""
        self.data.clear()
        self.journal.unlink(missing_ok=True)
        self._write({"work": dict(self.work)})

    def _write(self, line: Mapping[str, Any]) -> None:
        with self.journal.open("ab") as stream:
            stream.write(json.dumps(line).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())


@contextmanager
def kept(target: Path, work: Mapping[str, str]) -> Iterator[tuple[Path, Kept]]:
    """The file in which a result is made, and what is done of it; both go when it is whole.

    Raises
    ------
    UsageError
        When what is there was begun of another file or by other options.
    TemporaryError
        When another process is at it.
    """
    part, journal, lock = (target.with_name(target.name + end) for end in (PART, JOURNAL, LOCK))
    with one_at_a_time(lock, f"{target}: another process is making it; wait for that one"):
        before, done = _read(journal)
        if not part.exists() or before is None:
            done = {}
            part.unlink(missing_ok=True)
        elif other := [key for key in {**before, **work} if before.get(key) != work.get(key)]:
            was, now = (each.get(other[0], "nothing") for each in (before, work))
            raise UsageError(
                f"{part}: was begun with other {other[0]} ({was}, now {now}); delete it, or go on "
                "with what it was begun with"
            )
        steps = Kept(journal, work, done)
        if not done:
            steps.clear()
        yield part, steps
        journal.unlink(missing_ok=True)
    lock.unlink(missing_ok=True)


def left_of(target: Path) -> Path | None:
    """The file that an earlier run left of a result, where there is one."""
    part = target.with_name(target.name + PART)
    return part if part.exists() else None


def _read(journal: Path) -> tuple[Mapping[str, str] | None, dict[str, Told]]:
    """What the work was, and its steps; a line that a kill cut off is none."""
    work, done, good = None, dict[str, Told](), 0
    for line in journal.read_bytes().splitlines(True) if journal.exists() else ():
        try:
            said = json.loads(line if line.endswith(b"\n") else b"")
            if "work" in said:
                work = said["work"]
            else:
                sums = {name: np.array(value) for name, value in said["sums"].items()}
                done[said["step"]] = sums, said["notes"]
        except (ValueError, KeyError, TypeError):
            os.truncate(journal, good)
            break
        good += len(line)
    return work if isinstance(work, dict) else None, done


def seen_of(files: Sequence[str | os.PathLike[str]]) -> str:
    """Names, sizes and times of those that are files: what tells that they are the same."""
    stats = [(os.path.basename(file), os.stat(file)) for file in files if os.path.isfile(file)]
    return ", ".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)

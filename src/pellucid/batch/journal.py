"""What a run writes down as it goes, so that nothing that was done is lost or done twice.

In a hidden folder of the output lie ``run.json``, what was asked for, and a journal for each
process that ever worked there: a line of JSON for each image. A line that a kill cut off is the
last of its journal and is passed over; a process begins a journal of its own.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pellucid.errors import InputError, UsageError
from pellucid.files import make_folder, one_at_a_time, write_content

HIDDEN = ".pellucid"
RECORD = "run.json"
_JOURNALS = "journal-*.jsonl"

Row = dict[str, Any]
#: Tells two processes of one number apart.
_BEGUN = time.time_ns()


def note_rows(folder: Path, rows: Sequence[Row]) -> None:
    """Append the rows of some images to the journal of this process, at once."""
    now = time.time()
    lines = [json.dumps({**row, "ended": now}, allow_nan=False) + "\n" for row in rows]
    text = "".join(lines).encode()
    # Opened anew for each line: an --overwrite may have deleted it.
    name = folder / HIDDEN / f"journal-{socket.gethostname()}-{os.getpid()}-{_BEGUN}.jsonl"
    with open(name, "ab", buffering=0) as stream:
        if stream.write(text) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(name))


def rows_of(folder: Path) -> dict[str, Row]:
    """The latest row of each image that any process told of, by id."""
    found: dict[str, Row] = {}
    for path in sorted((folder / HIDDEN).glob(_JOURNALS)):
        for line in path.read_bytes().splitlines():
            try:
                row = json.loads(line)
                name, ended = row["id"], row["ended"]
            except (ValueError, KeyError, TypeError):
                continue
            if name not in found or ended >= found[name]["ended"]:
                found[name] = row
    return found


def recorded(folder: Path) -> dict[str, str] | None:
    """What the run in a folder was asked for; None where there is no run."""
    path = folder / HIDDEN / RECORD
    if not path.exists():
        return None
    try:
        return dict(json.loads(path.read_text())["options"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is damaged ({error}); --overwrite begins anew") from error


def record(folder: Path, options: Mapping[str, str]) -> None:
    """Write down what is asked for."""
    text = json.dumps({"options": dict(options)}, indent=1)
    write_content(make_folder(folder / HIDDEN) / RECORD, text, overwrite=True)


def check_same(folder: Path, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Refuse to go on with a run by other options than it was begun with."""
    for option in sorted({*before, *now}):
        if before.get(option) != now.get(option):
            was, wanted = (_said(option, options) for options in (before, now))
            raise UsageError(
                f"{folder}: the run there was begun {was}, this one is {wanted}; "
                "go on with the same options, or name another --output"
            )


def _said(option: str, options: Mapping[str, str]) -> str:
    if option not in options:
        return f"without {option}"
    return f"with {option} {options[option]}".rstrip()


def forget(folder: Path) -> None:
    """Delete what earlier runs wrote down; what they restored stays until it is replaced."""
    for path in [*(folder / HIDDEN).glob(_JOURNALS), folder / HIDDEN / RECORD]:
        path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, what: str, fault: str = "", patience: float = 0.0) -> Iterator[None]:
    """One at a time, on a lock that ends with its process.

    Raises
    ------
    TemporaryError
        When another process holds it for longer than ``patience`` seconds.
    """
    with one_at_a_time(folder / HIDDEN / f"{what}.lock", f"{folder}: {fault}", patience):
        yield

"""What can go wrong, each with the exit code that tells a script what to do next.

An error's text is one line: which file, what is wrong with it, what would work.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pellucid.ending import end_if_told


class PellucidError(Exception):
    """Something pellucid refuses; ``exit_code`` is what the command line returns."""

    exit_code = 1
    named = False  # whether its text begins with the file that it is of

    def __init__(self, *words: object) -> None:
        # What comes up in a process that was told to end is no fault of a file.
        end_if_told()
        super().__init__(*words)


E = TypeVar("E", bound=PellucidError)


class UsageError(PellucidError):
    """The request itself is wrong: mend the command."""

    exit_code = 2


class InputError(PellucidError):
    """The input is bad: trying again cannot help."""

    exit_code = 3


class MissingHDU(InputError):
    """A file lacks the HDU that is asked for; nothing else is wrong with it."""


class TemporaryError(PellucidError):
    """The machine is in the way (full disk, read-only folder): try again once it is not."""

    exit_code = 75


def refusal(
    path: str | os.PathLike[str], fault: str, advice: str, kind: type[InputError] = InputError
) -> InputError:
    """An error of one line: what file, what is wrong with it, what would work."""
    return _of_file(kind, path, f"{fault}; {advice}")


def printable(text: str) -> str:
    """Text of a file, as a terminal may be given it: what would move its cursor is spelled out."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in text
    )


def one_line(error: BaseException) -> str:
    """An outside library's words on one line."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def reason_of(error: Exception) -> str:
    """Why one object of many failed; what is the machine's doing is raised, as it stops them all.

    Of an error that is a fault of ours or of a library: what it is, and where.
    """
    end_if_told()
    if isinstance(error, (TemporaryError, OSError, MemoryError)):
        raise error
    if isinstance(error, PellucidError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """What goes wrong inside is told of this file, unless it is told of one already."""
    try:
        yield
    except PellucidError as error:
        error.named = error.named or str(error).startswith(f"{path}: ")
        if error.named:
            raise
        raise _of_file(type(error), path, str(error)) from error


def _of_file(kind: type[E], path: str | os.PathLike[str], text: str) -> E:
    error = kind(f"{path}: {text}")
    error.named = True
    return error

"""A study's folder: begun once, joined only by the same study."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid.errors import InputError, UsageError
from pellucid.files import write_content

#: What a study writes down before it does anything.
RECORD = "study.json"


def begin(output: Path, content: Mapping[str, Any], resume: bool) -> bool:
    """Write down what the folder computes (True), or see that it is the same as before.

    Raises
    ------
    UsageError
        When the folder holds something else, another study, or this one without ``resume``.
    InputError
        When its record is damaged.
    """
    record = output / RECORD
    text = json.dumps(content, indent=1)
    if not record.exists():
        strange = [each.name for each in output.iterdir() if each.name != "work"]
        if strange:
            raise UsageError(
                f"{output}: holds no study but {strange[0]}; name an empty or a new folder"
            )
        write_content(record, text)
        return True
    if not resume:
        raise UsageError(f"{output}: holds a study already; --resume goes on with it")
    try:
        before = json.loads(record.read_text())
    except ValueError as error:
        raise InputError(f"{record}: is damaged ({error}); name another --output") from error
    for part, value in json.loads(text).items():
        if before.get(part) != value:
            raise UsageError(f"{output}: was begun with another {part}; name another --output")
    return False


def require_training(*more: str) -> None:
    """Say before anything is done what would stop every network.

    Parameters
    ----------
    more
        Further packages that the study needs, from the extra ``sources``.

    Raises
    ------
    UsageError
        When torch, filelock or one of these is not installed.
    """
    extra = "train,sources" if more else "train"
    for name in ("torch", "filelock", *more):
        if importlib.util.find_spec(name) is None:
            raise UsageError(
                f"a study needs {name}, which is not installed: pip install 'pellucid[{extra}]'"
            )

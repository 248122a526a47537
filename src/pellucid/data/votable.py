"""VOTables that hold their own data, and those that would have them read from elsewhere."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from pellucid.errors import InputError

#: Bytes in which an XML file says what it is.
START = 4096
#: How XML begins that says in which encoding it is.
_MARKS = (b"\xef\xbb\xbf<", b"\xff\xfe", b"\xfe\xff")


def check_votable(path: Path) -> None:
    """Refuse a VOTable whose data lie elsewhere: who reads it would read any file, or ask any host.

    What is no XML is none of this function's business.

    Raises
    ------
    InputError
        When an element has an ``href``.
    """
    from astropy.utils.data import get_readable_fileobj

    with get_readable_fileobj(path, encoding="binary") as file:  # unpacked, as the reader does
        place = elsewhere(file)
    if place is not None:
        raise InputError(
            f"{path}: its data lie elsewhere ({place[:60]}); save the table with its data in it"
        )


def elsewhere(file: BinaryIO) -> str | None:
    """Where a VOTable's data lie that are not in it; None where they are, and of what is no XML."""
    if not file.read(START).lstrip().startswith((b"<", *_MARKS)):
        return None
    file.seek(0)
    found: list[str] = []

    def begins(name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2].upper()
        where = next((v for k, v in attributes.items() if k.rpartition(":")[2] == "href"), None)
        if tag in ("STREAM", "FITS") and where is not None:
            found.append(where)

    parser = expat.ParserCreate()
    parser.StartElementHandler = begins
    with contextlib.suppress(expat.ExpatError):  # the reader will find it, and say where
        parser.ParseFile(file)
    return found[0] if found else None

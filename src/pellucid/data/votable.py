"""VOTables that hold their own data, and those that would have them read from elsewhere."""

from __future__ import annotations

from pathlib import Path
from xml.parsers import expat

from pellucid.errors import InputError

#: Bytes in which an XML file says what it is.
START = 4096


def check_votable(path: Path) -> None:
    """Refuse a VOTable whose data lie elsewhere: who reads it would read any file, or ask any host.

    What is no XML is none of this function's business.

    Raises
    ------
    InputError
        When an element has an ``href``.
    """
    with path.open("rb") as file:
        start = file.read(START).lstrip()
        if not (
            start.startswith((b"<", b"\xef\xbb\xbf<")) or start[:2] in (b"\xff\xfe", b"\xfe\xff")
        ):
            return
        file.seek(0)
        found: list[str] = []

        def begins(name: str, attributes: dict[str, str]) -> None:
            tag = name.rpartition(":")[2].upper()
            where = next((v for k, v in attributes.items() if k.rpartition(":")[2] == "href"), None)
            if tag in ("STREAM", "FITS") and where is not None:
                found.append(where)

        parser = expat.ParserCreate()
        parser.StartElementHandler = begins
        try:
            parser.ParseFile(file)
        except expat.ExpatError:  # so the reader will find, and say where
            pass
    if found:
        raise InputError(
            f"{path}: its data lie elsewhere ({found[0][:60]}); save the table with its data in it"
        )

"""One image of many."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """An image to restore.

    Parameters
    ----------
    name
        Its id, and the path of its result in the output folder but for the suffix.
    files
        What it is read from: one file, or one a band, and what belongs to these.
    place
        The folder of its files below the one that was named.
    bands
        Of each of the first files, as names or headers tell; none where they do not.
    fault
        Why it cannot be restored, as far as that is known before it is opened.
    """

    name: str
    files: tuple[str, ...]
    place: str = ""
    bands: tuple[str, ...] = ()
    fault: str = ""

    @property
    def output(self) -> str:
        return f"{self.name}.fits"

"""One image of many."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cut:
    """Where an object of a ``catalogue`` stands in its mosaics: deg (ICRS), and pixels a side."""

    catalogue: str
    ra: float
    dec: float
    size: int
    id_column: str = "id"


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
    cut
        The window of its files that it is; without it, they are the image.
    """

    name: str
    files: tuple[str, ...]
    place: str = ""
    bands: tuple[str, ...] = ()
    fault: str = ""
    cut: Cut | None = None

    @property
    def said(self) -> str:
        """What it is called where something is told of it."""
        return self.files[0] if self.cut is None else f"{self.cut.catalogue}: {self.name}"

    @property
    def output(self) -> str:
        return f"{self.name}.fits"

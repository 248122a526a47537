"""Pairs of a blurred and a sharp image, whoever made them: what training and evaluation ask for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pellucid.data import made, observed
from pellucid.data.hdf5 import read_hdf5
from pellucid.errors import InputError
from pellucid.sky.image import SkyImage
from pellucid.sky.pair import Pair


class Pairs(Protocol):
    """A store of pairs, one an object.

    ``path`` is its file, ``ids`` are the objects'; ``bands``, ``unit`` and ``pixel_scale``
    (arcsec) are those of every image. ``blurred_scale`` is the pixel size in arcsec of the camera
    behind the blurred images where it is not that of the grid.
    """

    path: Path
    ids: list[str]
    bands: tuple[str, ...]
    unit: str | None
    pixel_scale: float

    @property
    def blurred_scale(self) -> float | None: ...

    def __len__(self) -> int: ...

    def sharp(self, index: int) -> SkyImage:
        """The sharp image of one object."""
        ...

    def pair(self, index: int, seed: int = 0) -> Pair:
        """The pair of one object by which restorers are judged.

        What is drawn for it depends on the seed and the object's id, never on the order of objects.
        """
        ...

    def draw(self, index: int, rng: np.random.Generator, with_blur: bool = False) -> Pair:
        """A pair of one object to train on; its blur may be left out where nobody asks for it."""
        ...

    def origin(self) -> Mapping[str, Any]:
        """Where the pairs come from, for a card: ``pairs`` is made, observed or simulated."""
        ...

    def blurs(self) -> list[float]:
        """FWHM in arcsec of the different blurs, as far as they are known."""
        ...

    def noises(self) -> list[float]:
        """The different noise levels in units of the sharp images' own, where these are set."""
        ...


def open_pairs(path: str | Path) -> Pairs:
    """Open a pair store.

    Raises
    ------
    InputError
        When the file is missing, damaged or no pair store.
    """
    path = Path(path)

    def read(file: Any) -> Pairs:
        form = file.attrs.get("format")
        if form == observed.FORMAT:
            return observed.ObservedPairs.of(path, file)
        if form == made.FORMAT:
            return made.MadePairs.of(path, file)
        raise InputError(f"{path}: is HDF5 but not a pair store ({made.FORMAT})")

    return read_hdf5(path, read, "pair store", "; `pellucid pairs` makes a pair store")


def open_made(path: str | Path) -> made.MadePairs:
    """Open a store of sharp images; one of what two telescopes observed is an InputError."""
    store = open_pairs(path)
    if not isinstance(store, made.MadePairs):
        raise InputError(f"{path}: holds observed pairs; a store of sharp images is needed")
    return store

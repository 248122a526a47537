"""Pairs made of sharp images by degrading them.

Layout of the HDF5 file: datasets ``id`` (object,) and ``sharp`` (object, band, y, x), float32, one
chunk an object; attributes ``bands``, ``unit``, ``pixel_scale`` and ``degradations``, a JSON list.
A blurred image is not stored: it is a pure function of the sharp one, a degradation and a seed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.hdf5 import Store, append_image, read_header, write_hdf5, write_header
from pellucid.data.rejection import Rejection
from pellucid.errors import InputError, PellucidError
from pellucid.optics import Degradation, object_rng
from pellucid.sky.image import SkyImage, is_nanomaggy
from pellucid.sky.pair import Pair

FORMAT = "pellucid-pairs-1"


@dataclass
class MadePairs(Store):
    """Sharp images and the degradations that their blurred partners come from; see `Pairs`."""

    degradations: list[Degradation]
    blurred_scale: None = field(default=None, init=False)

    @classmethod
    def of(cls, path: Path, file: Any) -> MadePairs:
        """The store in an open `h5py.File`."""
        degradations = [Degradation(**way) for way in json.loads(file.attrs["degradations"])]
        return cls(*read_header(path, file, "sharp"), degradations)

    def through(self, degradation: Degradation) -> MadePairs:
        """The same objects, their blurred partners made by another degradation."""
        return replace(self, degradations=[degradation])

    def flux(self, index: int) -> NDArray[np.float32]:
        """Sharp flux of one object, shape (band, y, x)."""
        return self.read(index, lambda file: file["sharp"][index])

    def sharp(self, index: int) -> SkyImage:
        """See `Pairs`."""
        return SkyImage(
            self.flux(index), bands=self.bands, unit=self.unit, pixel_scale=self.pixel_scale
        )

    def pair(self, index: int, seed: int = 0) -> Pair:
        """See `Pairs`; through the first degradation."""
        return self._made(index, self._ways()[0], object_rng(seed, self.ids[index]))

    def draw(self, index: int, rng: np.random.Generator, with_blur: bool = False) -> Pair:
        """See `Pairs`; any of the degradations, any noise."""
        return self._made(index, self._ways()[rng.integers(len(self.degradations))], rng)

    def _ways(self) -> list[Degradation]:
        if not self.degradations:  # a study's store has none until it is `through` one
            raise InputError(f"{self.path}: says of no degradation, so there are no pairs in it")
        return self.degradations

    def origin(self) -> Mapping[str, Any]:
        """See `Pairs`."""
        return {"pairs": "made", "degradations": [asdict(step) for step in self.degradations]}

    def blurs(self) -> list[float]:
        """See `Pairs`."""
        return [degradation.fwhm for degradation in self.degradations]

    def noises(self) -> list[float]:
        """See `Pairs`."""
        return [degradation.noise for degradation in self.degradations]

    def _made(self, index: int, degradation: Degradation, rng: np.random.Generator) -> Pair:
        try:
            return degradation(self.sharp(index), rng)
        except InputError as error:
            raise InputError(f"{self.path}: object {self.ids[index]}: {error}") from error


def write_pairs(
    path: str | Path,
    objects: Iterable[tuple[str, SkyImage | PellucidError]],
    degradations: Sequence[Degradation],
    overwrite: bool = False,
) -> tuple[int, list[Rejection]]:
    """Write a store from (id, image) pairs; memory holds one image at a time.

    The first good image sets the bands, shape, unit and pixel scale. An object that could not be
    read (an error in the image's place), disagrees with these or was there before is rejected and
    reported; the rest is kept. Returned are the number of objects in the store and the rejected.
    """
    ids: dict[str, None] = {}
    rejected: list[Rejection] = []

    def fill(file: Any, raise_error: Callable[[], None]) -> None:
        first: SkyImage | None = None
        for name, image in objects:
            reason = _objection(name, image, first, ids)
            if reason is not None or isinstance(image, PellucidError):
                rejected.append(Rejection(name, reason or str(image)))
                continue
            first = first or image
            append_image(file, "sharp", image.flux)
            raise_error()
            ids[name] = None
        if first is None or first.pixel_scale is None:
            why = f" (first: {rejected[0].id}: {rejected[0].reason})" if rejected else ""
            raise InputError(f"{path}: no object left to store{why}")
        write_header(file, FORMAT, list(ids), first.bands, first.unit, first.pixel_scale)
        file.attrs["degradations"] = json.dumps([asdict(way) for way in degradations])

    write_hdf5(path, fill, overwrite)
    return len(ids), rejected


def _objection(
    name: str, image: SkyImage | PellucidError, first: SkyImage | None, seen: Collection[str]
) -> str | None:
    if isinstance(image, PellucidError):
        return str(image)
    if name in seen:
        return "an object of this id came before"
    if image.pixel_scale is None:
        return "has no pixel scale; --pixel-scale states it"
    if not np.isfinite(image.flux).all():
        return "has pixels without data"
    if first is None:
        return None
    if image.shape != first.shape:
        return f"is {image.shape}, the first object {first.shape} (bands, height, width)"
    if image.bands != first.bands:
        return f"has bands {','.join(image.bands)}, the first object {','.join(first.bands)}"
    if image.unit != first.unit and not (is_nanomaggy(image.unit) and is_nanomaggy(first.unit)):
        return f"is in {image.unit or 'no unit'}, the first object in {first.unit or 'no unit'}"
    assert first.pixel_scale is not None
    if abs(image.pixel_scale / first.pixel_scale - 1) > 0.02:
        return f'has {image.pixel_scale:.4g}" pixels, the first object {first.pixel_scale:.4g}"'
    return None

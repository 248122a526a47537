"""The pair store: sharp images and their blurred partners, in one HDF5 file.

Layout: datasets ``id`` (object,) and ``sharp`` (object, band, y, x), float32, one chunk an object;
attributes ``bands``, ``unit``, ``pixel_scale`` and ``degradations``, a JSON list. A blurred image
is not stored: it is a pure function of the sharp one, a degradation and a seed. Only where two
telescopes saw the same sky does the store hold both; see `pellucid.data.observed`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pellucid.data import observed
from pellucid.data.hdf5 import create_images, write_hdf5
from pellucid.data.rejection import Rejection
from pellucid.errors import InputError, PellucidError
from pellucid.optics import Degradation, object_rng
from pellucid.sky.image import SkyImage, is_nanomaggy

FORMAT = "pellucid-pairs-1"

T = TypeVar("T")


@dataclass
class PairStore:
    """An open pair store; read with `open_pairs`, written with `write_pairs`."""

    path: Path
    ids: list[str]
    bands: tuple[str, ...]
    unit: str | None
    pixel_scale: float
    degradations: list[Degradation]
    observed: bool = False
    #: Arcsec per pixel of the camera behind the blurred images, where the store knows it.
    blurred_scale: float | None = None
    _file: Any = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def __getstate__(self) -> dict[str, Any]:
        # An open HDF5 handle does not survive a fork or a pickle; each process opens its own.
        return {**self.__dict__, "_file": None}

    def through(self, degradation: Degradation) -> PairStore:
        """The same objects, their blurred partners made by another degradation."""
        return replace(
            self, degradations=[degradation], observed=False, blurred_scale=None, _file=None
        )

    def flux(self, index: int) -> NDArray[np.float32]:
        """Sharp flux of one object, shape (band, y, x).

        Raises
        ------
        InputError
            When the object's pixels are damaged; a checksum tells.
        """
        return self._read(index, lambda file: file["sharp"][index])

    def sharp(self, index: int) -> SkyImage:
        """The sharp image of one object."""
        if self.observed:
            return self._observed(index)[0]
        return SkyImage(
            self.flux(index), bands=self.bands, unit=self.unit, pixel_scale=self.pixel_scale
        )

    def pair(self, index: int, seed: int = 0) -> tuple[SkyImage, SkyImage]:
        """(sharp, blurred) of one object: as observed, or through the first degradation.

        The noise depends on the seed and the object's id, never on the order of objects.
        """
        if self.observed:
            return self._observed(index, psf=True)
        return self._made(index, self.degradations[0], object_rng(seed, self.ids[index]))

    def draw(self, index: int, rng: np.random.Generator) -> tuple[SkyImage, SkyImage]:
        """(sharp, blurred) of one object for training: any of the degradations, any noise."""
        if self.observed:
            return self._observed(index)
        return self._made(index, self.degradations[rng.integers(len(self.degradations))], rng)

    def added_fwhm(self) -> float | None:
        """FWHM in arcsec of the blur that the first degradation adds; None for observed pairs,
        whose images bring their PSF where it is known."""
        return None if self.observed else self.degradations[0].fwhm

    def seeing(self) -> list[float]:
        """FWHM in arcsec of the blurred images' PSFs, where the store holds them."""
        return self._read(0, observed.read_seeing) if self.observed else []

    def _made(
        self, index: int, degradation: Degradation, rng: np.random.Generator
    ) -> tuple[SkyImage, SkyImage]:
        sharp = self.sharp(index)
        try:
            return sharp, degradation(sharp, rng)
        except InputError as error:
            raise InputError(f"{self.path}: object {self.ids[index]}: {error}") from error

    def _observed(self, index: int, psf: bool = False) -> tuple[SkyImage, SkyImage]:
        return self._read(
            index, lambda file: observed.read_pair(file, index, self.bands, self.unit, psf)
        )

    def _read(self, index: int, read: Callable[[Any], T]) -> T:
        try:
            if self._file is None:
                import h5py

                self._file = h5py.File(self.path, "r")
            return read(self._file)
        except (InputError, OSError, KeyError, ValueError) as error:
            raise InputError(f"{self.path}: object {index} is damaged ({error})") from error


def open_pairs(path: str | Path) -> PairStore:
    """Open a pair store.

    Raises
    ------
    InputError
        When the file is missing, damaged or no pair store.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; `pellucid pairs` makes a pair store")
    try:
        with h5py.File(path, "r") as opened:
            file: Any = opened  # h5py types each lookup as everything it could be
            both = file.attrs.get("format") == observed.FORMAT
            if not both and file.attrs.get("format") != FORMAT:
                raise InputError(f"{path}: is HDF5 but not a pair store ({FORMAT})")
            store = PairStore(
                path=path,
                ids=[name.decode() for name in file["id"][:]],
                bands=tuple(json.loads(file.attrs["bands"])),
                unit=str(file.attrs["unit"]) or None,
                pixel_scale=float(file.attrs["pixel_scale"]),
                degradations=[
                    Degradation(**fields) for fields in json.loads(file.attrs["degradations"])
                ],
                observed=both,
                blurred_scale=observed.own_scale(file) if both else None,
            )
            for name in ("sharp", "blurred") if both else ("sharp",):
                if len(store.ids) != len(file[name]):
                    raise InputError(
                        f"{path}: has {len(store.ids)} ids for {len(file[name])} {name} images"
                    )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is damaged or no pair store ({error})") from error
    return store


def write_pairs(
    path: str | Path,
    objects: Iterable[tuple[str, SkyImage | PellucidError]],
    degradations: Sequence[Degradation],
    overwrite: bool = False,
) -> tuple[int, list[Rejection]]:
    """Write a store from (id, image) pairs; memory holds one image at a time.

    The first good image sets the bands, shape, unit and pixel scale. An object that could not be
    read (an error in the image's place), disagrees with these or was there before is rejected and
    reported; the rest is kept.

    Returns
    -------
    tuple
        How many objects the store holds, and the rejected ones.

    Raises
    ------
    InputError
        When no object is left.
    """
    ids: list[str] = []
    rejected: list[Rejection] = []

    def fill(file: Any, raise_error: Callable[[], None]) -> None:
        first: SkyImage | None = None
        seen: set[str] = set()
        for name, image in objects:
            reason = _objection(name, image, first, seen)
            if reason is not None or isinstance(image, PellucidError):
                rejected.append(Rejection(name, reason or str(image)))
                continue
            if first is None:
                first = image
                _write_header(file, image, degradations)
            file["sharp"].resize(len(ids) + 1, axis=0)
            file["sharp"][len(ids)] = image.flux
            raise_error()
            ids.append(name)
            seen.add(name)
        if not ids:
            why = f" (first: {rejected[0].id}: {rejected[0].reason})" if rejected else ""
            raise InputError(f"{path}: no object left to store{why}")
        file["id"] = np.array([name.encode() for name in ids])

    write_hdf5(path, fill, overwrite)
    return len(ids), rejected


def _objection(
    name: str, image: SkyImage | PellucidError, first: SkyImage | None, seen: set[str]
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


def _write_header(file: Any, image: SkyImage, degradations: Sequence[Degradation]) -> None:
    file.attrs["format"] = FORMAT
    file.attrs["bands"] = json.dumps(image.bands)
    file.attrs["unit"] = image.unit or ""
    file.attrs["pixel_scale"] = image.pixel_scale
    file.attrs["degradations"] = json.dumps([asdict(each) for each in degradations])
    create_images(file, "sharp", image.shape)

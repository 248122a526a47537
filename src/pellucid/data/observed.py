"""Pairs that two telescopes observed, or were simulated to have observed.

Layout of the HDF5 file: ``id``, ``sharp``, ``bands``, ``unit`` and ``pixel_scale`` as of made
pairs, ``blurred`` like ``sharp``; for each object ``scale`` (arcsec per pixel), ``noise`` (sharp,
blurred), ``shift`` (dy, dx that registration removed, in arcsec), ``wcs`` (header of the common
grid) and ``position`` (RA, Dec, deg); where PSFs are known ``sharp_psf`` and ``blurred_psf``, in
the telescopes' own pixels (of several the finest), whose scales are their attribute
``pixel_scale``. The attribute ``origin`` is observed or simulated, ``provenance`` is JSON. Fluxes
are sky-subtracted, both images' in one unit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.data.hdf5 import ImageFile, create_images, read_ids, write_hdf5
from pellucid.errors import InputError
from pellucid.optics import blur_between, resampled_psf
from pellucid.sky import PSF
from pellucid.sky.image import SkyImage
from pellucid.sky.pair import Pair

FORMAT = "pellucid-observed-pairs-1"


@dataclass(frozen=True, eq=False)
class ObservedPair:
    """One galaxy as two telescopes saw it, on one grid.

    Parameters
    ----------
    id
        The object's.
    sharp, blurred
        Flux per pixel of the common grid (band, y, x), sky-subtracted, in one unit.
    pixel_scale
        Of the common grid, arcsec.
    noise
        Standard deviation of the sky in sharp and blurred: that of their own pixels, times the
        area of a grid pixel in these.
    shift
        What registration removed (dy, dx), arcsec.
    wcs
        The header of the common grid's WCS, or "".
    position
        RA and Dec of the object, deg; NaN where it has none.
    psfs
        Of sharp and blurred, one stamp each, in their own pixels; None where unknown.
    """

    id: str
    sharp: NDArray[np.float32]
    blurred: NDArray[np.float32]
    pixel_scale: float
    noise: tuple[float, float]
    shift: tuple[float, float] = (0.0, 0.0)
    wcs: str = ""
    position: tuple[float, float] = (float("nan"), float("nan"))
    psfs: tuple[PSF | None, PSF | None] = (None, None)


@dataclass
class ObservedPairs:
    """Two images of each object, as they are in the file; see `Pairs`."""

    path: Path
    ids: list[str]
    bands: tuple[str, ...]
    unit: str | None
    pixel_scale: float
    blurred_scale: float | None
    simulated: bool
    _file: ImageFile = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._file = ImageFile(self.path)

    @classmethod
    def of(cls, path: Path, file: Any) -> ObservedPairs:
        """The store in an open `h5py.File`."""
        psfs = file.get("blurred_psf")
        return cls(
            path=path,
            ids=read_ids(path, file, "sharp", "blurred"),
            bands=tuple(json.loads(file.attrs["bands"])),
            unit=str(file.attrs["unit"]) or None,
            pixel_scale=float(file.attrs["pixel_scale"]),
            blurred_scale=None if psfs is None else float(psfs.attrs["pixel_scale"]),
            simulated=file.attrs.get("origin") == "simulated",
        )

    def __len__(self) -> int:
        return len(self.ids)

    def sharp(self, index: int) -> SkyImage:
        """See `Pairs`."""
        return self._images(index)[0]

    def pair(self, index: int, seed: int = 0) -> Pair:
        """See `Pairs`; as observed, each image with its PSF and WCS, as far as they are known."""
        return self.draw(index, np.random.default_rng(seed), with_blur=True)

    def draw(self, index: int, rng: np.random.Generator, with_blur: bool = False) -> Pair:
        """See `Pairs`; as observed. Reading PSFs takes time, so only where the blur is wanted."""
        sharp, blurred = self._images(index, with_blur)
        return Pair(blurred, sharp, _blur(blurred.psf, sharp.psf))

    def origin(self) -> Mapping[str, Any]:
        """See `Pairs`."""
        return {"pairs": "simulated" if self.simulated else "observed"}

    def blurs(self) -> list[float]:
        """See `Pairs`; FWHM in arcsec of the blurred images' PSFs."""
        return self._file.read(0, _seeing)

    def noises(self) -> list[float]:
        """See `Pairs`; each pair has its own."""
        return []

    def _images(self, index: int, with_psf: bool = False) -> tuple[SkyImage, SkyImage]:
        return self._file.read(
            index, lambda file: _read_images(file, index, self.bands, self.unit, with_psf)
        )


def write_observed(
    path: str | Path,
    pairs: Iterable[ObservedPair],
    bands: tuple[str, ...],
    unit: str | None,
    provenance: Mapping[str, Any],
    overwrite: bool = False,
    origin: Literal["observed", "simulated"] = "observed",
) -> int:
    """Write a store of observed pairs, all of one shape; memory holds one at a time.

    Returns
    -------
    int
        How many it holds.

    Raises
    ------
    InputError
        When there is none; nothing is written then.
    """
    columns: dict[str, list[Any]] = {
        name: [] for name in ("id", "scale", "noise", "shift", "wcs", "position")
    }
    stamps: tuple[list[PSF | None], list[PSF | None]] = ([], [])

    def fill(file: Any, raise_error: Callable[[], None]) -> None:
        for pair in pairs:
            count = len(columns["id"])
            for name, flux in (("sharp", pair.sharp), ("blurred", pair.blurred)):
                if not count:
                    create_images(file, name, flux.shape)  # type: ignore[arg-type]
                file[name].resize(count + 1, axis=0)
                file[name][count] = flux
                raise_error()
            columns["id"].append(pair.id.encode())
            columns["scale"].append(pair.pixel_scale)
            columns["noise"].append(pair.noise)
            columns["shift"].append(pair.shift)
            columns["wcs"].append(pair.wcs.encode())
            columns["position"].append(pair.position)
            for side, psf in zip(stamps, pair.psfs, strict=True):
                side.append(psf)
        if not columns["id"]:
            raise InputError(f"{path}: no pair left to store")
        for name, values in columns.items():
            file[name] = np.array(values)
        for name, side in zip(("sharp_psf", "blurred_psf"), stamps, strict=True):
            _write_psfs(file, name, side)
        file.attrs["format"] = FORMAT
        file.attrs["bands"] = json.dumps(bands)
        file.attrs["unit"] = unit or ""
        file.attrs["pixel_scale"] = float(np.median(columns["scale"]))
        file.attrs["origin"] = origin
        file.attrs["provenance"] = json.dumps(provenance)

    write_hdf5(path, fill, overwrite)
    return len(columns["id"])


def _read_images(
    file: Any, index: int, bands: tuple[str, ...], unit: str | None, with_psf: bool
) -> tuple[SkyImage, SkyImage]:
    """(sharp, blurred) of one object from an open file."""
    images = []
    for side, name in enumerate(("sharp", "blurred")):
        flux = file[name][index]
        scale = float(file["scale"][index])
        psf = None
        if with_psf and f"{name}_psf" in file:
            stamp = file[f"{name}_psf"]
            psf = resampled_psf(PSF(stamp[index], float(stamp.attrs["pixel_scale"])), scale)
        images.append(
            SkyImage(
                flux,
                bands=bands,
                unit=unit,
                variance=np.full_like(flux, float(file["noise"][index, side]) ** 2),
                sky=(0.0,) * len(bands),
                psf=psf,
                wcs=_wcs(bytes(file["wcs"][index])) if with_psf else None,
                pixel_scale=scale,
            )
        )
    return images[0], images[1]


def _seeing(file: Any) -> list[float]:
    """FWHM in arcsec of the different PSFs of the blurred images in an open file."""
    if "blurred_psf" not in file:
        return []
    stamps = file["blurred_psf"]
    scale = float(stamps.attrs["pixel_scale"])
    return [PSF(stamp, scale).fwhm for stamp in np.unique(stamps[:], axis=0)]


def _blur(psf: PSF | None, target: PSF | None) -> PSF | None:
    """The kernel between two telescopes' PSFs, where both are known and there is one."""
    if psf is None or target is None:
        return None
    try:
        return blur_between(psf, target)
    except InputError:  # the "blurred" telescope was the sharper one, or the grid is too coarse
        return None


def _write_psfs(file: Any, name: str, psfs: list[PSF | None]) -> None:
    """All or none, in one pixel scale, the finest: a finer grid samples a PSF and blurs nothing.

    Smaller stamps are padded with zeros to the largest.
    """
    known = [psf for psf in psfs if psf is not None]
    if len(known) < len(psfs):
        return
    finest = min(psf.pixel_scale for psf in known)
    known = [
        psf if np.isclose(psf.pixel_scale, finest, rtol=1e-3) else resampled_psf(psf, finest)
        for psf in known
    ]
    side = max(max(psf.stamps.shape[1:]) for psf in known)
    cube = np.zeros((len(known), side, side), dtype=np.float32)
    for plane, psf in zip(cube, known, strict=True):
        height, width = psf.stamps.shape[1:]
        y, x = (side - height) // 2, (side - width) // 2
        plane[y : y + height, x : x + width] = psf.stamps[0]
    file.create_dataset(name, data=cube, compression="lzf")
    file[name].attrs["pixel_scale"] = finest


def _wcs(header: bytes) -> Any:
    if not header:
        return None
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    return WCS(Header.fromstring(header.decode()))

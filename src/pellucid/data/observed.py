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
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.data.hdf5 import Store, append_image, read_header, write_hdf5, write_header
from pellucid.errors import InputError
from pellucid.optics import blur_between, resampled_psf
from pellucid.sky import PSF
from pellucid.sky.image import SkyImage
from pellucid.sky.pair import Pair

FORMAT = "pellucid-observed-pairs-1"
SIDES = ("sharp", "blurred")


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
class ObservedPairs(Store):
    """Two images of each object, as they are in the file; see `Pairs`."""

    blurred_scale: float | None
    simulated: bool

    @classmethod
    def of(cls, path: Path, file: Any) -> ObservedPairs:
        """The store in an open `h5py.File`."""
        psfs = file.get("blurred_psf")
        return cls(
            *read_header(path, file, "sharp", "blurred"),
            blurred_scale=None if psfs is None else float(psfs.attrs["pixel_scale"]),
            simulated=file.attrs.get("origin") == "simulated",
        )

    def sharp(self, index: int) -> SkyImage:
        """See `Pairs`."""
        return self._images(index)[0]

    def pair(self, index: int, seed: int = 0) -> Pair:
        """See `Pairs`; as observed, each image with its PSF and WCS, as far as they are known."""
        return self.draw(index, np.random.default_rng(seed), with_blur=True)

    def draw(self, index: int, rng: np.random.Generator, with_blur: bool = False) -> Pair:
        """See `Pairs`; as observed. Reading PSFs takes time, so only where the blur is wanted."""
        sharp, blurred = self._images(index, with_blur)
        return Pair(blurred, sharp, partial(_blur, blurred.psf, sharp.psf))

    def origin(self) -> Mapping[str, Any]:
        """See `Pairs`."""
        return {"pairs": "simulated" if self.simulated else "observed"}

    def blurs(self) -> list[float]:
        """See `Pairs`; FWHM in arcsec of the blurred images' PSFs."""
        scale = self.blurred_scale
        if scale is None:
            return []
        stamps = self.read(0, lambda file: np.unique(file["blurred_psf"][:], axis=0))
        return [PSF(stamp, scale).fwhm for stamp in stamps]

    def noises(self) -> list[float]:
        """See `Pairs`; each pair has its own."""
        return []

    def _images(self, index: int, with_psf: bool = False) -> list[SkyImage]:
        """Sharp and blurred."""

        def image(file: Any, side: int, name: str) -> SkyImage:
            flux, scale = file[name][index], float(file["scale"][index])
            psf = wcs = None
            if with_psf:
                wcs = _wcs(bytes(file["wcs"][index]))
                if f"{name}_psf" in file:
                    stamps = file[f"{name}_psf"]
                    psf = PSF(stamps[index], float(stamps.attrs["pixel_scale"]))
                    psf = resampled_psf(psf, scale)
            return SkyImage(
                flux,
                bands=self.bands,
                unit=self.unit,
                variance=np.full_like(flux, float(file["noise"][index, side]) ** 2),
                sky=(0.0,) * len(self.bands),
                psf=psf,
                wcs=wcs,
                pixel_scale=scale,
            )

        return self.read(index, lambda file: [image(file, *side) for side in enumerate(SIDES)])


def write_observed(
    path: str | Path,
    pairs: Iterable[ObservedPair],
    bands: tuple[str, ...],
    unit: str | None,
    provenance: Mapping[str, Any],
    overwrite: bool = False,
    origin: Literal["observed", "simulated"] = "observed",
) -> int:
    """Write a store of observed pairs, all of one shape, and return how many it holds.

    Memory holds one at a time. Where there is none, nothing is written.
    """
    written: list[ObservedPair] = []  # without their pixels
    nothing = np.zeros(0, dtype=np.float32)

    def fill(file: Any, raise_error: Callable[[], None]) -> None:
        for pair in pairs:
            append_image(file, "sharp", pair.sharp)
            append_image(file, "blurred", pair.blurred)
            raise_error()
            written.append(replace(pair, sharp=nothing, blurred=nothing))
        if not written:
            raise InputError(f"{path}: no pair left to store")
        scales = [pair.pixel_scale for pair in written]
        ids = [pair.id for pair in written]
        write_header(file, FORMAT, ids, bands, unit, float(np.median(scales)))
        file["scale"] = scales
        file["noise"] = [pair.noise for pair in written]
        file["shift"] = [pair.shift for pair in written]
        file["wcs"] = np.array([pair.wcs.encode() for pair in written])
        file["position"] = [pair.position for pair in written]
        for side, name in enumerate(SIDES):
            _write_psfs(file, f"{name}_psf", [pair.psfs[side] for pair in written])
        file.attrs["origin"] = origin
        file.attrs["provenance"] = json.dumps(provenance)

    write_hdf5(path, fill, overwrite)
    return len(written)


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
    largest = max(max(psf.stamps.shape[1:]) for psf in known)
    # A stamp's sides are odd, so what is missing of it has two halves.
    missing = [[(largest - side) // 2 for side in psf.stamps.shape[1:]] for psf in known]
    stamps = [
        np.pad(psf.stamps[0], [(rows, rows), (columns, columns)])
        for psf, (rows, columns) in zip(known, missing, strict=True)
    ]
    file.create_dataset(name, data=np.array(stamps), compression="lzf")
    file[name].attrs["pixel_scale"] = finest


def _wcs(header: bytes) -> Any:
    if not header:
        return None
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    return WCS(Header.fromstring(header.decode()))

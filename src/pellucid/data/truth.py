"""Truth: sharp images of galaxies, from which any telescope's view of them can be drawn.

Layout of the HDF5 file: ``id``, ``fwhm`` (what a point looks like, pixels), ``noise`` (standard
deviation of the sky, in units of the brightest pixel) and ``images/<number>`` (band, y, x) in half
precision, sky at 0 and the brightest pixel at 1, images of any size; ``kernels/<number>`` (y, x),
stamps of real point sources, each summing to 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.hdf5 import Store, read_hdf5, write_hdf5
from pellucid.errors import InputError
from pellucid.sky import robust_background

FORMAT = "pellucid-truth-1"
#: What an image of three bands shows.
BANDS = ("red", "green", "blue")


@dataclass(frozen=True, eq=False)
class Truth:
    """A sharp image of a galaxy and what is around it.

    Parameters
    ----------
    id
        Of the object; what its source is called stands before the first slash.
    flux
        Linear, shape (band, y, x), any unit.
    fwhm
        Of a point source in it, pixels.
    """

    id: str
    flux: NDArray[np.floating]
    fwhm: float


@dataclass
class TruthStore(Store):
    """An open store of truth; see `open_truth`. A pixel counts as one arcsec."""

    fwhm: NDArray[np.float32]
    noise: NDArray[np.float32]
    kernels: int

    def flux(self, index: int) -> NDArray[np.float32]:
        """An object's image, shape (band, y, x), its sky at 0 and its brightest pixel at 1."""
        return self.read(index, lambda file: file[f"images/{index}"][:].astype(np.float32))

    def kernel(self, number: int) -> NDArray[np.float32]:
        """A stamp of a real point source, shape (y, x)."""
        return self.read(number, lambda file: file[f"kernels/{number}"][:].astype("f4"))


def write_truth(
    path: str | Path,
    objects: Iterable[Truth],
    kernels: Iterable[NDArray[np.floating]] = (),
    overwrite: bool = False,
) -> int:
    """Write a store of truth; memory holds one image at a time. Returns how many it holds."""
    columns: dict[str, list[Any]] = {"id": [], "fwhm": [], "noise": []}

    def fill(file: Any, raise_error: Any) -> None:
        for truth in objects:
            sky = robust_background(np.asarray(truth.flux, dtype=np.float32))
            flux = truth.flux - sky.sky[:, None, None]
            peak = float(flux.max())
            if not peak > 0:
                continue
            image = (flux / peak).astype(np.float16)
            number = len(columns["id"])
            file.create_dataset(f"images/{number}", data=image, compression="lzf", shuffle=True)
            raise_error()
            columns["id"].append(truth.id.encode())
            columns["fwhm"].append(truth.fwhm)
            columns["noise"].append(sky.sigma / peak)
        if not columns["id"]:
            raise InputError(f"{path}: no image of truth to store")
        for number, stamp in enumerate(kernels):
            file[f"kernels/{number}"] = np.asarray(stamp / stamp.sum(), dtype=np.float32)
        file["id"] = np.array(columns["id"])
        for name in ("fwhm", "noise"):
            file[name] = np.array(columns[name], dtype=np.float32)
        file.attrs["format"] = FORMAT

    write_hdf5(path, fill, overwrite)
    return len(columns["id"])


def open_truth(path: str | Path) -> TruthStore:
    """Open a store of truth.

    Raises
    ------
    InputError
        When the file is missing, damaged or no such store.
    """
    path = Path(path)

    def read(file: Any) -> TruthStore:
        if file.attrs.get("format") != FORMAT:
            raise InputError(f"{path}: is HDF5 but holds no truth ({FORMAT})")
        return TruthStore(
            path,
            [name.decode() for name in file["id"][:]],
            BANDS,
            None,
            1.0,
            file["fwhm"][:],
            file["noise"][:],
            len(file.get("kernels", ())),
        )

    return read_hdf5(path, read, "store of truth")

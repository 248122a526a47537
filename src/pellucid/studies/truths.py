"""Where truth comes from: public galaxy images of many kinds, brought to linear flux."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.data.truth import Truth
from pellucid.errors import InputError
from pellucid.optics import block_mean
from pellucid.stretch import GalaxyGANStretch

COMPOSITES = "sdss_composites.tar"
GOODS, GALAXY_ZOO = "goods_hst_colour.tar", "galaxy_zoo_examples.tar"
#: FWHM in pixels of a point in the composites after they were shrunk: SDSS's seeing.
SDSS_FWHM = 3.3
#: Composites with a brighter sky (8-bit level) or more saturated pixels are left out.
BRIGHTEST_SKY, MOST_SATURATED = 15.0, 20.0
#: FWHM in pixels of a point in frames that their makers enlarged to their galaxies.
HST_FRAME_FWHM, GROUND_FRAME_FWHM = 3.2, 4.5


def truths(folder: Path) -> Iterator[Truth]:
    """Every image of truth in a folder of the archives that `docs/results/pellucid` names."""
    found = False
    for name, read in READERS.items():
        path = folder / name
        if path.exists():
            found = True
            yield from read(path)
    if not found:
        raise InputError(f"{folder}: holds none of {', '.join(READERS)}")


def _pictures(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Name and values in [0, 1], shape (3, y, x), red first, of each picture in a tar."""
    from PIL import Image

    with tarfile.open(path) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None and member.name.endswith(".jpg"):
                picture = Image.open(io.BytesIO(stream.read())).convert("RGB")
                value = np.asarray(picture, dtype=np.float32).transpose(2, 0, 1) / 255.0
                yield member.name.partition("/")[2].removesuffix(".jpg"), value


def _sdss(path: Path) -> Iterator[Truth]:
    with (path.with_suffix(".csv")).open() as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    for name, value in _pictures(path):
        row = rows.get(name)
        if row is None or float(row["median_sky_8bit"] or 99) > BRIGHTEST_SKY:
            continue
        if float(row["saturated_central_pixels"] or 99) > MOST_SATURATED:
            continue
        yield Truth(f"sdss/{name}", GalaxyGANStretch().inverse(block_mean(value, 2, 2)), SDSS_FWHM)


def has_composites(folder: Path) -> bool:
    """Whether SDSS's composites and their table are among the archives."""
    return all((folder / name).exists() for name in (COMPOSITES, "sdss_composites.csv"))


def composites(folder: Path) -> Iterator[Truth]:
    """SDSS's composites alone, in nanomaggies."""
    yield from _sdss(folder / COMPOSITES)


def hst_frames(folder: Path) -> Iterator[Truth]:
    """Frames of GOODS that HST took, each enlarged to its galaxy, as far as they are there."""
    if (folder / GOODS).exists():
        yield from _goods(folder / GOODS)
    if (folder / GALAXY_ZOO).exists():
        yield from (t for t in _galaxy_zoo(folder / GALAXY_ZOO) if t.id.startswith("zoo/goods"))


def _goods(path: Path) -> Iterator[Truth]:
    for name, value in _pictures(path):
        yield Truth(f"goods/{name}", _unstretched(value), HST_FRAME_FWHM)


def _galaxy_zoo(path: Path) -> Iterator[Truth]:
    for name, value in _pictures(path):
        from_space = name.startswith(("goods", "candels"))
        fwhm = HST_FRAME_FWHM if from_space else GROUND_FRAME_FWHM
        yield Truth(f"zoo/{name.replace('/', '-')}", _unstretched(value), fwhm)


def _decals(path: Path) -> Iterator[Truth]:
    for name, value in _pictures(path):
        yield Truth(f"decals/{name}", _unstretched(value), GROUND_FRAME_FWHM)


def _unstretched(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """Light from a frame whose colours were multiplied by asinh(2 S)/(2 S), S their sum."""
    stretched = value.sum(axis=0, keepdims=True)
    light = np.sinh(2.0 * stretched) / 2.0
    return (value * light / np.maximum(stretched, 1e-3)).astype(np.float32)


READERS = {
    GOODS: _goods,
    GALAXY_ZOO: _galaxy_zoo,
    "decals_colour.tar": _decals,
    COMPOSITES: _sdss,
}


def kernels(folder: Path) -> Iterator[NDArray[np.float32]]:
    """Measured point sources of ground-based cameras, of an archive of stamps where it is there."""
    path = folder / "psf_stamps.npz"
    if not path.exists():
        return
    with np.load(path, allow_pickle=False) as arrays:
        for name in arrays.files:
            if "__psf_" in name and name.startswith(("decam", "des", "hsc", "euclid", "sdss")):
                for stamp in arrays[name]:
                    stamp = np.clip(np.nan_to_num(stamp), 0.0, None).astype(np.float32)
                    if stamp.sum() > 0:
                        yield stamp

"""A folder of galaxies, object by object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.data.made import write_pairs
from pellucid.data.names import is_image_name, stem_of
from pellucid.data.rejection import Rejection
from pellucid.display import is_composite, read_composite
from pellucid.errors import InputError, PellucidError
from pellucid.fits import read_image
from pellucid.optics import Degradation, block_mean
from pellucid.sky.image import SkyImage
from pellucid.stretch import GalaxyGANStretch


@dataclass(frozen=True)
class Cut:
    """What is done to each image of a folder before it is stored.

    Parameters
    ----------
    bands
        Names of the bands in the files' order; None takes what the files say.
    pixel_scale
        Arcsec per pixel after shrinking; None takes the files' own.
    shrink
        Average blocks of so many pixels a side into one.
    size
        Keep the central square of so many pixels a side.
    """

    bands: tuple[str, ...] | None = None
    pixel_scale: float | None = None
    shrink: int = 1
    size: int | None = None


def find_objects(folder: str | Path) -> dict[str, list[Path]]:
    """The objects of a folder by id, each with its files.

    A sub-folder that holds FITS files is one object, one file a band, as GalaxyGAN's authors laid
    out their data (``<id>/<id>-g.fits`` …); a FITS file or an 8-bit composite is one object, too.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    objects: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            files = sorted(file for file in entry.iterdir() if is_image_name(file))
            if files:
                objects.setdefault(entry.name, []).extend(files)
        elif is_image_name(entry) or is_composite(entry):
            objects.setdefault(stem_of(entry), []).append(entry)
    if not objects:
        raise InputError(f"{folder}: holds no FITS file, PNG or JPEG")
    return objects


def read_objects(
    objects: dict[str, list[Path]], cut: Cut
) -> Iterator[tuple[str, SkyImage | PellucidError]]:
    """Each object's id with its image, or with the error that stood in the way."""
    for name, files in objects.items():
        try:
            yield name, read_object(files, cut)
        except PellucidError as error:
            yield name, error


def read_object(files: Sequence[Path], cut: Cut) -> SkyImage:
    """One object from its files, cut as asked."""
    composite, scale = is_composite(files[0]), cut.pixel_scale and cut.pixel_scale / cut.shrink
    if composite and len(files) > 1:
        also = ", ".join(file.name for file in files[1:])
        raise InputError(f"{files[0]}: shares its id with {also}")
    if composite:
        image = read_composite(files[0], scale)
    else:
        ordered = _in_band_order(files, cut.bands)
        image = read_image(*ordered, bands=cut.bands, pixel_scale=scale)
    if cut.shrink > 1:
        image = shrunk(image, cut.shrink, in_stretch=composite)
    if cut.size is not None:
        _, height, width = image.shape
        if min(height, width) < cut.size:
            raise InputError(f"{files[0]}: is {height}×{width}, smaller than {cut.size} pixels")
        image = image.cutout((height - cut.size) // 2, (width - cut.size) // 2, cut.size, cut.size)
    return image


def pairs_of_folder(
    output: Path,
    folder: Path,
    degradations: Sequence[Degradation],
    cut: Cut,
    ids: Sequence[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[Iterable[Any], int], Iterable[Any]] = lambda objects, total: objects,
) -> tuple[int, list[Rejection], list[str]]:
    """Write the store of a folder's galaxies, or of those with these ids.

    Parameters
    ----------
    output
        The store (HDF5).
    folder
        See `find_objects`.
    degradations
        That make the blurred images.
    ids
        Which objects to take, in this order; None takes all.
    progress
        Shows how far it is: given the objects as they come and their number, it yields them.

    Returns
    -------
    tuple
        How many objects the store holds, those that were rejected, and the ids without files.
    """
    objects = find_objects(folder)
    wanted = list(objects) if ids is None else ids
    missing = [name for name in wanted if name not in objects]
    chosen = {name: objects[name] for name in wanted if name in objects}
    if not chosen:
        first = f" (first: {missing[0]})" if missing else ""
        raise InputError(
            f"{folder}: holds none of the {len(wanted)} objects that are asked for{first}"
        )
    images = progress(read_objects(chosen, cut), len(chosen))
    count, rejected = write_pairs(output, images, degradations, overwrite)
    return count, rejected, missing


def shrunk(image: SkyImage, factor: int, in_stretch: bool = False) -> SkyImage:
    """Average blocks of ``factor`` × ``factor`` pixels: surface brightness stays what it was.

    Rows and columns that fill no block are left out. The WCS goes with the old grid.

    Parameters
    ----------
    in_stretch
        Average the values of the 8-bit composite instead of the flux: a composite that was
        enlarged for the screen was enlarged in these.
    """
    _, height, width = image.shape
    if min(height, width) < factor:
        raise InputError(f"an image of {height}×{width} cannot be shrunk by {factor}")
    if in_stretch:
        stretch = GalaxyGANStretch(clip=False)
        flux = stretch.inverse(block_mean(stretch.forward(image.flux), factor, factor))
    else:
        flux = block_mean(image.flux, factor, factor)
    scale = image.pixel_scale and image.pixel_scale * factor
    return SkyImage(flux, bands=image.bands, unit=image.unit, pixel_scale=scale)


def _in_band_order(files: Sequence[Path], bands: Sequence[str] | None) -> list[Path]:
    """One file a band in the order of ``bands``, told by the end of the files' names."""
    if bands is None or len(files) == 1:
        return list(files)
    ordered = []
    for band in bands:
        ends = tuple(f"{mark}{band}" for mark in "-_.")
        match = [file for file in files if f"-{stem_of(file)}".endswith(ends)]
        if len(match) != 1:
            fault = "there twice" if match else "missing"
            raise InputError(f"{files[0].parent}: band {band} is {fault}")
        ordered.append(match[0])
    return ordered

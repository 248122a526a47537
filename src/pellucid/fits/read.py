"""FITS in: one file, a cube, several extensions or several files become one `SkyImage`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError, UsageError, refusal
from pellucid.fits.beside import Beside, part_files, role_of_file
from pellucid.fits.cards import text_card
from pellucid.fits.checksum import contradicted
from pellucid.fits.choose import note_of, planes_of
from pellucid.fits.file import FitsFile, open_fits
from pellucid.fits.layout import Layout, layout_of, merged
from pellucid.fits.naming import check_others, names_of, renamed
from pellucid.fits.nodata import only_value
from pellucid.fits.pixel_size import pixel_size
from pellucid.fits.plane_roles import image_planes, with_its_planes
from pellucid.fits.planes import Planes, read_planes
from pellucid.fits.roles import told_role
from pellucid.fits.some import with_bands
from pellucid.quiet import quiet
from pellucid.sky.band_names import band_in_words
from pellucid.sky.image import SkyImage, pixel_scale_of

if TYPE_CHECKING:
    from astropy.wcs import WCS

#: Of one file its bands, how it is built, and what was guessed.
Read = tuple[list[Planes], Layout, list[str]]
#: What brings images to one grid.
REPROJECT = "reproject one of them onto the other's grid, such as with the Python package reproject"


def read_image(
    *paths: str | os.PathLike[str],
    hdu: int | str | None = None,
    bands: Sequence[str] | None = None,
    pixel_scale: float | None = None,
    bad_bits: str | int | None = None,
) -> SkyImage:
    """Read an image in one or more bands from FITS.

    The bands are the planes of a cube, the image extensions of one shape, or one file each; what an
    HDU is follows from its names, cards and unit (`file_roles`). Errors, variances and inverse
    variances become the bands' variance. What is flagged as bad, has no weight or no finite
    variance, or holds a value that stands for no data becomes their mask.

    Parameters
    ----------
    paths
        FITS files, plain, packed (gzip, bzip2, xz, zip) or tile-compressed. Among several, one of a
        mask, a weight or an error (by its header or its name) belongs to the image whose name is
        most like its own; a model or a map of coverage is left out.
    hdu
        The number or the name (``"SCI"`` or ``"SCI,2"``) of the HDU to read in every file.
    bands
        One name a band; otherwise FILTER cards, extension names and file names give them. Fewer
        names, or these in another order, choose among the bands; the others are written again as
        they are.
    pixel_scale
        Arcsec per pixel; wins over the WCS and the PIXSCALE card.
    bad_bits
        Which flags of a mask are bad, by names or values (``"SAT,CR"``, ``"1,4"``, ``"~4"`` for all
        others, ``"all"``, ``"none"``), in place of what is known of the pipeline.

    Returns
    -------
    SkyImage
        Flux, shape (band, y, x), in the unit of BUNIT. Its ``layout`` lets `write_image` build
        the same kind of file.
    """
    if not paths:
        raise UsageError("no file to read; name at least one FITS file")
    if pixel_scale is not None and not (np.isfinite(pixel_scale) and pixel_scale > 0):
        raise UsageError(f"a pixel scale of {pixel_scale} arcsec; it must be positive")
    images, beside, left = part_files(paths)
    several = len(images) > 1
    given = [bands or () for _ in images]
    if several and bands is not None and len(bands) == len(images):
        given = [(name,) for name in bands]
    read = [
        _read_file(path, hdu, several, beside.get(path, []), bad_bits, names)
        for path, names in zip(images, given, strict=True)
    ]
    image = composed(read, paths, bands, pixel_scale, beside)
    image = replace(image, notes=(*image.notes, *left))
    return _with_light(image, ", ".join(str(Path(path)) for path in paths))


def composed(
    read: Sequence[Read],
    paths: Sequence[str | os.PathLike[str]],
    bands: Sequence[str] | None,
    pixel_scale: float | None,
    beside: Mapping[Path, Sequence[Beside]],
) -> SkyImage:
    """One image of what was read of each file; parameters as for `read_image`."""
    several = len(read) > 1
    hdus = [planes for planes_of_file, *_ in read for planes in planes_of_file]
    _check_fit(hdus)
    where = ", ".join(str(Path(path)) for path in paths)
    names, chosen = names_of(hdus, bands, where)
    several_roles = image_planes(hdus) if bands is None else None
    flux, variance, mask = stacked(hdus)
    layouts = [layout for _, layout, _ in read]
    layout = merged(layouts, names) if several else layouts[0]
    wcs = next((planes.wcs for planes in hdus if planes.wcs is not None), None)
    notes = [note for *_, notes in read for note in notes]
    own = [name for planes in hdus for name in planes.names]
    if others := renamed(own, names):
        check_others(layouts, names, where)
        notes += others
    pixel_scale, said = pixel_size(wcs, [planes.header for planes in hdus], pixel_scale, where)
    notes += said
    first = 0 if chosen is None else chosen[0]
    image = SkyImage(
        flux,
        bands=names,
        unit=next((planes.unit for planes in hdus if planes.unit), None),
        variance=variance,
        mask=mask,
        wcs=wcs,
        header=[planes for planes in hdus for _ in planes.names][first].header.copy(),
        pixel_scale=pixel_scale,
        # What came from files of its own has no HDU to be copied.
        layout=replace(
            layout,
            shape=flux.shape,
            variance=None if beside else variance,
            mask=None if beside else mask,
            beside=variance if beside else None,
            told=all(planes.told for planes in hdus),
        ),
        notes=(*notes, *_unused(hdus, several_roles if chosen is None else chosen)),
    )
    if several_roles is not None:
        return with_its_planes(image, several_roles)
    return image if chosen is None else with_bands(image, chosen)


def stacked(
    hdus: Sequence[Planes],
) -> tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]:
    """Flux, variance and mask of all bands."""
    flux = np.concatenate([planes.flux for planes in hdus])
    variances = [planes.variance for planes in hdus if planes.variance is not None]
    variance = np.concatenate(variances) if len(variances) == len(hdus) else None
    if all(planes.mask is None for planes in hdus):
        return flux, variance, None
    masks = [np.zeros(p.flux.shape, dtype=bool) if p.mask is None else p.mask for p in hdus]
    return flux, variance, np.concatenate(masks)


def _read_file(
    path: Path,
    wanted: int | str | None,
    several: bool,
    others: Sequence[Beside],
    bad_bits: str | int | None,
    given: Sequence[str],
) -> Read:
    with open_fits(path) as file:
        return read_opened(file, wanted, several, others, bad_bits, given)


def read_opened(
    file: FitsFile,
    wanted: int | str | None,
    several: bool,
    others: Sequence[Beside],
    bad_bits: str | int | None,
    given: Sequence[str],
) -> Read:
    """What a file that is open holds of an image; parameters as for `read_image`."""
    planes = planes_of(file, wanted)
    chosen = [plane.hdu for plane in planes if plane.use == "band"]
    count = len(chosen) if len(chosen[0].shape) == 2 else chosen[0].shape[0]
    if several and count > 1:
        raise file.refuse(
            f"holds {count} bands ({', '.join(map(str, chosen))})",
            "give several files one band each, or this file alone, or choose with --hdu",
        )
    for damaged in contradicted(file):
        file.note(f"HDU {damaged} does not fit its CHECKSUM: it was changed or damaged")
    taken = note_of(planes)
    if taken:
        file.note(taken)
    named = None if several or wanted is not None else role_of_file(file.path)
    if named and not taken and told_role(chosen[0])[0] is None:
        says = f"{named[1]} says {named[0]}"
        file.note(f"taken as the image for want of another, though {says}")
    done = [hdu for hdu in chosen if text_card(hdu.header, "PLCTYPE") == "RESTORATION"]
    if done:
        some = text_card(done[0].header, "PLCBANDS")
        if not some and len(done) < len(chosen):
            some = ", ".join(map(str, done))
        which = f"of {some} were" if some else "were"
        file.note(f"its pixels {which} restored already, not measured (PLCTYPE)")
    for other in others:
        file.note(f"read {other.plane} as {other.plane.role} ({other.plane.why})")
    of_it = [*(plane for plane in planes if plane.use == "read"), *(o.plane for o in others)]
    masks = [plane for plane in of_it if plane.role == "mask"]
    if bad_bits is not None and not masks:
        raise UsageError(f"{file.path}: --bad-bits {bad_bits}, but none of its planes is a mask")
    depth = count // len(chosen) if len(given) == count else 0
    read = [
        read_planes(file, k, planes, others, bad_bits, given[k * depth : (k + 1) * depth])
        for k in range(len(chosen))
    ]
    return read, layout_of(file, planes), file.notes


def _with_light(image: SkyImage, where: str) -> SkyImage:
    """The image, with a note of bands that hold one value; refused where no band holds more."""
    masks = [None] * len(image.flux) if image.mask is None else list(image.mask)
    values = [only_value(plane, mask) for plane, mask in zip(image.flux, masks, strict=True)]
    if None not in values:
        said = ", ".join(dict.fromkeys(f"{value:g}" for value in values))
        raise refusal(where, f"is constant ({said}) and holds no image", "give one with data")
    empty = [
        f"{band_in_words(band)} is constant ({value:g}) and shows nothing"
        for band, value in zip(image.bands, values, strict=True)
        if value is not None
    ]
    return replace(image, notes=(*image.notes, *empty)) if empty else image


def _unused(hdus: Sequence[Planes], chosen: Sequence[int] | None) -> list[str]:
    """How much of the chosen bands has no data, and why, as a note; none where all of it has."""
    depths = [len(planes.flux) for planes in hdus]
    places = [(planes, k) for planes, depth in zip(hdus, depths, strict=True) for k in range(depth)]
    reasons: dict[str, int] = {}
    left = size = 0
    for planes, k in places if chosen is None else [places[place] for place in chosen]:
        for reason, counts in planes.unused.items():
            reasons[reason] = reasons.get(reason, 0) + int(counts[k])
        holes = ~np.isfinite(planes.flux[k])
        left += int((holes if planes.mask is None else holes | planes.mask[k]).sum())
        size += holes.size
    if not left:
        return []
    shares = ", ".join(
        f"{f'{count / size:.2%}' if count >= 1e-4 * size else count} {reason}"
        for reason, count in reasons.items()
        if count
    )
    return [f"{left} of {size} pixels are not used and stay as they are: {shares}"]


def _check_fit(hdus: Sequence[Planes]) -> None:
    """Refuse bands that are not of one sky."""
    first = hdus[0]
    measured = next((planes for planes in hdus if planes.unit), first)
    placed = next((planes for planes in hdus if planes.wcs is not None), first)
    for other in hdus[1:]:
        if other.flux.shape != first.flux.shape:
            shapes = " and ".join("×".join(map(str, p.flux.shape[1:])) for p in (first, other))
            fault = f"have different shapes ({shapes}); {REPROJECT}"
            raise InputError(f"{first.source} and {other.source}: {fault}")
        if other.unit and other.unit.lower() != measured.unit.lower():
            fault = f"have different units ({measured.unit} and {other.unit}); convert one of them"
            raise InputError(f"{measured.source} and {other.source}: {fault}")
        if placed.wcs is None or other.wcs is None or other is placed:
            continue
        shift = largest_shift(placed.wcs, other.wcs, other.flux.shape)
        if shift > 0.1:
            raise InputError(
                f"{placed.source} and {other.source}: show different sky "
                f"({shift:.1f} pixels apart); {REPROJECT}, or choose one with --hdu"
            )


def largest_shift(first: WCS, second: WCS, shape: tuple[int, ...]) -> float:
    """How far the corners of two pixel grids lie apart on the sky, in pixels of the first."""
    height, width = shape[-2:]
    x = np.array([0.0, width - 1, 0.0, width - 1])
    y = np.array([0.0, 0.0, height - 1, height - 1])
    with quiet():
        if not (first.has_distortion or second.has_distortion) and first.wcs.compare(second.wcs):
            return 0.0
        corners: Any = first.pixel_to_world(x, y)
        apart = corners.separation(second.pixel_to_world(x, y))
        # A corner off an all-sky projection has no position: it is NaN and is not compared.
        return float(np.nanmax([0.0, *(apart.arcsec / pixel_scale_of(first))]))

"""FITS in: one file, a cube, several extensions or several files become one `SkyImage`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError, UsageError, refusal
from pellucid.fits.choose import belongs, chosen_hdus, labels
from pellucid.fits.file import FitsFile, open_fits
from pellucid.fits.layout import (
    Layout,
    Part,
    duplicates,
    role_of,
    scale_card,
    shared_cards,
    with_inherited,
)
from pellucid.fits.planes import Plane, read_planes
from pellucid.fits.scan import HDU, quiet
from pellucid.sky.image import SkyImage

if TYPE_CHECKING:
    from astropy.wcs import WCS


def read_image(
    *paths: str | os.PathLike[str],
    hdu: int | str | None = None,
    bands: Sequence[str] | None = None,
    pixel_scale: float | None = None,
) -> SkyImage:
    """Read an image in one or more bands from FITS.

    The bands are the planes of a cube, the image extensions of one shape, or one file each.
    Companions named ERR or UNCERT (standard deviation), VARIANCE, IVAR, DQ or MASK (not zero is
    bad) with a band's EXTVER become its variance and mask. BLANK becomes NaN.

    Parameters
    ----------
    paths
        FITS files, plain, gzipped or tile-compressed.
    hdu
        The number or the name (``"SCI"`` or ``"SCI,2"``) of the HDU to read in every file.
    bands
        One name a band; otherwise FILTER cards, extension names and file names give them.
    pixel_scale
        Arcsec per pixel; wins over the WCS and the PIXSCALE card.

    Returns
    -------
    SkyImage
        Flux, shape (band, y, x), in the unit of BUNIT. Its ``layout`` lets `write_image` build
        the same kind of file.

    Raises
    ------
    InputError
        When a file is damaged or holds no image, or when the bands do not fit together.
    UsageError
        When no file is named, or ``pixel_scale`` is not positive.
    """
    if not paths:
        raise UsageError("no file to read; name at least one FITS file")
    if pixel_scale is not None and not (np.isfinite(pixel_scale) and pixel_scale > 0):
        raise UsageError(f"a pixel scale of {pixel_scale} arcsec; it must be positive")
    several = len(paths) > 1
    read = [_read_file(Path(path), hdu, several) for path in paths]
    planes = [plane for file_planes, _ in read for plane in file_planes]
    _check_fit(planes)
    names = _names(planes, bands, ", ".join(str(Path(path)) for path in paths))
    flux = np.stack([plane.flux for plane in planes])
    variances = [plane.variance for plane in planes if plane.variance is not None]
    variance = np.stack(variances) if len(variances) == len(planes) else None
    mask = None
    if any(plane.mask is not None for plane in planes):
        mask = np.stack([_or_false(plane) for plane in planes])
    layouts = [layout for _, layout in read]
    layout = _merged(layouts, names) if several else layouts[0]
    wcs = next((plane.wcs for plane in planes if plane.wcs is not None), None)
    scale = pixel_scale
    if scale is None and wcs is None:
        scale = next((s for s in (scale_card(plane.header) for plane in planes) if s), None)
    return SkyImage(
        flux,
        bands=names,
        unit=next((plane.unit for plane in planes if plane.unit), None),
        variance=variance,
        mask=mask,
        wcs=wcs,
        header=planes[0].header.copy(),
        pixel_scale=scale,
        layout=replace(
            layout,
            shape=flux.shape,
            variance=variance,
            skipped=tuple(name for each in layouts for name in each.skipped),
        ),
    )


def _read_file(path: Path, wanted: int | str | None, several: bool) -> tuple[list[Plane], Layout]:
    with open_fits(path) as file:
        chosen = chosen_hdus(file, wanted)
        count = len(chosen) if len(chosen[0].shape) == 2 else chosen[0].shape[0]
        if several and count > 1:
            raise file.refuse(
                f"holds {count} bands ({labels(chosen)})",
                "give several files one band each, or this file alone, or choose with --hdu",
            )
        companions = [c for c in file.hdus if c not in chosen and belongs(c, chosen, file)]
        planes = [plane for c in chosen for plane in read_planes(file, c, companions, chosen)]
        return planes, _layout(file, chosen, companions)


def _check_fit(planes: Sequence[Plane]) -> None:
    """Refuse bands that are not of one sky."""
    first = planes[0]
    reference = next((plane for plane in planes if plane.wcs is not None), None)
    measured = next((plane for plane in planes if plane.unit), first)
    for plane in planes[1:]:
        pair = f"{first.source} and {plane.source}"
        if plane.flux.shape != first.flux.shape:
            shapes = " and ".join("×".join(map(str, p.flux.shape)) for p in (first, plane))
            raise InputError(f"{pair}: have different shapes ({shapes}); reproject one of them")
        if plane.unit and plane.unit.lower() != measured.unit.lower():
            raise InputError(
                f"{measured.source} and {plane.source}: have different units "
                f"({measured.unit} and {plane.unit}); convert one of them"
            )
        if reference is None or plane.wcs is None or plane.wcs is reference.wcs:
            continue
        shift = _largest_shift(reference.wcs, plane.wcs, plane.flux.shape)
        if shift > 0.1:
            raise InputError(
                f"{reference.source} and {plane.source}: show different sky "
                f"({shift:.1f} pixels apart); reproject one of them, or choose one with --hdu"
            )


def _largest_shift(first: WCS | None, second: WCS, shape: tuple[int, ...]) -> float:
    """How far the corners of two pixel grids lie apart on the sky, in pixels of the first."""
    assert first is not None
    height, width = shape[-2:]
    x = np.array([0.0, width - 1, 0.0, width - 1])
    y = np.array([0.0, 0.0, height - 1, height - 1])
    with quiet():
        if first.to_header_string() == second.to_header_string():
            return 0.0
        from pellucid.sky.image import pixel_scale_of

        corners: Any = first.pixel_to_world(x, y)
        apart = corners.separation(second.pixel_to_world(x, y))
        # A corner off an all-sky projection has no position: it is NaN and is not compared.
        return float(np.nanmax([0.0, *(apart.arcsec / pixel_scale_of(first))]))


def _names(planes: Sequence[Plane], given: Sequence[str] | None, where: str) -> tuple[str, ...]:
    names = tuple(given) if given is not None else None
    if names is None:
        names = tuple(plane.name or f"band{k + 1}" for k, plane in enumerate(planes))
    if len(names) != len(planes):
        raise refusal(
            where,
            f"{len(names)} band names ({', '.join(names)}) for {len(planes)} bands",
            f"give {len(planes)} with --bands",
        )
    twice = duplicates(names)
    if twice:
        sources = [p.source for p, name in zip(planes, names, strict=True) if name == twice[0]]
        raise InputError(
            f"{' and '.join(sources)}: are both band {twice[0]}; name them with --bands, "
            "or choose one with --hdu"
        )
    return names


def _or_false(plane: Plane) -> NDArray[np.bool_]:
    return np.zeros(plane.flux.shape, dtype=bool) if plane.mask is None else plane.mask


def _layout(file: FitsFile, chosen: Sequence[HDU], companions: Sequence[HDU]) -> Layout:
    """The HDUs to write again: bands in their place, companions as bytes."""
    parts: list[Part] = []
    plane = 0
    for hdu in file.hdus:
        if hdu in chosen:
            count = hdu.shape[0] if len(hdu.shape) == 3 else 1
            parts.append(
                Part("bands", hdu.header, tuple(range(plane, plane + count)), len(hdu.shape) == 3)
            )
            plane += count
        elif hdu.number == 0:
            parts.append(Part("header", hdu.header))
        elif hdu in companions:
            planes = tuple(k for k, c in enumerate(chosen) if c.version == hdu.version)
            role = role_of(hdu)
            # A calibration vector is no image, whatever its name.
            role = "copy" if role in ("bands", "header") else role
            parts.append(Part(role, hdu.header, planes, len(hdu.shape) == 3, file.raw(hdu)))
    skipped = tuple(
        f"{file.path}[{hdu.number}] {hdu.name}".rstrip()
        for hdu in file.hdus
        if hdu.shape and hdu not in chosen and (hdu not in companions or hdu.number == 0)
    )
    return Layout(tuple(parts), (0, 0, 0), skipped=skipped)


def _merged(layouts: Sequence[Layout], names: Sequence[str]) -> Layout:
    """One file for several: an empty primary HDU, then a band an extension with its companions.

    EXTVER ties each band to its companions.
    """
    primaries = [layout.parts[0].header for layout in layouts]
    parts = [Part("header", shared_cards(primaries))]
    for k, (layout, name) in enumerate(zip(layouts, names, strict=True)):
        for part in layout.parts:
            if part.role == "header":
                continue
            header = part.header.copy()
            if part.role == "bands":
                header = with_inherited(header, primaries[k])
                header["EXTNAME"] = name
            header["EXTVER"] = k + 1
            parts.append(replace(part, header=header, planes=(k,)))
    return Layout(tuple(parts), (0, 0, 0))

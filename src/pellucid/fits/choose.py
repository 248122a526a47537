"""Which HDUs of a file are the bands of the image, which go with them, which are only copied."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pellucid.errors import InputError, MissingHDU, refusal
from pellucid.fits.cards import text_card
from pellucid.fits.file import FitsFile, open_fits
from pellucid.fits.hdu import HDU
from pellucid.fits.roles import (
    COMPANIONS,
    NAMING_CARDS,
    OF,
    PARTS,
    UNCERTAINTIES,
    Role,
    called,
    rest_of_name,
    says_band,
    told_role,
    words_of,
)


@dataclass(frozen=True, eq=False)
class Plane:
    """What one HDU of a file was taken for, and why.

    ``use`` is ``band`` (it is restored), ``read`` (what it says of a band is used) or ``copied``
    (it is written again as it is).
    """

    hdu: HDU
    role: Role
    why: str
    use: Literal["band", "read", "copied"] = "copied"
    bands: tuple[int, ...] = ()  # which of the HDUs that are bands it goes with
    label: str = ""  # how it is called in place of its number and its name

    def __str__(self) -> str:
        if self.label:
            return self.label
        cards = (text_card(self.hdu.header, keyword) for keyword in NAMING_CARDS)
        return f"{self.hdu.number} {self.hdu.name or next(filter(None, cards), 'unnamed')}"


def file_roles(path: str | os.PathLike[str], hdu: int | str | None = None) -> tuple[Plane, ...]:
    """What each HDU of a FITS file is taken for when it is read, in their order.

    Parameters
    ----------
    path
        A FITS file; its pixels are not decoded.
    hdu
        The HDU to read, as for `read_image`.
    """
    with open_fits(path) as file:
        return planes_of(file, hdu)


def chosen_hdus(file: FitsFile, wanted: int | str | None) -> list[HDU]:
    """The HDUs that hold the bands: the one wanted, the first cube, or all planes of one shape."""
    return [plane.hdu for plane in planes_of(file, wanted) if plane.use == "band"]


def planes_of(file: FitsFile, wanted: int | str | None) -> tuple[Plane, ...]:
    """The role of each HDU: by what its header says, then by what stands beside it."""
    told = _with_units([_told(hdu) for hdu in file.hdus])
    images = [plane for plane in told if plane.role == "image"]
    bands = _bands(file, told) if wanted is None else [_wanted(file, told, wanted)]
    chosen = [plane.hdu for plane in bands]
    others = [plane.hdu for plane in images if plane.hdu not in chosen]
    some = any(text_card(hdu.header, "PLCTYPE") == "RESTORATION" for hdu in chosen)
    planes = []
    for plane in told:
        if plane.hdu in chosen:
            band = next(band for band in bands if band.hdu is plane.hdu)
            plane = replace(band, role="image", use="band", bands=(chosen.index(plane.hdu),))
        elif plane.role in COMPANIONS:
            plane = replace(plane, bands=_goes_with(plane.hdu, chosen, others))
        elif plane.role == "image" and not plane.why:
            why = "bands that were not restored" if some else "nothing says that it is a band"
            plane = replace(plane, role="other", why=why)
        planes.append(plane)
    return tuple(_used(planes, len(chosen)))


def _told(hdu: HDU) -> Plane:
    role, why = told_role(hdu)
    return Plane(hdu, role or "image", why)


def _with_units(told: list[Plane]) -> list[Plane]:
    """The planes that nothing but a unit or integers beside an image give away."""
    first = next((p for p in told if p.role == "image"), None)
    if first is None:
        return told
    unit = _bare(text_card(first.hdu.header, "BUNIT"))
    planes = []
    for plane in told:
        beside = plane.role == "image" and not plane.why and plane is not first
        own = _bare(text_card(plane.hdu.header, "BUNIT"))
        if beside and unit and own in (f"{unit}2", f"({unit})2"):
            plane = replace(plane, role="variance", why="its BUNIT is the image's, squared")
        elif beside and unit and own in (f"{unit}-2", f"({unit})-2", f"1/{unit}2", f"1/({unit})2"):
            plane = replace(plane, role="inverse variance", why="its BUNIT is 1 / the image's²")
        elif beside and _is_integer(plane.hdu) and not _is_integer(first.hdu):
            # It may be a mask, and as well a segmentation map: every object would be bad.
            plane = replace(plane, role="other", why="integers beside an image of real numbers")
        planes.append(plane)
    return planes


def _bare(unit: str) -> str:
    return "".join(unit.lower().split()).replace("*", "").replace("^", "")


def _is_integer(hdu: HDU) -> bool:
    return hdu.bitpix > 0 and hdu.header.get("BSCALE", 1) == 1


def _bands(file: FitsFile, told: list[Plane]) -> list[Plane]:
    """The planes to restore.

    What a card or a name calls an image wins; otherwise the planes that say which band they show,
    or else the primary image. Several of which nothing is said are all returned: who reads them
    must be told the bands.
    """
    images = [plane for plane in told if plane.role == "image"]
    found = _restored([plane for plane in images if plane.why] or images)
    if not found:
        for hdu in file.hdus:
            if hdu.kind == "image" and hdu.shape and not hdu.is_plane_or_cube:
                raise _misshapen(file, hdu)
        tables = sum(plane.role == "table" for plane in told)
        if all(plane.role in ("table", "header") for plane in told) and tables:
            what = f"holds no image but {tables} table{'s' * (tables > 1)}"
            raise file.refuse(
                what, "a mask stands beside its image (IMAGE MASK), a model of the PSF after --psf"
            )
        roles = ", ".join(f"{plane.hdu}: {plane.role} ({plane.why})" for plane in told)
        raise file.refuse("holds no image", f"its HDUs are {roles}; choose with --hdu")
    if len(found[0].hdu.shape) == 3:
        return [replace(found[0], why=found[0].why or "the first cube")]
    alike = [plane for plane in found if plane.hdu.shape == found[0].hdu.shape]
    if len(alike) == 1:
        return [replace(alike[0], why=alike[0].why or "the only image")]
    banded = [plane for plane in alike if says_band(plane.hdu)]
    if banded:
        return [replace(p, why=p.why or "a card or its name says which band") for p in banded]
    if not alike[0].why and alike[0].hdu.number == 0:
        return [replace(alike[0], why="the primary image")]
    return alike


def _restored(found: list[Plane]) -> list[Plane]:
    """Of a file that was restored in finer pixels, not the bands that were left in the old ones."""
    done = [p for p in found if text_card(p.hdu.header, "PLCTYPE") == "RESTORATION"]
    sides = {plane.hdu.shape[-2:] for plane in found}
    if not done or len(sides) == 1:
        return found
    return [replace(plane, why=plane.why or "PLCTYPE = RESTORATION") for plane in done]


def _goes_with(hdu: HDU, chosen: Sequence[HDU], others: Sequence[HDU]) -> tuple[int, ...]:
    """Which of the ``chosen`` bands a companion belongs to, by EXTVER and by its name."""
    if _spread(hdu, len(chosen)):
        return tuple(range(len(chosen)))
    if band := text_card(hdu.header, OF):
        return tuple(k for k, each in enumerate(chosen) if called(each.header) == band)
    images = [*chosen, *others]
    versions = {image.version for image in images}
    names = {rest_of_name(image.name) for image in images} - {()}
    rest = rest_of_name(hdu.name)
    found = []
    for k, band in enumerate(chosen):
        if rest in names and rest != rest_of_name(band.name):
            continue
        if hdu.version in versions and hdu.version != band.version:
            continue
        found.append(k)
    return tuple(found)


def _used(planes: list[Plane], count: int) -> list[Plane]:
    """Mark what is read: one uncertainty a band or the parts of one; all weights and masks.

    ``count`` is the number of HDUs that are bands.
    """
    bands = [plane for plane in planes if plane.use == "band"]
    shapes = [(1, *plane.hdu.shape)[-3:] for plane in bands]
    served: set[int] = set()
    for *_, k in sorted(
        (_is_part(plane), text_card(plane.hdu.header, "PLCROLE") != "UNCERT", k)
        for k, plane in enumerate(planes)
        if plane.role in COMPANIONS and plane.bands
    ):
        plane = planes[k]
        shape = (1, *plane.hdu.shape)[-3:]
        fits = [b for b in plane.bands if shape[1:] == shapes[b][1:]]
        if shape[0] > 1 and not _spread(plane.hdu, count):
            fits = [b for b in fits if shape[0] == shapes[b][0]]
        if plane.role in UNCERTAINTIES:
            fits = [b for b in fits if b not in served]
            served.update(() if _is_part(plane) else fits)
        use = "read" if fits else "copied"
        planes[k] = replace(plane, bands=tuple(fits) or plane.bands, use=use)
    return planes


def _is_part(plane: Plane) -> bool:
    """Whether an uncertainty is one of several that add up, such as JWST's VAR_POISSON."""
    return plane.role in UNCERTAINTIES and not PARTS.isdisjoint(words_of(plane.hdu.name))


def _spread(hdu: HDU, count: int) -> bool:
    """Whether it is a cube with one plane for each of several HDUs that are bands."""
    return len(hdu.shape) == 3 and hdu.shape[0] == count > 1


def note_of(planes: Sequence[Plane]) -> str | None:
    """What was taken for what, in one line; None where there is nothing but images."""
    read = [plane for plane in planes if plane.use != "copied"]
    left = [plane for plane in planes if plane.use == "copied" and plane.role != "header"]
    if not left and all(plane.use == "band" for plane in read):
        return None
    words = []
    for role in dict.fromkeys(plane.role for plane in read):
        names = ", ".join(str(plane) for plane in read if plane.role == role)
        words.append(f"{names} as {role}")
    text = f"read {'; '.join(words)}"
    # Whether they are used is told where the psf is taken.
    if stamps := ", ".join(str(plane) for plane in left if plane.role == "psf"):
        text += f"; psf, unless another is stated: {stamps}"
    tables = sum(plane.role == "table" for plane in left)
    copied = [str(plane) for plane in left if plane.role not in ("table", "psf")]
    if tables:
        copied.append(f"{tables} table{'s' if tables > 1 else ''}")
    return text + (f"; not used, copied as they are: {', '.join(copied)}" if copied else "")


def _misshapen(file: FitsFile, hdu: HDU) -> InputError:
    axes = len(hdu.shape)
    fault = f"has {axes} {'axis' if axes == 1 else 'axes'}"
    if not axes:
        fault = "has no pixels"
    elif 0 in hdu.shape:
        fault = "has a zero-length axis"
    return file.refuse(f"HDU {hdu} {fault}", "an image has (y, x) or (band, y, x)")


def _wanted(file: FitsFile, told: Sequence[Plane], wanted: int | str) -> Plane:
    """The HDU that the user names, whatever its role."""
    text = str(wanted).strip()
    if text.lstrip("-").isdigit():
        found = [plane for plane in told if plane.hdu.number == int(text)]
    else:
        name, _, version = text.upper().partition(",")
        found = [
            plane
            for plane in told
            if plane.hdu.name == name.strip() and version.strip() in ("", str(plane.hdu.version))
        ]
    listed = ", ".join(str(plane.hdu) for plane in told)
    if not found:
        raise refusal(file.path, f"has no HDU {text}", f"there are {listed}", MissingHDU)
    hdu = found[0].hdu
    if hdu.kind != "image":
        raise file.refuse(f"HDU {hdu} is no image", f"the HDUs are {listed}")
    if not hdu.is_plane_or_cube:
        raise _misshapen(file, hdu)
    return replace(found[0], why="--hdu names it")

"""Which HDUs of a file are the bands of the image, and which go with them."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.errors import InputError
from pellucid.fits.file import FitsFile
from pellucid.fits.hdu import HDU, role_of


def chosen_hdus(file: FitsFile, wanted: int | str | None) -> list[HDU]:
    """The HDUs that hold the bands: the one wanted, the first cube, or all planes of one shape."""
    if wanted is not None:
        hdu = _find(file, wanted)
        if hdu.kind != "image":
            raise file.refuse(f"HDU {hdu} is no image", f"the HDUs are {_listed(file)}")
        if not hdu.is_plane_or_cube:
            raise _misshapen(file, hdu)
        return [hdu]
    found = [hdu for hdu in file.hdus if role_of(hdu) == "bands"]
    if found and len(found[0].shape) == 3:
        return found[:1]
    if found:
        return [hdu for hdu in found if hdu.shape == found[0].shape]
    for hdu in file.hdus:
        if hdu.kind == "image" and hdu.shape and not hdu.is_plane_or_cube:
            raise _misshapen(file, hdu)
    raise file.refuse("holds no image", f"its HDUs are {_listed(file)}; choose with --hdu")


def companions_of(chosen: Sequence[HDU], file: FitsFile) -> list[HDU]:
    """The HDUs that are carried along: all but other images and the companions of those."""
    versions = {hdu.version for hdu in chosen}
    others = {hdu.version for hdu in file.hdus if hdu not in chosen and role_of(hdu) == "bands"}
    return [
        hdu
        for hdu in file.hdus
        if hdu not in chosen
        and (role := role_of(hdu)) != "bands"
        and (role in ("copy", "header") or hdu.version in versions or hdu.version not in others)
    ]


def _misshapen(file: FitsFile, hdu: HDU) -> InputError:
    axes = len(hdu.shape)
    fault = f"has {axes} {'axis' if axes == 1 else 'axes'}"
    if not axes:
        fault = "has no pixels"
    elif 0 in hdu.shape:
        fault = "has a zero-length axis"
    return file.refuse(f"HDU {hdu} {fault}", "an image has (y, x) or (band, y, x)")


def _find(file: FitsFile, wanted: int | str) -> HDU:
    text = str(wanted).strip()
    if text.lstrip("-").isdigit():
        found = [hdu for hdu in file.hdus if hdu.number == int(text)]
    else:
        name, _, version = text.upper().partition(",")
        found = [
            hdu
            for hdu in file.hdus
            if hdu.name == name.strip() and version.strip() in ("", str(hdu.version))
        ]
    if not found:
        raise file.refuse(f"has no HDU {text}", f"there are {_listed(file)}")
    return found[0]


def _listed(file: FitsFile) -> str:
    return ", ".join(map(str, file.hdus))

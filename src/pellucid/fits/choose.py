"""Which HDUs of a file are the bands of the image, and which go with them."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.fits.file import FitsFile
from pellucid.fits.layout import is_plane_or_cube, role_of
from pellucid.fits.scan import HDU

_SHAPE_ADVICE = "an image has (y, x) or (band, y, x)"


def chosen_hdus(file: FitsFile, wanted: int | str | None) -> list[HDU]:
    """The HDUs that hold the bands."""
    if wanted is not None:
        hdu = _find(file, wanted)
        if hdu.kind != "image":
            raise file.refuse(f"HDU {hdu.label} is no image", f"the HDUs are {labels(file.hdus)}")
        if not is_plane_or_cube(hdu):
            raise file.refuse(f"HDU {hdu.label} {_shape_fault(hdu)}", _SHAPE_ADVICE)
        return [hdu]
    found = [hdu for hdu in file.hdus if is_plane_or_cube(hdu) and role_of(hdu) == "bands"]
    if found and len(found[0].shape) == 3:
        return found[:1]
    if found:
        return [hdu for hdu in found if hdu.shape == found[0].shape]
    for hdu in file.hdus:
        if hdu.kind == "image" and hdu.shape and role_of(hdu) == "bands":
            raise file.refuse(f"HDU {hdu.label} {_shape_fault(hdu)}", _SHAPE_ADVICE)
    raise file.refuse("holds no image", f"its HDUs are {labels(file.hdus)}; choose with --hdu")


def _shape_fault(hdu: HDU) -> str:
    if not hdu.shape:
        return "has no pixels"
    if 0 in hdu.shape:
        return "has a zero-length axis"
    return f"has {len(hdu.shape)} {'axis' if len(hdu.shape) == 1 else 'axes'}"


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
        raise file.refuse(f"has no HDU {text}", f"there are {labels(file.hdus)}")
    return found[0]


def labels(hdus: Sequence[HDU]) -> str:
    """The HDUs as a user would choose them."""
    return ", ".join(hdu.label for hdu in hdus)


def belongs(companion: HDU, chosen: Sequence[HDU], file: FitsFile) -> bool:
    """Whether an HDU is carried along: not another image, nor the companion of one."""
    role = role_of(companion)
    if role == "bands":
        # A calibration vector or an empty primary HDU is not an image left out.
        return not is_plane_or_cube(companion)
    others = {
        hdu.version
        for hdu in file.hdus
        if role_of(hdu) == "bands" and is_plane_or_cube(hdu) and hdu not in chosen
    }
    versions = {hdu.version for hdu in chosen}
    return role == "copy" or companion.version in versions or companion.version not in others

"""Masks, weights and errors that a pipeline keeps in files of their own, named beside the image."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import UsageError
from pellucid.fits.choose import Plane, file_roles
from pellucid.fits.file import FitsFile, open_fits
from pellucid.fits.roles import COMPANIONS, NAMELESS, Role, role_of_name, told_role

#: Words of a file's name that count: stk.r.unconv.mask.fits, legacysurvey-…-invvar-r.fits.fz.
_LAST_WORDS = 3
#: Of these words only the names of files make use: KiDS' weights.
_SHORT = {"WEI": "WEIGHT"}
#: What these words tell beside an image of the same name but for them (unWISE); alone they may say
#: that it shows a field of standard stars, or the north.
_BESIDE: dict[str, Role] = {"STD": "error", "N": "other"}
_OF_IMAGES = ("img", "image", "sci")
#: Of what nothing is read, as of maps of exposure and depth.
_LEFT = ("other", "model", "residual")
_FRAME = re.compile(r"frame-([ugriz])-(\d+)-(\d)-(\d+)\.fits")
_WORD = re.compile(r"[A-Za-z]+")
_SUFFIXES = re.compile(r"(\.(fits?|fts|fz|gz|bz2|xz|zip))+$", re.IGNORECASE)
_PACKED = re.compile(r"\.(gz|bz2|xz|zip)$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Beside:
    """A plane that says something of a band: its role, its pixels (band, y, x), its file."""

    plane: Plane
    values: NDArray[np.generic]
    file: FitsFile


class Parts(NamedTuple):
    """The files that hold images, what others hold for each of these, and which are not used."""

    images: list[Path]
    beside: dict[Path, list[Beside]]
    notes: list[str]


def part_files(paths: Sequence[str | os.PathLike[str]]) -> Parts:
    """What the files that were given are for.

    A file is no image where its only plane, or else its name, is a mask's, a weight's or an
    error's. It goes with the image whose name begins most like its own. Models and maps of
    coverage are left out.
    """
    given = [Path(path) for path in paths]
    if len(given) == 1:
        return Parts(given, {}, _unread_mask(given[0]))
    for path in given:
        if (told := role_of_file(path)) and told[0] == "psf":
            raise UsageError(f"{path}: is a PSF, by {told[1]}; give it as --psf {path.name}")
    by_names = roles_beside(given)
    roles = {path: _told_of_file(path) or by_names.get(path) for path in given}
    images = [path for path in given if roles[path] is None]
    if not images:
        return Parts(given, {}, [])
    found: dict[Path, list[Beside]] = {}
    notes = []
    for path, role in roles.items():
        if role is not None and role[0] in _LEFT:
            notes.append(f"{path.name}: {role[0]} ({role[1]}) beside the image, not used")
        elif role is not None:
            found.setdefault(_image_of(path, images), []).append(_read(path, *role))
    return Parts(images, found, notes)


def roles_together(
    paths: Sequence[str | os.PathLike[str]], hdu: int | str | None = None
) -> dict[Path, tuple[Plane, ...]]:
    """What the HDUs of each file are taken for when all are read as one image; see `file_roles`.

    Those of companions come last.
    """
    images, beside, _ = part_files(paths)
    told = {path: file_roles(path, hdu) for path in images}
    for others in beside.values():
        told |= {each.file.path: (each.plane,) for each in others}
    return told


def role_of_file(path: Path) -> tuple[Role, str] | None:
    """What the last words of a file's name tell that it is, and how it is known; or None."""
    words: list[str] = re.findall(r"[A-Z]+", _SUFFIXES.sub("", path.name).upper())
    if words and words[0] == "FPM":
        return "mask", "its name is that of SDSS's masks"
    # Of a file's name STD may say that it shows a field of standard stars.
    last = [_SHORT.get(word, word) for word in words[-_LAST_WORDS:] if word != "STD"]
    role = role_of_name(" ".join(last))
    return (role, "its file's name") if role in (*COMPANIONS, "psf") else None


def roles_beside(paths: Iterable[Path]) -> dict[Path, tuple[Role, str]]:
    """Which of some files lie by their names beside an image that is among them, as what.

    Their name is the image's but for a word: ``a-nexp-r.fits`` beside ``a-image-r.fits``,
    ``b_model.fits`` beside ``b.fits``.
    """
    stems = {path: _SUFFIXES.sub("", path.name) for path in paths}
    there = {(path.parent, stem) for path, stem in stems.items()}
    found: dict[Path, tuple[Role, str]] = {}
    for path, stem in stems.items():
        for word in _WORD.finditer(stem):
            role = _role_beside(word[0])
            before, after = stem[: word.start()], stem[word.end() :]
            if role is None or before[-1:].isdigit() or after[:1].isdigit():
                continue
            names = [image.upper() if word[0].isupper() else image for image in _OF_IMAGES]
            images = [f"{before}{name}{after}" for name in names]
            if word[0].upper() not in _BESIDE:
                images.append(before[:-1] + after if before else after[1:])
            if any((path.parent, image) in there for image in images):
                found[path] = role, "its file's name"
    return found


@lru_cache(maxsize=4096)
def _role_beside(word: str) -> Role | None:
    role = _BESIDE.get(word.upper()) or role_of_name(word)
    return role if role in (*_BESIDE.values(), *_LEFT) else None


def _told_of_file(path: Path) -> tuple[Role, str] | None:
    """What its header, or else its name, tells of a file that is given beside others."""
    # A packed file would be unpacked twice: its name must do.
    if not _PACKED.search(path.name):
        with open_fits(path) as file:
            planes = [hdu for hdu in file.hdus if hdu.is_plane_or_cube]
            if len(planes) > 1:
                return None
            role, why = told_role(planes[0]) if planes else (None, "")
            if role in (*COMPANIONS, *_LEFT):
                return role, why
            if role == "image" and planes[0].name not in NAMELESS:
                return None
    told = role_of_file(path)
    return told if told and told[0] in COMPANIONS else None


def _unread_mask(path: Path) -> list[str]:
    """What to know where SDSS's mask of a frame lies beside it: nobody reads what was not named."""
    if not (frame := _FRAME.match(path.name)):
        return []
    band, run, camcol, field = frame.groups()
    name = f"fpM-{run}-{band}{camcol}-{field}.fit"
    there = [name + end for end in ("s", "", "s.gz", ".gz") if path.with_name(name + end).is_file()]
    return [f"{there[0]}, the mask of this frame, lies beside: name it, too"] if there else []


def _image_of(path: Path, images: Sequence[Path]) -> Path:
    likeness = [_likeness(path.name, image.name) for image in images]
    best = [k for k, length in enumerate(likeness) if length == max(likeness)]
    if len(best) > 1:
        names = " or ".join(images[k].name for k in best)
        raise UsageError(f"{path}: nothing says whether it goes with {names}; leave it out")
    return images[best[0]]


def _likeness(first: str, second: str) -> int:
    """How many letters two names begin with alike."""
    unlike = (k for k, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
    return next(unlike, min(len(first), len(second)))


def _read(path: Path, role: Role, why: str) -> Beside:
    with open_fits(path) as file:
        if _is_spans(file):
            hdu, values = file.hdus[0], _painted(file)
        else:
            hdu = next(hdu for hdu in file.hdus if hdu.is_plane_or_cube)
            values = file.pixels(hdu)
        plane = Plane(hdu, role, why, "read", label=path.name)
        return Beside(plane, values.reshape(-1, *values.shape[-2:]), file)


def _is_spans(file: FitsFile) -> bool:
    """Whether it is an fpM file of SDSS: tables of spans of pixels, one for each flag."""
    return {"NPLANE", "MASKROWS", "MASKCOLS"} <= set(file.hdus[0].header)


def _painted(file: FitsFile) -> NDArray[np.int32]:
    """The flags of an fpM file: bit k where a span of table k + 1 lies.

    A span is a row and its first and last column, three 16-bit integers.
    https://data.sdss.org/datamodel/files/PHOTO_REDUX/RERUN/RUN/objcs/CAMCOL/fpM.html
    """
    header: Any = file.hdus[0].header
    count, rows, columns = (int(header[k]) for k in ("NPLANE", "MASKROWS", "MASKCOLS"))
    flags = np.zeros((rows, columns), dtype=np.int32)
    for k in range(count):
        table = file.opened[k + 1].data
        for packed in () if table is None else table["s"]:
            for row, first, last in np.frombuffer(bytes(packed), ">i2").reshape(-1, 3):
                flags[row, first : last + 1] |= 1 << k
    return flags

"""Which files are one image: a galaxy's bands, its masks and errors may be files of their own."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from string import ascii_letters

from pellucid.batch.item import Item
from pellucid.data.names import Told, stem_of, told_bands
from pellucid.errors import PellucidError, UsageError
from pellucid.fits import (
    COMPANIONS,
    band_names_of,
    card_value,
    open_fits,
    rest_of_name,
    role_of_file,
    roles_beside,
)
from pellucid.sky.bands import by_wavelength

#: What --group may be, beside a pattern.
GROUPINGS = ("names", "folder", "none")
#: A sub-folder of more files than this is no galaxy's: their headers are not read.
MOST_BANDS = 12
#: Degrees that the reference points of one galaxy's bands may lie apart.
NEAR = 0.02


def grouped(files: Mapping[str, str], group: str | None) -> list[Item]:
    """The images in some files, not yet named for good.

    Parameters
    ----------
    files
        Each with the folder that it lies in, see `Found`.
    group
        See `pellucid.batch.survey.restore_all`.

    Raises
    ------
    UsageError
        When ``group`` is nothing that is known.
    """
    way = group or "names"
    if "{" in way:
        return _by_pattern(files, way)
    if way not in GROUPINGS:
        known = f"{', '.join(GROUPINGS)}, or a pattern such as {{id}}-{{band}}.fits"
        raise UsageError(f"--group {way}: there are {known}")
    folders: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, place in files.items():
        folders[os.path.dirname(path), place].append(path)
    items = []
    for (folder, place), inside in folders.items():
        images, companions = _parted(inside)
        if way == "folder":
            made = [Item("", (*images, *companions))]
        elif way == "none":
            made = _with_companions([_alone(file) for file in images], companions)
        else:
            made = _by_names(images)
            if place and 1 < len(made) == len(images) <= MOST_BANDS:
                made = _by_headers(made)
            made = _with_companions(made, companions)
        own = os.path.basename(os.path.abspath(folder))
        items += [replace(item, name=item.name or own, place=place) for item in made]
    return items


def _parted(files: Iterable[str]) -> tuple[list[str], list[str]]:
    """Images, and what by its name is the mask, the weight or the error of one."""
    parted: tuple[list[str], list[str]] = [], []
    paths = {file: Path(file) for file in files}
    beside = roles_beside(paths.values())
    for file, path in paths.items():
        told = role_of_file(path) or beside.get(path)
        parted[told is not None and told[0] in COMPANIONS].append(file)
    return parted


def _alone(file: str) -> Item:
    return Item(stem_of(file), (file,))


def _joined(name: str, bands: Mapping[str, str]) -> Item:
    """Files of one band each as one image, the bluest first."""
    files, names = list(bands), list(bands.values())
    order = by_wavelength(names)
    twice = [band for band, count in Counter(names).items() if count > 1]
    return Item(
        name,
        tuple(files[k] for k in order),
        bands=tuple(names[k] for k in order),
        fault=f"band {twice[0]} is there twice" if twice else "",
    )


def _by_names(files: Sequence[str]) -> list[Item]:
    """Files as one image whose names differ by nothing but the band; others by themselves."""
    readings = {file: told_bands(stem_of(file)) for file in files}
    bands_of: dict[str, set[str]] = defaultdict(set)
    for each in (each for told in readings.values() for each in told):
        bands_of[each.key].add(each.band)
    groups: dict[str, dict[str, Told]] = defaultdict(dict)
    items: dict[str, Item] = {}
    for file, told in readings.items():
        if not told:
            items[file] = _alone(file)
            continue
        # Of several words that may be a band, the one in which most names differ; or the last.
        _, _, best = max((len(bands_of[each.key]), k, each) for k, each in enumerate(told))
        groups[best.key][file] = best
        items.setdefault(best.key, _alone(file))
    for key, told in groups.items():
        bands = {file: each.band for file, each in told.items()}
        if len(set(bands.values())) > 1:
            items[key] = _joined(next(iter(told.values())).rest, bands)
        else:
            items.pop(key)
            items |= {file: replace(_alone(file), bands=(bands[file],)) for file in bands}
    place = {file: k for k, file in enumerate(files)}
    return sorted(items.values(), key=lambda item: min(place[file] for file in item.files))


def _by_headers(items: list[Item]) -> list[Item]:
    """The single files of a galaxy's folder as one image, where each header names a band.

    No band may be there twice, and all must have one shape and show one place.
    """
    bands, shapes, places = {}, set(), []
    for item in items:
        file = item.files[0]
        try:
            with open_fits(Path(file)) as opened:
                planes = [hdu for hdu in opened.hdus if hdu.is_plane_or_cube]
                if len(planes) != 1 or len(planes[0].shape) != 2:
                    return items
                header = opened.header(planes[0])
                bands[file] = "".join(band_names_of(header, 1))
                shapes.add(planes[0].shape)
                places.append([card_value(header, card) for card in ("CRVAL1", "CRVAL2")])
        except PellucidError:  # said when it is read by itself
            return items
    numbers = [[v for v in place if isinstance(v, (int, float))] for place in places]
    spread = [max(values) - min(values) for values in zip(*numbers, strict=False)]
    distinct = all(bands.values()) and len(set(bands.values())) == len(bands)
    if not distinct or len(shapes) > 1 or any(value > NEAR for value in spread):
        return items
    return [_joined("", bands)]


def _with_companions(items: list[Item], files: Sequence[str], strays: bool = True) -> list[Item]:
    """Masks, weights and errors go with the image whose name is theirs but for the role.

    Or else with the only one whose name ends in other letters (``12mskim``, ``12fitim``). What fits
    none is a fault where there are images, and may be one itself where there is nothing else:
    ``strays`` are tried.
    """
    owners: dict[tuple[str, ...], int] = {}
    heads: dict[str, set[int]] = defaultdict(set)
    for k, item in enumerate(items if files else ()):
        for name in (item.name, *map(stem_of, item.files)):
            owners.setdefault(rest_of_name(name), k)
            heads[_head(name)].add(k)
    found = [list(item.files) for item in items]
    more = []
    for file in files:
        owner = owners.get(rest_of_name(stem_of(file)))
        like = heads[_head(stem_of(file))]
        if owner is None and len(like) == 1:
            (owner,) = like
        if owner is not None:
            found[owner].append(file)
        elif strays:
            fault = "is by its name beside an image, and none has a name like it; leave it out"
            more.append(replace(_alone(file), fault=fault if items else ""))
    return [
        *(replace(item, files=tuple(own)) for item, own in zip(items, found, strict=True)),
        *more,
    ]


def _head(name: str) -> str:
    """A name without the letters that it ends in; all of it where there is nothing else."""
    return name.rstrip(ascii_letters) or name


def _by_pattern(files: Iterable[str], pattern: str) -> list[Item]:
    """The files that a pattern fits, by the id in it; those that it does not fit are none's."""
    if pattern.count("{id}") != 1 or pattern.count("{band}") > 1:
        raise UsageError(f"--group {pattern}: write it with {{id}} and at most one {{band}}")
    parts = {"{id}": r"(?P<id>[^/]+)", "{band}": r"(?P<band>[^/]+?)", "*": r"[^/]*"}
    words = re.split(r"(\{id\}|\{band\}|\*)", pattern)
    fits = re.compile("(?:.*/)?" + "".join(parts.get(word, re.escape(word)) for word in words))
    images, companions = _parted(files) if "{band}" in pattern else (list(files), [])
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for file in images:
        match = fits.fullmatch(Path(os.path.abspath(file)).as_posix())
        if match:
            groups[match["id"]][file] = match.groupdict().get("band") or ""
    items = [
        _joined(name, bands) if any(bands.values()) else Item(name, tuple(bands))
        for name, bands in groups.items()
    ]
    return _with_companions(items, companions, strays=False)

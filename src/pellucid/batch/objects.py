"""The images of a run, each complete and under a name of its own."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pellucid.batch.grouping import grouped
from pellucid.batch.item import Item
from pellucid.data.names import told_bands
from pellucid.sky.band_names import find_bands


def make_items(
    files: Mapping[str, str], group: str | None = None, bands: Sequence[str] | None = None
) -> list[Item]:
    """The images in some files.

    Parameters
    ----------
    files, group
        See `grouped`.
    bands
        Which each image shall have, where its files tell theirs.
    """
    return _named(_collapsed(_complete(grouped(files, group), bands)))


def in_words(items: Sequence[Item], group: str | None) -> str:
    """How the files were taken, for the person who named them."""
    several = [item for item in items if len(item.files) > 1]
    if not several:
        return f"{len(items)} images, a file each"
    kinds = Counter(",".join(item.bands) for item in several)
    bands = ", ".join(f"{count} of {kind or 'several'}" for kind, count in kinds.most_common(3))
    example = " + ".join(Path(file).name for file in several[0].files)
    way = "" if group else "; --group none takes each file by itself"
    count = sum(len(item.files) for item in items)
    return f"{len(items)} images in {count} files ({bands}), as {example}{way}"


def _complete(items: list[Item], wanted: Sequence[str] | None) -> list[Item]:
    """The items in the order of the bands that are wanted; a fault where one is missing.

    Without a wish, each shall have the bands of most of those that are of several files.
    """
    several = Counter(item.bands for item in items if len(item.bands) > 1)
    if not several:
        return items
    usual = max(several, key=lambda bands: (several[bands], len(bands)))
    if wanted and not any(find_bands([band], usual) for band in wanted):
        return items  # they are names for what is called otherwise
    return [_checked(item, usual, wanted) for item in items]


def _checked(item: Item, usual: Sequence[str], wanted: Sequence[str] | None) -> Item:
    if not item.bands or item.fault:
        return item
    missing = [band for band in wanted or usual if find_bands([band], item.bands) is None]
    if missing:
        alone = [each.rest for each in told_bands(item.name) if (each.band,) == item.bands]
        why = "--bands asks for" if wanted else "other images have"
        fault = (
            f"band {', '.join(missing)} is missing ({why} {','.join(wanted or usual)}); "
            "--group none takes each file by itself"
        )
        return replace(item, name=(alone or [item.name])[-1] or item.name, fault=fault)
    first = find_bands(wanted, item.bands) if wanted else None
    if first is None:
        return item
    count = len(item.bands)
    order = [*first, *(k for k in range(count) if k not in first)]
    files = (*(item.files[k] for k in order), *item.files[count:])
    return replace(item, files=files, bands=tuple(item.bands[k] for k in order))


def _collapsed(items: list[Item]) -> list[Item]:
    """A folder that holds nothing but one galaxy's files gives it its name."""
    inside = Counter(item.place for item in items)
    made = []
    for item in items:
        if item.place and inside[item.place] == 1 and (len(item.bands) > 1 or item.fault):
            place, name = os.path.split(item.place)
            item = replace(item, place=place, name=name)
        made.append(item)
    return made


def _named(items: list[Item]) -> list[Item]:
    """Each item under a name that no other has; a fault where two are not to be told apart.

    Those of one name in several folders keep the folder, from the deepest that holds all.
    """
    names = [os.path.join(item.place, item.name) for item in items]
    count, root = Counter(names), _root(items)
    taken: dict[str, str] = {}
    named = []
    for item, name in zip(items, names, strict=True):
        if count[name] > 1:
            folder = os.path.dirname(os.path.abspath(item.files[0]))
            name = os.path.join(os.path.relpath(folder, root), item.name)
        name, fault = Path(name).as_posix(), item.fault
        if any(part.startswith(".") for part in name.split("/")):
            name, fault = f"({item.files[0]})", "its id is no name for a file"
        elif name in taken:
            fault = f"would be written under the name of {taken[name]}; rename one of them"
            name = f"({item.files[0]})"
        taken.setdefault(name, item.files[0])
        named.append(replace(item, name=name, fault=fault))
    return named


def _root(items: Sequence[Item]) -> str:
    """The deepest folder above all files."""
    folders = {os.path.dirname(os.path.abspath(item.files[0])) for item in items}
    try:
        return os.path.commonpath(folders)
    except ValueError:  # on drives of their own, or none
        return os.sep

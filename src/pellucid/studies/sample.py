"""A study's sample: which objects of a folder take part, cut and stored once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from pellucid.data.catalogue import open_catalogue, read_catalogue
from pellucid.data.folder import Cut, find_objects, read_objects
from pellucid.data.made import write_pairs
from pellucid.data.pairs import open_pairs
from pellucid.data.rejection import Rejection
from pellucid.display import is_composite
from pellucid.errors import InputError, PellucidError, UsageError
from pellucid.files import write_content
from pellucid.sky import robust_background
from pellucid.sky.image import SkyImage, is_nanomaggy
from pellucid.studies.folder import undamaged

#: What tables call a redshift, and its range in Schawinski et al. 2017, §2.
REDSHIFT_COLUMNS = ("z", "redshift")
REDSHIFTS = (0.01, 0.02)
ID_COLUMNS = ("id", "objid")
TABLE_SUFFIXES = (".ecsv", ".csv", ".vot", ".parquet")
#: More than this fraction skipped is a fault of the sample, not of some objects.
MOST_SKIPPED = 0.05


@dataclass(frozen=True)
class SampleRecipe:
    """Where a sample comes from and how it is cut."""

    #: Folder of ``<id>/<id>-{g,r,i}.fits`` or of 8-bit composites.
    data: Path
    #: Its table; None looks for one in the folder, then for ``<folder>.csv`` beside it.
    catalogue: Path | None
    #: Which rows, e.g. ``"z < 0.02"``; None takes 0.01 < z < 0.02 of FITS files, all of composites.
    where: tuple[str, ...] | None
    cut: Cut


@dataclass(frozen=True)
class Sample:
    """How many objects take part, and which do not, with the reason."""

    objects: int
    skipped: list[Rejection]
    #: How many rows of the catalogue have no files in the folder: a catalogue may cover more.
    missing: int


def prepare_sample(recipe: SampleRecipe, store: Path) -> Sample:
    """Cut the sample and write it to ``store`` (HDF5), or take what an earlier run wrote.

    An object with a fault is skipped and named, beside the store, in ``<store>.json``.
    """
    note = store.with_suffix(".json")
    if store.exists() and note.exists():
        with undamaged(note):
            before = json.loads(note.read_text())
            skipped = [Rejection(**fields) for fields in before["skipped"]]
            return Sample(len(open_pairs(store)), skipped, before["missing"])
    objects = find_objects(recipe.data)
    composites = any(is_composite(files[0]) for files in objects.values())
    if composites and recipe.cut.pixel_scale is None:
        raise UsageError(f"{recipe.data}: composites do not say their scale; --pixel-scale does")
    catalogue = recipe.catalogue or _found_catalogue(recipe.data)
    wanted, skipped, where = _selected(recipe, objects, composites, catalogue)
    missing = sum(name not in objects for name in wanted)
    wanted = [name for name in wanted if name in objects]
    if not wanted:
        conditions = "".join(f", {condition}" for condition in where)
        raise InputError(f"{recipe.data}: holds no object of {catalogue}{conditions}")
    chosen = {name: objects[name] for name in wanted}
    images = ((name, _usable(image)) for name, image in read_objects(chosen, recipe.cut))
    count, rejected = write_pairs(store, images, [], overwrite=True)
    skipped += rejected
    if len(skipped) > MOST_SKIPPED * (count + len(skipped)):
        store.unlink()
        first = skipped[0]
        raise InputError(
            f"{recipe.data}: {len(skipped)} of {count + len(skipped)} objects had to be skipped, "
            f"more than {MOST_SKIPPED:.0%} (first: {first.id}: {first.reason})"
        )
    sample = Sample(count, skipped, missing)
    content = {"catalogue": catalogue and catalogue.name, "where": where, **asdict(sample)}
    write_content(note, json.dumps(content, indent=1), overwrite=True)
    return sample


def _usable(image: SkyImage | PellucidError) -> SkyImage | PellucidError:
    """The image in nanomaggies, which the authors' noise and stretch are defined in, or why not."""
    if isinstance(image, PellucidError):
        return image
    if image.unit is not None and not is_nanomaggy(image.unit):
        return InputError(f"is in {image.unit}; the study needs nanomaggies")
    if not image.flux.max() > 0 or not robust_background(image.flux).sigma > 0:
        return InputError("is blank")
    return image if image.unit else replace(image, unit="nanomaggy")


def _selected(
    recipe: SampleRecipe,
    objects: dict[str, list[Path]],
    composites: bool,
    catalogue: Path | None,
) -> tuple[list[str], list[Rejection], tuple[str, ...]]:
    """The ids to take, the rows of the catalogue that cannot be, and what chose them."""
    if catalogue is None:
        if recipe.where or not composites:
            raise InputError(
                f"{recipe.data}: has no catalogue; --catalogue names a table of ids and redshifts"
            )
        return list(objects), [], ()
    columns = read_catalogue(catalogue).colnames
    column = _column(catalogue, columns, ID_COLUMNS, "ids")
    table = open_catalogue(catalogue, column)
    ids, where = np.array(table.text(column)), recipe.where or ()
    skipped: list[Rejection] = []
    if recipe.where is None and not composites:
        redshift = _column(catalogue, columns, REDSHIFT_COLUMNS, "redshifts")
        where = f"{redshift} > {REDSHIFTS[0]}", f"{redshift} < {REDSHIFTS[1]}"
        without = set(ids[~np.isfinite(table.numbers(redshift))].tolist()) & set(objects)
        reason = f"has no redshift in {catalogue.name}"
        skipped += [Rejection(name, reason) for name in sorted(without)]
    rows = Counter(ids[table.meets(where)].tolist())
    reason = f"stands twice in {catalogue.name}; its first row counts"
    skipped += [Rejection(name, reason) for name in (rows - Counter(list(rows))).elements()]
    return list(rows), skipped, where


def _found_catalogue(data: Path) -> Path | None:
    inside = [path for path in sorted(data.iterdir()) if path.suffix in TABLE_SUFFIXES]
    named = [path for path in inside if path.stem == "catalogue"]
    beside = [data.with_name(data.name + suffix) for suffix in TABLE_SUFFIXES]
    found = named or inside or [path for path in beside if path.is_file()]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise InputError(f"{data}: has several tables ({names}); --catalogue names one")
    return found[0] if found else None


def _column(catalogue: Path, names: Sequence[str], known: Sequence[str], what: str) -> str:
    found = [name for name in names if name.lower() in known]
    if not found:
        raise InputError(f"{catalogue}: has no {what} (a column named {' or '.join(known)})")
    return found[0]

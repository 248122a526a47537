"""A store of pairs from the mosaics of two telescopes, and the table of what is not in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pellucid.data.mosaics.cutouts import CutRecipe
from pellucid.data.mosaics.mosaic import Mosaic
from pellucid.data.mosaics.observe import observe
from pellucid.data.mosaics.selection import Selected
from pellucid.data.observed import ObservedPair, write_observed
from pellucid.data.rejection import Rejection, count_reasons, write_rejected
from pellucid.errors import InputError
from pellucid.quiet import quiet
from pellucid.version import __version__


def pairs_of_mosaics(
    output: Path,
    selected: Selected,
    mosaics: tuple[Mosaic, Mosaic],
    recipe: CutRecipe,
    workers: int | None = None,
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[Iterable[Any], int], Iterable[Any]] = lambda results, total: results,
) -> tuple[int, list[Rejection]]:
    """Write the pairs of all sources, and beside them the table of what makes no pair, and why.

    Parameters
    ----------
    output
        The store (HDF5).
    mosaics
        Sharp and blurred.
    workers
        Processes; None takes one a core, as far as there is work for them.
    command
        What was typed, for the store's provenance.
    progress
        Shows how far it is: given the results as they come and their number, it yields them.

    Returns
    -------
    tuple
        How many pairs the store holds, and what makes none; `rejected_table` lists it, too. Where
        there is no pair, the table says why, and there is no store.
    """
    sharp, blurred = mosaics
    table = rejected_table(output)
    rejected = list(selected.rejected)
    numbers: dict[str, Any] = {
        "rows": selected.rows,
        "excluded": selected.excluded,
        "classes": selected.classes,
    }
    one_unit = None not in (sharp.zero_point, blurred.zero_point)
    provenance = {
        "pellucid": __version__,
        "command": command,
        **selected.origin,
        "cutouts": asdict(recipe),
        "one_unit": one_unit,
        "sharp": _described(sharp),
        "blurred": _described(blurred),
        "numbers": numbers,
    }

    def pairs() -> Iterator[ObservedPair]:
        results = observe(selected.sources, sharp, blurred, recipe, workers)
        for result in progress(results, len(selected.sources)):
            if isinstance(result, Rejection):
                rejected.append(result)
            else:
                yield result
        # Known only now; the store takes its provenance down after the last pair.
        numbers["reasons"] = count_reasons(rejected)

    unit = blurred.unit if one_unit or sharp.unit == blurred.unit else None
    try:
        count = write_observed(output, pairs(), (recipe.band,), unit, provenance, overwrite)
    except InputError as error:
        write_rejected(table, rejected, overwrite)
        raise InputError(f"{error} ({in_words(rejected)}; see {table})") from None
    write_rejected(table, rejected, overwrite)
    return count, rejected


def rejected_table(output: Path) -> Path:
    """Where the table of what is not in a store lies."""
    return output.with_suffix(".rejected.ecsv")


def in_words(rejected: Sequence[Rejection]) -> str:
    """How often each reason is given, e.g. ``2 × off the mosaic``."""
    return ", ".join(f"{count} × {reason}" for reason, count in count_reasons(rejected).items())


def _described(mosaic: Mosaic) -> dict[str, Any]:
    """For the provenance: the files are known again by their size and their header."""
    from astropy.io import fits

    files = []
    for tile in mosaic.tiles:
        with quiet():
            header = fits.getheader(tile.unpacked or tile.path, tile.hdu).tostring()
        digest = hashlib.sha256(header.encode()).hexdigest()
        size = tile.path.stat().st_size
        files.append({"file": tile.path.name, "bytes": size, "header_sha256": digest})
    return {
        "files": files,
        "zero_point": mosaic.zero_point,
        "unit": mosaic.unit,
        "pixel_scale": mosaic.pixel_scale,
    }

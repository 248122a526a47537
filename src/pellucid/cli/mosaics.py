"""What `pairs` does with the mosaics of two telescopes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.cli.options import check_outputs, hdu_choice, psf_choice, say, with_progress
from pellucid.errors import InputError, UsageError
from pellucid.version import __version__

if TYPE_CHECKING:
    from pellucid.data.mosaics.cutouts import CutRecipe
    from pellucid.data.mosaics.mosaic import Mosaic
    from pellucid.data.mosaics.selection import Selected, Selection
    from pellucid.data.observed import ObservedPair
    from pellucid.data.rejection import Rejection


@dataclass(frozen=True)
class Side:
    """The mosaic of one telescope, as the command line names it."""

    paths: Sequence[Path]
    hdu: str | None
    zero_point: float | None
    psf: str | None

    def open(self) -> Mosaic:
        from pellucid.data.mosaics.mosaic import open_mosaic
        from pellucid.sky import gaussian_psf

        mosaic = open_mosaic(self.paths, hdu=hdu_choice(self.hdu), zero_point=self.zero_point)
        psf = psf_choice(self.psf, mosaic.pixel_scale)
        if isinstance(psf, float):
            psf = gaussian_psf(psf, mosaic.pixel_scale)
        if psf is None:
            return mosaic
        return replace(mosaic, tiles=tuple(replace(tile, psf=psf) for tile in mosaic.tiles))


@dataclass(frozen=True)
class Wanted:
    """The objects of a catalogue, as the command line names them."""

    catalogue: Path
    selection: str
    id_column: str | None
    where: Sequence[str]

    def select(self) -> tuple[Selection, Selected]:
        from pellucid.data.mosaics.selection import read_selection, select_sources

        selection = read_selection(self.selection)
        if self.id_column is not None:
            columns = selection.columns.model_copy(update={"id": self.id_column})
            selection = selection.model_copy(update={"columns": columns})
        return selection, select_sources(self.catalogue, selection, self.where)


def pairs_of_mosaics(
    wanted: Wanted,
    sides: tuple[Side, Side],
    recipe: CutRecipe,
    output: Path,
    bands: tuple[str, ...] | None,
    workers: int | None,
    overwrite: bool,
    command: str,
) -> dict[str, Any]:
    """Write the store, and beside it the table of what is not in it; returns the report.

    Raises
    ------
    InputError
        When no pair is left. The table says why; there is no store.
    """
    from pellucid.data.mosaics.observe import kept, observe
    from pellucid.data.observed import write_observed
    from pellucid.data.rejection import count_reasons, write_rejected

    table = output.with_suffix(".rejected.ecsv")
    inputs = [wanted.catalogue, *sides[0].paths, *sides[1].paths]
    check_outputs([output, table], inputs, overwrite)
    if bands is not None and len(bands) > 1:
        raise UsageError(f"--bands {','.join(bands)}: a mosaic has one band")
    selection, selected = wanted.select()
    sharp, blurred = (side.open() for side in sides)
    one_unit = None not in (sharp.zero_point, blurred.zero_point)
    if not one_unit:
        side = "sharp" if sharp.zero_point is None else "blurred"
        say(f"note: no zero point of the {side} mosaic is known; both fluxes stay as they are")
    rejected = list(selected.rejected)
    numbers: dict[str, Any] = {
        "rows": selected.rows,
        "excluded": selected.excluded,
        "classes": selected.classes,
    }
    provenance = {
        "pellucid": __version__,
        "command": command,
        "catalogue": wanted.catalogue.name,
        "selection": selection.model_dump(mode="json"),
        "where": list(wanted.where),
        "cutouts": asdict(recipe),
        "one_unit": one_unit,
        "sharp": _described(sharp),
        "blurred": _described(blurred),
        "numbers": numbers,
    }

    def pairs() -> Iterator[ObservedPair]:
        results = observe(selected.sources, sharp, blurred, recipe, workers)
        yield from kept(with_progress(results, len(selected.sources), "pairs"), rejected)
        # Known only now; the store takes its provenance down after the last pair.
        numbers["reasons"] = count_reasons(rejected)

    unit = blurred.unit if one_unit or sharp.unit == blurred.unit else None
    try:
        count = write_observed(output, pairs(), bands or ("band1",), unit, provenance, overwrite)
    except InputError as error:
        write_rejected(table, rejected, overwrite)
        raise InputError(f"{error} ({_in_words(rejected)}; see {table})") from None
    write_rejected(table, rejected, overwrite)
    if rejected:
        say(f"rejected {len(rejected)} ({_in_words(rejected)}; see {table})")
    return {
        "output": str(output),
        "objects": count,
        "rejected": {each.id: each.reason for each in rejected},
        "rejected_table": str(table),
        **numbers,
    }


def _described(mosaic: Mosaic) -> dict[str, Any]:
    """For the provenance: the files are known again by their size and their header."""
    from astropy.io import fits

    from pellucid.fits import quiet

    files = []
    for tile in mosaic.tiles:
        with quiet():
            header = fits.getheader(tile.unpacked or tile.path, tile.hdu).tostring()
        digest = hashlib.sha256(header.encode()).hexdigest()
        bytes_ = tile.path.stat().st_size
        files.append({"file": tile.path.name, "bytes": bytes_, "header_sha256": digest})
    return {
        "files": files,
        "zero_point": mosaic.zero_point,
        "unit": mosaic.unit,
        "pixel_scale": mosaic.pixel_scale,
    }


def _in_words(rejected: Sequence[Rejection]) -> str:
    from pellucid.data.rejection import count_reasons

    return ", ".join(f"{count} × {reason}" for reason, count in count_reasons(rejected).items())

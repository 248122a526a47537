"""pairs: a folder of sharp galaxies becomes a pair store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli.options import (
    AsJson,
    Bands,
    Output,
    Overwrite,
    PixelScale,
    Shrink,
    Size,
    band_names,
    report_result,
    say,
    with_progress,
)
from pellucid.errors import UsageError


def pairs(
    sharp: Annotated[Path, typer.Option("--sharp", help="Folder of FITS files or composites.")],
    degrade: Annotated[
        list[str],
        typer.Option(
            "--degrade", help='How pairs are made, e.g. "fwhm=1.8 noise=2"; may be repeated.'
        ),
    ],
    output: Output,
    catalogue: Annotated[
        Path | None, typer.Option("--catalogue", help="Table of the objects to take.")
    ] = None,
    id_column: Annotated[str, typer.Option("--id-column", help="Of the catalogue.")] = "id",
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help='Which of its rows, e.g. "redshift < 0.02"; may be repeated.'),
    ] = None,
    shrink: Shrink = 1,
    size: Size = None,
    pixel_scale: PixelScale = None,
    bands: Bands = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make a pair store for training and evaluation from a folder of sharp galaxies."""
    from pellucid.data.catalogue import select_ids
    from pellucid.data.folder import Cut, find_objects, read_objects
    from pellucid.data.pairs import write_pairs
    from pellucid.files import check_target
    from pellucid.optics import parse_degradation

    check_target(output, overwrite)
    if where and catalogue is None:
        raise UsageError("--where needs --catalogue")
    degradations = [parse_degradation(text) for text in degrade]
    objects = find_objects(sharp)
    missing: list[str] = []
    if catalogue is not None:
        wanted = select_ids(catalogue, where or (), id_column)
        missing = [name for name in wanted if name not in objects]
        objects = {name: objects[name] for name in wanted if name in objects}
    cut = Cut(band_names(bands), pixel_scale, shrink, size)
    count, rejected = write_pairs(
        output,
        with_progress(read_objects(objects, cut), len(objects), "pairs"),
        degradations,
        overwrite,
    )
    for each in rejected[:20]:
        say(f"rejected {each.id}: {each.reason}")
    if len(rejected) > 20:
        say(f"rejected {len(rejected) - 20} more")
    if missing:
        say(f"{len(missing)} objects of the catalogue are not in {sharp} (first: {missing[0]})")
    report = {
        "output": str(output),
        "objects": count,
        "rejected": {each.id: each.reason for each in rejected},
        "missing": missing,
    }
    report_result(report, as_json, f"{output}: {count} objects")
    if rejected or missing:
        raise typer.Exit(1)

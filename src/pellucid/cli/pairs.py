"""pairs: a folder of sharp galaxies becomes a pair store."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from pellucid.cli import options
from pellucid.errors import UsageError


def pairs(
    sharp: Annotated[Path, typer.Option("--sharp", help="Folder of FITS files or composites.")],
    degrade: Annotated[
        list[str],
        typer.Option(
            "--degrade", help='How pairs are made, e.g. "fwhm=1.8 noise=2"; may be repeated.'
        ),
    ],
    output: options.Output,
    catalogue: Annotated[
        Path | None, typer.Option("--catalogue", help="Table of the objects to take.")
    ] = None,
    id_column: Annotated[str, typer.Option("--id-column", help="Of the catalogue.")] = "id",
    where: options.Where = None,
    size: options.Size = None,
    shrink: options.Shrink = 1,
    pixel_scale: options.PixelScale = None,
    bands: options.Bands = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Make a pair store of sharp galaxies, for training and evaluation.

    Where two telescopes saw the same sky, take `pellucid pairs-observed`.
    """
    from pellucid.data.catalogue import select_ids
    from pellucid.data.folder import Cut, pairs_of_folder
    from pellucid.optics import parse_degradation

    if where and catalogue is None:
        raise UsageError("--where needs --catalogue")
    options.check_outputs([output], [], overwrite)
    ids = None if catalogue is None else select_ids(catalogue, where or (), id_column)
    count, rejected, missing = pairs_of_folder(
        output,
        sharp,
        [parse_degradation(text) for text in degrade],
        Cut(options.band_names(bands), pixel_scale, shrink, size),
        ids,
        overwrite,
        partial(options.with_progress, what="pairs"),
    )
    reasons = {rejection.id: rejection.reason for rejection in rejected}
    options.say_first("rejected", reasons)
    if missing:
        first = f"(first: {missing[0]})"
        options.say(f"{len(missing)} objects of the catalogue are not in {sharp} {first}")
    report = {"output": str(output), "objects": count, "rejected": reasons, "missing": missing}
    options.report_result(report, as_json, f"{output}: {count} objects")
    if rejected or missing:
        raise typer.Exit(1)


class PairsCommand(TyperCommand):
    """Says where the half of `pairs` has gone that took two mosaics."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if any(word.partition("=")[0] == "--blurred" for word in args):
            raise UsageError(
                "pairs of two mosaics (--blurred) are made by `pellucid pairs-observed`, "
                "with the same options"
            )
        return super().parse_args(ctx, args)

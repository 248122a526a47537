"""pairs: a folder of sharp galaxies, or two telescopes' mosaics, become a pair store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pellucid.cli.mosaics import Side, Wanted, pairs_of_mosaics
from pellucid.cli.options import (
    AsJson,
    Bands,
    Output,
    Overwrite,
    PixelScale,
    Shrink,
    band_names,
    command_line,
    report_result,
    say,
    with_progress,
)
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.data.folder import Cut

#: Options that mean nothing to the other kind of store.
_FOR_A_FOLDER = ("shrink",)
_FOR_MOSAICS = (
    "sharp_hdu",
    "blurred_hdu",
    "sharp_zero_point",
    "blurred_zero_point",
    "sharp_psf",
    "blurred_psf",
    "selection",
    "window",
    "neighbours",
    "workers",
)


def pairs(
    context: typer.Context,
    sharp: Annotated[
        list[Path],
        typer.Option(
            "--sharp",
            help="Folder of FITS files or composites; or, with --blurred, a mosaic: "
            "a file or a folder of tiles, may be repeated.",
        ),
    ],
    output: Output,
    degrade: Annotated[
        list[str] | None,
        typer.Option(
            "--degrade", help='How pairs are made, e.g. "fwhm=1.8 noise=2"; may be repeated.'
        ),
    ] = None,
    blurred: Annotated[
        list[Path] | None,
        typer.Option("--blurred", help="Or the mosaic of another telescope; may be repeated."),
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option("--catalogue", help="Table of the objects to take.")
    ] = None,
    id_column: Annotated[
        str | None, typer.Option("--id-column", help="Of the catalogue.", show_default="id")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help='Which of its rows, e.g. "redshift < 0.02"; may be repeated.'),
    ] = None,
    selection: Annotated[
        str,
        typer.Option(
            "--selection", help="Which objects of mosaics: seeinggan, cosmos, all, or a YAML file."
        ),
    ] = "seeinggan",
    sharp_hdu: Annotated[
        str | None, typer.Option("--sharp-hdu", help="Extension to read, by number or name.")
    ] = None,
    blurred_hdu: Annotated[
        str | None, typer.Option("--blurred-hdu", help="Extension to read, by number or name.")
    ] = None,
    sharp_zero_point: Annotated[
        float | None, typer.Option("--sharp-zero-point", help="Magnitude of one count.")
    ] = None,
    blurred_zero_point: Annotated[
        float | None, typer.Option("--blurred-zero-point", help="Magnitude of one count.")
    ] = None,
    sharp_psf: Annotated[
        str | None, typer.Option("--sharp-psf", help="FWHM in arcsec, or a PSF's FITS file.")
    ] = None,
    blurred_psf: Annotated[
        str | None, typer.Option("--blurred-psf", help="FWHM in arcsec, or a PSF's FITS file.")
    ] = None,
    window: Annotated[
        float, typer.Option("--window", min=0.1, help="Side of the cutouts in R90.")
    ] = 2.0,
    neighbours: Annotated[
        Literal["keep", "mask"],
        typer.Option("--neighbours", help="What becomes of the galaxies around."),
    ] = "keep",
    size: Annotated[
        int | None,
        typer.Option(
            "--size", min=8, help="Pixels a side: of the central square, or of the grid (256)."
        ),
    ] = None,
    shrink: Shrink = 1,
    pixel_scale: PixelScale = None,
    bands: Bands = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; one a core unless said.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make a pair store for training and evaluation: of sharp galaxies, or of two mosaics."""
    if (degrade is None) == (blurred is None):
        raise UsageError("give --degrade, which makes blurred images, or --blurred, which has them")
    if where and catalogue is None:
        raise UsageError("--where needs --catalogue")
    if blurred is not None:
        from pellucid.data.mosaics.cutouts import CutRecipe

        _refuse(context, _FOR_A_FOLDER, "--degrade")
        if catalogue is None:
            raise UsageError("--blurred needs --catalogue, the objects to cut out")
        report = pairs_of_mosaics(
            Wanted(catalogue, selection, id_column, where or ()),
            (
                Side(sharp, sharp_hdu, sharp_zero_point, sharp_psf),
                Side(blurred, blurred_hdu, blurred_zero_point, blurred_psf),
            ),
            CutRecipe(size or 256, window, pixel_scale, neighbours),
            output,
            band_names(bands),
            workers,
            overwrite,
            command_line(context),
        )
    else:
        from pellucid.data.catalogue import select_ids
        from pellucid.data.folder import Cut

        _refuse(context, _FOR_MOSAICS, "--blurred")
        if len(sharp) > 1:
            raise UsageError("--degrade takes one --sharp, a folder")
        wanted = None
        if catalogue is not None:
            wanted = select_ids(catalogue, where or (), id_column or "id")
        cut = Cut(band_names(bands), pixel_scale, shrink, size)
        report = _pairs_of_folder(sharp[0], degrade or [], wanted, cut, output, overwrite)
    report_result(report, as_json, f"{output}: {report['objects']} objects")
    if report["rejected"] or report.get("missing"):
        raise typer.Exit(1)


def _pairs_of_folder(
    folder: Path,
    degrade: list[str],
    wanted: list[str] | None,
    cut: Cut,
    output: Path,
    overwrite: bool,
) -> dict[str, Any]:
    """Write the store of a folder's galaxies, or of those among them that are wanted."""
    from pellucid.data.folder import find_objects, read_objects
    from pellucid.data.pairs import write_pairs
    from pellucid.files import check_target
    from pellucid.optics import parse_degradation

    check_target(output, overwrite)
    degradations = [parse_degradation(text) for text in degrade]
    objects = find_objects(folder)
    missing: list[str] = []
    if wanted is not None:
        missing = [name for name in wanted if name not in objects]
        objects = {name: objects[name] for name in wanted if name in objects}
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
        say(f"{len(missing)} objects of the catalogue are not in {folder} (first: {missing[0]})")
    return {
        "output": str(output),
        "objects": count,
        "rejected": {each.id: each.reason for each in rejected},
        "missing": missing,
    }


def _refuse(context: typer.Context, options: Sequence[str], unless: str) -> None:
    """Options that mean nothing for this kind of store are a misunderstanding."""
    for name in options:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"--{name.replace('_', '-')} goes with {unless} only")

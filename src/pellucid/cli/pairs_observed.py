"""pairs-observed: the mosaics of two telescopes become a pair store."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pellucid.cli import options
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.data.mosaics.mosaic import Mosaic

# Of either mosaic: each option has its parameter's name.
_Hdu = Annotated[str | None, typer.Option(help="Extension to read, by number or name.")]
_ZeroPoint = Annotated[float | None, typer.Option(help="Magnitude of one count.")]
_Psf = Annotated[str | None, typer.Option(help="FWHM in arcsec, or a PSF's FITS file.")]


def pairs_observed(
    context: typer.Context,
    sharp: Annotated[
        list[Path],
        typer.Option("--sharp", help="FITS mosaic, or a folder of its tiles; may be repeated."),
    ],
    blurred: Annotated[
        list[Path],
        typer.Option("--blurred", help="The same sky by another telescope; may be repeated."),
    ],
    catalogue: Annotated[Path, typer.Option("--catalogue", help="Table of the objects.")],
    output: options.Output,
    selection: Annotated[
        str, typer.Option("--selection", help="Which of them: seeinggan, cosmos, all, or a file.")
    ] = "seeinggan",
    id_column: Annotated[
        str | None, typer.Option("--id-column", help="Of the catalogue.", show_default="id")
    ] = None,
    where: options.Where = None,
    sharp_hdu: _Hdu = None,
    blurred_hdu: _Hdu = None,
    sharp_zero_point: _ZeroPoint = None,
    blurred_zero_point: _ZeroPoint = None,
    sharp_psf: _Psf = None,
    blurred_psf: _Psf = None,
    window: Annotated[
        float, typer.Option("--window", min=0.1, help="Side of the cutouts in R90.")
    ] = 2.0,
    neighbours: Annotated[
        Literal["keep", "mask"],
        typer.Option("--neighbours", help="What becomes of the galaxies around."),
    ] = "keep",
    size: Annotated[int, typer.Option("--size", min=8, help="Pixels a side of the grid.")] = 256,
    pixel_scale: options.PixelScale = None,
    bands: options.Bands = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; one a core unless said.")
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Make a pair store of galaxies that two telescopes saw, cut out of their mosaics."""
    from pellucid.data.mosaics.cutouts import CutRecipe
    from pellucid.data.mosaics.pairs import in_words, pairs_of_mosaics, rejected_table
    from pellucid.data.mosaics.selection import read_selection, select_sources
    from pellucid.data.rejection import count_reasons

    table = rejected_table(output)
    options.check_outputs([output, table], [catalogue, *sharp, *blurred], overwrite)
    band, *others = options.band_names(bands) or ("band1",)
    if others:
        raise UsageError(f"--bands {bands}: a mosaic has one band")
    recipe = CutRecipe(size, window, pixel_scale, neighbours, band=band)
    selected = select_sources(catalogue, read_selection(selection), where or (), id_column)
    mosaics = (
        _opened(sharp, sharp_hdu, sharp_zero_point, sharp_psf),
        _opened(blurred, blurred_hdu, blurred_zero_point, blurred_psf),
    )
    for side, mosaic in zip(("sharp", "blurred"), mosaics, strict=True):
        if mosaic.zero_point is None:
            note = f"note: no zero point of the {side} mosaic is known"
            options.say(f"{note}; both fluxes stay as they are")
    count, rejected = pairs_of_mosaics(
        output,
        selected,
        mosaics,
        recipe,
        workers,
        overwrite,
        options.command_line(context),
        partial(options.with_progress, what="pairs"),
    )
    if rejected:
        options.say(f"rejected {len(rejected)} ({in_words(rejected)}; see {table})")
    report = {
        "output": str(output),
        "objects": count,
        "rejected": {rejection.id: rejection.reason for rejection in rejected},
        "rejected_table": str(table),
        "rows": selected.rows,
        "excluded": selected.excluded,
        "classes": selected.classes,
        "reasons": count_reasons(rejected),
    }
    options.report_result(report, as_json, f"{output}: {count} objects")
    if rejected:
        raise typer.Exit(1)


def _opened(
    paths: list[Path], hdu: str | None, zero_point: float | None, psf: str | None
) -> Mosaic:
    from pellucid.data.mosaics.mosaic import open_mosaic
    from pellucid.sources.stated import stated_psf

    mosaic = open_mosaic(paths, options.hdu_choice(hdu), zero_point=zero_point)
    known = stated_psf(psf, mosaic.pixel_scale)
    return mosaic if known is None else mosaic.with_psf(known)

"""restore: one image in, the restored image out; or many, or a catalogue's, into a folder."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from pellucid.cli import options
from pellucid.errors import UsageError

#: The end of a name that promises a kind of file; all else is a folder's.
_SUFFIX = re.compile(r"\.[a-z]\w{0,7}", re.IGNORECASE)


def restore(
    context: typer.Context,
    output: Annotated[
        str, typer.Option("--output", "-o", help="File to write, or a folder (STORE.h5) for many.")
    ],
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="FITS, TIFF, XISF (one file a band, a cube …) or one PNG/JPEG composite; "
            "for a folder of results also folders, and lists of files.",
            show_default=False,
            metavar="[INPUT]...",
        ),
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option("--catalogue", help="Table of objects to cut out of mosaics.")
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option("--image", help="Of them, a FITS mosaic a band, or a folder of its tiles."),
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", min=8, help="Pixels a side of their cutouts.")
    ] = None,
    id_column: Annotated[
        str | None, typer.Option("--id-column", help="Of the catalogue.", show_default="id")
    ] = None,
    where: options.Where = None,
    model: Annotated[
        str | None, typer.Option("--model", help="A shipped model's name or a bundle's path.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            help="Instead of a model: wiener, richardson-lucy, … (an unknown name lists all).",
        ),
    ] = None,
    psf: options.Psf = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="The PSF it shall have; without it a method undoes all of --psf, and "
            "model pellucid leaves a star of 2.25 pixels.",
        ),
    ] = None,
    blur: Annotated[
        str | None,
        typer.Option("--blur", help="Or the kernel between both: FWHM in arcsec, or a FITS file."),
    ] = None,
    pixel_scale: options.PixelScale = None,
    bands: options.Bands = None,
    hdu: options.Hdu = None,
    bad_bits: options.BadBits = None,
    samples: Annotated[
        int,
        typer.Option("--samples", min=0, help="How many skies that explain the image to draw."),
    ] = 0,
    engine: Annotated[
        Literal["onnx", "openvino", "torch"],
        typer.Option("--engine", help="What runs the network."),
    ] = "onnx",
    precision: Annotated[Literal["fp32", "bf16"], typer.Option("--precision")] = "fp32",
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Take a model far from its training, or a psf that cannot be."
        ),
    ] = False,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            help="Which files are one image: names (differ by the band only), folder, none, or a "
            "pattern: '{id}-{band}.fits'.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; by default one a core.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Dask scheduler, e.g. tcp://HOST:8786.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option("--shard", help="Do the i-th of N shares of the images: i/N.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Do what is left, of a folder's run or a large image."),
    ] = False,
    png: options.Png = None,
    page: options.Page = None,
    regions: options.Regions = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Restore one galaxy image, or many into a folder."""
    from pellucid.batch.request import Request

    request = Request(
        model=model,
        method=method,
        psf=psf,
        target=target,
        blur=blur,
        pixel_scale=pixel_scale,
        bands=options.band_names(bands),
        hdu=options.hdu_choice(hdu),
        bad_bits=bad_bits,
        samples=samples,
        engine=engine,
        precision=precision,
        force=force,
    )
    of_objects = {"--image": images, "--size": size, "--id-column": id_column, "--where": where}
    objects = None
    if catalogue is not None:
        from pellucid.batch.shards import USUAL
        from pellucid.cli.many import objects_of

        objects = objects_of(catalogue, images, size, id_column, where or (), inputs)
        if _is_store(output):
            objects = replace(objects, shard=USUAL)
    elif given := next((option for option, value in of_objects.items() if value), None):
        raise UsageError(f"{given} is for objects of a catalogue: name it with --catalogue")
    elif not inputs:
        raise UsageError("nothing to restore: name images, or --catalogue and --image")
    inputs = inputs or []
    if page is not None:
        from pellucid.cli.view import check_page

        check_page(page)
    of_many = {"--group": group, "--workers": workers, "--scheduler": scheduler, "--shard": shard}
    if _is_folder(output) or (objects is not None and objects.shard):
        from pellucid.batch.survey import Spread
        from pellucid.cli.many import restore_many

        for option, file in (("--png", png), ("--regions", regions)):
            if file is not None:
                told = "is of one image; a folder gets FITS files and a table, --page one of all"
                raise UsageError(f"{option} {file}: {told}")
        if resume and overwrite:
            raise UsageError("--resume and --overwrite: name one of them")
        if scheduler is not None and (workers is not None or shard is not None):
            raise UsageError("--scheduler has its own workers; leave out --workers and --shard")
        if objects is not None and group is not None:
            raise UsageError(f"--group {group}: is for files; a catalogue says what one object is")
        existing = "resume" if resume else "overwrite" if overwrite else "refuse"
        spread = Spread(workers, scheduler, shard)
        if page is not None:
            options.check_outputs([page], inputs, resume or overwrite)
        whole = objects or inputs
        restore_many(whole, Path(output), request, group, existing, spread, as_json, page)
        return
    if objects is not None:
        raise UsageError(f"--output {output}: is a file; the objects of a catalogue need a folder")
    asked = [option for option, value in of_many.items() if value]
    if asked:
        raise UsageError(f"{asked[0]} is for many images: --output {output} is a file, no folder")
    folders = [path for path in inputs if path.is_dir()]
    if folders:
        store = "a store is for the objects of a --catalogue, " if _is_store(output) else ""
        way = f"{store}--output names a folder, too, for what it holds"
        raise UsageError(f"{folders[0]}: is a folder; {way}")
    from pellucid.cli.one import Results, restore_one

    results = Results(Path(output), png, page, regions, overwrite)
    restore_one(inputs, results, request, options.command_line(context), as_json, resume)


def _is_store(output: str) -> bool:
    return Path(output).suffix.lower() in (".h5", ".hdf5")


def _is_folder(output: str) -> bool:
    path = Path(output)
    return path.is_dir() or output.endswith(("/", "\\")) or not _SUFFIX.fullmatch(path.suffix)

"""restore: one image in, the restored image out."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from pellucid.cli.options import (
    AsJson,
    Bands,
    Engine,
    Hdu,
    Inputs,
    Output,
    Overwrite,
    PixelScale,
    Png,
    Precision,
    band_names,
    check_outputs,
    check_pictures,
    command_line,
    hdu_choice,
    psf_choice,
    report_result,
    say,
)
from pellucid.errors import PellucidError
from pellucid.version import __version__


def restore(
    context: typer.Context,
    inputs: Inputs,
    output: Output,
    model: Annotated[
        str | None, typer.Option("--model", help="A shipped model's name or a bundle's path.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            help="Instead of a model: wiener, richardson-lucy, blind (and -paper forms).",
        ),
    ] = None,
    psf: Annotated[
        str | None, typer.Option("--psf", help="The image's PSF: FWHM in arcsec, or a FITS file.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", help="The PSF it shall have; without it, all of --psf is undone."),
    ] = None,
    blur: Annotated[
        str | None,
        typer.Option("--blur", help="Or the kernel between both: FWHM in arcsec, or a FITS file."),
    ] = None,
    pixel_scale: PixelScale = None,
    bands: Bands = None,
    hdu: Hdu = None,
    engine: Annotated[
        Engine, typer.Option("--engine", help="What runs the network.")
    ] = Engine.onnx,
    precision: Annotated[Precision, typer.Option("--precision")] = Precision.fp32,
    png: Png = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Restore one galaxy image."""
    from pellucid.api import load_restorer, read_image, write_image
    from pellucid.display import write_png

    started = time.perf_counter()
    check_outputs([output, png], inputs, overwrite)
    check_pictures(output, png)
    image = read_image(
        *inputs, hdu=hdu_choice(hdu), bands=band_names(bands), pixel_scale=pixel_scale
    )
    restorer = load_restorer(model, method, engine.value, precision.value)
    stated = [
        psf_choice(text, image.pixel_scale, option)
        for text, option in ((blur, "--blur"), (psf, "--psf"), (target, "--target"))
    ]
    try:
        result = restorer(image, *stated)
    except PellucidError as error:
        raise type(error)(f"{inputs[0]}: {error}") from error
    write_image(result, output, overwrite, history=[command_line(context)])
    if png is not None:
        write_png(result.image, png, overwrite)
    for note in result.provenance["notes"]:
        say(f"note: {note}")
    report = {
        "output": str(output),
        **result.provenance,
        "bands": list(image.bands),
        "shape": list(image.shape),
        "pellucid": __version__,
        "seconds": round(time.perf_counter() - started, 3),
    }
    report_result(report, as_json, f"{output}: restored by {restorer.name}")

"""restore: one image in, the restored image out."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Annotated, Literal

import typer

from pellucid.cli import options
from pellucid.version import __version__


def restore(
    context: typer.Context,
    inputs: options.Inputs,
    output: options.Output,
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
        typer.Option("--target", help="The PSF it shall have; without it, all of --psf is undone."),
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
        typer.Option("--force", help="Take the model though the image is far from its training."),
    ] = False,
    png: options.Png = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Restore one galaxy image."""
    from pellucid.api import load_restorer, write_image
    from pellucid.display import write_png
    from pellucid.restoration.noise import noise_notes
    from pellucid.restoration.restorer import FittingRestorer

    started = time.perf_counter()
    options.check_outputs([output, png], inputs, overwrite)
    options.check_pictures(output, png)
    image = options.read(inputs, hdu, bands, pixel_scale, bad_bits)
    restorer = load_restorer(model, method, engine, precision, samples, force)
    said: list[str] = []

    def tell(note: str) -> None:
        said.append(note)
        options.say_notes([note])

    if isinstance(restorer, FittingRestorer):
        restorer = replace(restorer, tell=tell)
    with options.naming(inputs[0]):
        stated = [
            options.psf_choice(text, image, option)
            for text, option in ((blur, "--blur"), (psf, "--psf"), (target, "--target"))
        ]
        image = options.with_checked_fwhm(image, stated[1])
        image = replace(image, notes=(*image.notes, *noise_notes(image)))
        options.say_notes(image.notes)
        with options.watched("restoring"):
            result = restorer(image, *stated)
    write_image(result, output, overwrite, history=[options.command_line(context)])
    if png is not None:
        write_png(result.image, png, overwrite)
    found = result.provenance["notes"]
    told = [result.provenance.get(key) for key in ("change", "trust")]
    options.say_notes(note for note in [*found, *filter(None, told)] if note not in said)
    report = {
        "output": str(output),
        **result.provenance,
        "notes": [*image.notes, *found],
        "bands": list(image.bands),
        "shape": list(image.shape),
        "pellucid": __version__,
        "seconds": round(time.perf_counter() - started, 3),
    }
    by = result.provenance.get("model") or restorer.name
    options.report_result(report, as_json, f"{output}: restored by {by}")

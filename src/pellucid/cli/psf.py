"""psf: what a star looks like in an image, from its stars."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import options
from pellucid.errors import naming
from pellucid.version import __version__


def psf(
    context: typer.Context,
    inputs: options.Inputs,
    output: options.Output,
    pixel_scale: options.PixelScale = None,
    bands: options.Bands = None,
    hdu: options.Hdu = None,
    png: Annotated[Path | None, typer.Option("--png", help="Also draw it, in arcsec.")] = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Find what a star looks like in an image, from its stars."""
    from pellucid.api import psf_from_stars
    from pellucid.fits import write_psf
    from pellucid.sky.psf import stamp_fwhm
    from pellucid.sources.psf_picture import draw_psf

    options.check_outputs([output, png], inputs, overwrite)
    options.check_pictures(output, png)
    image = options.read(inputs, hdu, bands, pixel_scale)
    with naming(inputs[0]):
        found = psf_from_stars(image)
    history = [options.command_line(context), *(f"note: {note}" for note in found.notes)]
    write_psf(found, output, overwrite, history)
    if png is not None:
        draw_psf(found, png, overwrite)
    notes = [*image.notes, *found.notes]
    options.say_notes(notes)
    widths = [stamp_fwhm(stamp) for stamp in found.stamps]
    report = {
        "output": str(output),
        "fwhm": round(found.fwhm, 4),
        "pixel_scale": found.pixel_scale,
        "bands": {
            name: {
                "fwhm": round(width * found.pixel_scale, 4),
                "fwhm_pixels": round(width, 3),
                "stars": len(places),
                "places": [[round(float(x), 2), round(float(y), 2)] for y, x in places],
            }
            for name, width, places in zip(image.bands, widths, found.stars, strict=True)
        },
        "shape": list(found.stamps.shape),
        "notes": notes,
        "pellucid": __version__,
    }
    said = [f'{width * found.pixel_scale:.2f}"' for width in widths]
    if len(said) > 1:
        said = [f"{name} {width}" for name, width in zip(image.bands, said, strict=True)]
    line = f"{output}: FWHM {', '.join(said)} from {found.origin}"
    options.report_result(report, as_json, line)

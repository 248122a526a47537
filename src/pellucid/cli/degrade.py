"""degrade: an image made worse in a controlled way."""

from __future__ import annotations

from typing import Annotated

import typer

from pellucid.cli import options
from pellucid.errors import naming


def degrade(
    context: typer.Context,
    inputs: options.Inputs,
    output: options.Output,
    fwhm: Annotated[float, typer.Option("--fwhm", min=0, help="Added blur, FWHM in arcsec.")],
    noise: Annotated[
        float,
        typer.Option("--noise", min=0, help="Noise in units of the image's own; 0 adds none."),
    ],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the noise.")] = 0,
    shared_noise: Annotated[
        bool, typer.Option("--shared-noise", help="One noise field for all bands, as in the paper.")
    ] = False,
    truncate: Annotated[
        float,
        typer.Option("--truncate", min=0.5, help="Where the kernel ends, in its sigma (paper: 2)."),
    ] = 5.0,
    noise_estimate: Annotated[
        str,
        typer.Option("--noise-estimate", help="galaxygan (nanomaggies only), robust, or auto."),
    ] = "auto",
    pixel_scale: options.PixelScale = None,
    bands: options.Bands = None,
    hdu: options.Hdu = None,
    bad_bits: options.BadBits = None,
    png: options.Png = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Blur an image and add noise, as GalaxyGAN's pairs were made."""
    import numpy as np

    from pellucid.api import read_image, write_image
    from pellucid.display import write_png
    from pellucid.optics import parse_degradation

    options.check_outputs([output, png], inputs, overwrite)
    options.check_pictures(output, png)
    names = options.band_names(bands)
    choice = options.hdu_choice(hdu)
    image = read_image(*inputs, hdu=choice, bands=names, pixel_scale=pixel_scale, bad_bits=bad_bits)
    recipe = f"fwhm={fwhm} noise={noise} truncate={truncate} noise-estimate={noise_estimate}"
    degradation = parse_degradation(recipe + (" shared-noise" if shared_noise else ""))
    with naming(inputs[0]):
        degraded = degradation(image, np.random.default_rng(seed)).blurred
    history = [options.command_line(context), f"degraded: {recipe} seed={seed}"]
    write_image(degraded, output, overwrite, history)
    if png is not None:
        write_png(degraded, png, overwrite)
    notes = list(image.notes)
    if image.variance is not None:
        notes.append(
            "its error, variance or weight is that of the result now: what the blur leaves of it "
            "and the added noise, in each pixel alone; neighbours are correlated"
        )
    options.say_notes(notes)
    report = {"output": str(output), **vars(degradation), "seed": seed, "bands": list(image.bands)}
    line = f'{output}: blurred by {fwhm:g}", noise at {noise:g} sigma'
    options.report_result(report, as_json, line)

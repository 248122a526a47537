"""degrade: an image made worse in a controlled way."""

from __future__ import annotations

from typing import Annotated

import typer

from pellucid.cli.options import (
    AsJson,
    Bands,
    Hdu,
    Inputs,
    Output,
    Overwrite,
    PixelScale,
    Png,
    band_names,
    check_outputs,
    check_pictures,
    command_line,
    hdu_choice,
    naming,
    report_result,
)


def degrade(
    context: typer.Context,
    inputs: Inputs,
    output: Output,
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
    pixel_scale: PixelScale = None,
    bands: Bands = None,
    hdu: Hdu = None,
    png: Png = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Blur an image and add noise, as GalaxyGAN's pairs were made."""
    import numpy as np

    from pellucid.api import read_image, write_image
    from pellucid.display import write_png
    from pellucid.optics import parse_degradation

    check_outputs([output, png], inputs, overwrite)
    check_pictures(output, png)
    image = read_image(
        *inputs, hdu=hdu_choice(hdu), bands=band_names(bands), pixel_scale=pixel_scale
    )
    recipe = f"fwhm={fwhm} noise={noise} truncate={truncate} noise-estimate={noise_estimate}"
    degradation = parse_degradation(recipe + (" shared-noise" if shared_noise else ""))
    with naming(inputs[0]):
        degraded = degradation(image, np.random.default_rng(seed)).blurred
    write_image(
        degraded,
        output,
        overwrite,
        history=[command_line(context), f"degraded: {recipe} seed={seed}"],
    )
    if png is not None:
        write_png(degraded, png, overwrite)
    report = {"output": str(output), **vars(degradation), "seed": seed, "bands": list(image.bands)}
    report_result(report, as_json, f'{output}: blurred by {fwhm:g}", noise at {noise:g} sigma')

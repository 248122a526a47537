"""The command line: one verb, one typed function.

Results go to stdout, everything about them to stderr. Exit codes: 0 all done, 1 some objects
failed, 2 usage, 3 bad input, 75 try again.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pellucid.errors import PellucidError, TemporaryError, UsageError
from pellucid.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Restore what the atmosphere and the detector took from galaxy images.",
)


class Engine(StrEnum):
    onnx = "onnx"
    openvino = "openvino"
    torch = "torch"


class Precision(StrEnum):
    fp32 = "fp32"
    bf16 = "bf16"


class SplitChoice(StrEnum):
    auto = "auto"
    validation = "validation"
    all = "all"


Inputs = Annotated[
    list[Path],
    typer.Argument(help="FITS (one file a band, a cube or extensions) or one PNG/JPEG composite."),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="File to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Hdu = Annotated[str | None, typer.Option("--hdu", help="Extension to read, by number or name.")]
Bands = Annotated[str | None, typer.Option("--bands", help="Names of the bands: g,r,i")]
PixelScale = Annotated[
    float | None, typer.Option("--pixel-scale", min=1e-6, help="Arcsec per pixel.")
]
Png = Annotated[Path | None, typer.Option("--png", help="Also draw the result as a picture.")]


@app.command()
def restore(
    context: typer.Context,
    inputs: Inputs,
    output: Output,
    model: Annotated[
        str | None, typer.Option("--model", help="A shipped model's name or a bundle's path.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", help="wiener, richardson-lucy or blind, instead of a model."),
    ] = None,
    psf: Annotated[
        str | None, typer.Option("--psf", help="FWHM of the blur in arcsec, or a PSF's FITS file.")
    ] = None,
    pixel_scale: PixelScale = None,
    bands: Bands = None,
    hdu: Hdu = None,
    samples: Annotated[
        int, typer.Option("--samples", min=1, help="Restorations to draw, where a model samples.")
    ] = 1,
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
    _check_outputs([output, png], inputs, overwrite)
    _check_pictures(output, png)
    image = read_image(*inputs, hdu=_hdu(hdu), bands=_band_names(bands), pixel_scale=pixel_scale)
    restorer = load_restorer(model, method, engine.value, precision.value)
    if samples > 1:
        raise UsageError(
            f"--samples {samples}: {restorer.name} gives one restoration, it does not sample"
        )
    try:
        result = restorer(image, psf=_psf(psf, image.pixel_scale))
    except PellucidError as error:
        raise type(error)(f"{inputs[0]}: {error}") from error
    write_image(result, output, overwrite, history=[_command(context)])
    if png is not None:
        write_png(result.image, png, overwrite)
    for note in result.provenance["notes"]:
        _say(f"note: {note}")
    report = {
        "output": str(output),
        **result.provenance,
        "bands": list(image.bands),
        "shape": list(image.shape),
        "pellucid": __version__,
        "seconds": round(time.perf_counter() - started, 3),
    }
    _report(report, as_json, f"{output}: restored by {restorer.name}")


@app.command()
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

    _check_outputs([output, png], inputs, overwrite)
    _check_pictures(output, png)
    image = read_image(*inputs, hdu=_hdu(hdu), bands=_band_names(bands), pixel_scale=pixel_scale)
    recipe = f"fwhm={fwhm} noise={noise} truncate={truncate} noise-estimate={noise_estimate}"
    degradation = parse_degradation(recipe + (" shared-noise" if shared_noise else ""))
    try:
        degraded = degradation(image, np.random.default_rng(seed))
    except PellucidError as error:
        raise type(error)(f"{inputs[0]}: {error}") from error
    write_image(
        degraded, output, overwrite, history=[_command(context), f"degraded: {recipe} seed={seed}"]
    )
    if png is not None:
        write_png(degraded, png, overwrite)
    report = {"output": str(output), **vars(degradation), "seed": seed, "bands": list(image.bands)}
    _report(report, as_json, f'{output}: blurred by {fwhm:g}", noise at {noise:g} sigma')


@app.command()
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
    shrink: Annotated[
        int, typer.Option("--shrink", min=1, help="Average so many pixels a side into one.")
    ] = 1,
    size: Annotated[
        int | None, typer.Option("--size", min=8, help="Keep the central square of so many pixels.")
    ] = None,
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
    cut = Cut(_band_names(bands), pixel_scale, shrink, size)
    count, rejected = write_pairs(
        output,
        _progress(read_objects(objects, cut), len(objects), "pairs"),
        degradations,
        overwrite,
    )
    for each in rejected[:20]:
        _say(f"rejected {each.id}: {each.reason}")
    if len(rejected) > 20:
        _say(f"rejected {len(rejected) - 20} more")
    if missing:
        _say(f"{len(missing)} objects of the catalogue are not in {sharp} (first: {missing[0]})")
    report = {
        "output": str(output),
        "objects": count,
        "rejected": {each.id: each.reason for each in rejected},
        "missing": missing,
    }
    _report(report, as_json, f"{output}: {count} objects")
    if rejected or missing:
        raise typer.Exit(1)


@app.command()
def train(
    recipe: Annotated[
        str, typer.Argument(help="A recipe's YAML file, or the name of a shipped one.")
    ],
    data: Annotated[Path, typer.Option("--data", help="Pair store.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Processes that prepare batches ahead.")
    ] = 0,
) -> None:
    """Train a network; OUTPUT/bundle.onnx is what `restore --model` takes."""
    try:
        from pellucid.training.loop import train as run_training
        from pellucid.training.recipe import read_recipe
    except ImportError as error:
        raise UsageError(
            f"training needs {error.name}, which is not installed: pip install 'pellucid[train]'"
        ) from error
    bundle = run_training(read_recipe(recipe), data, output, resume, workers)
    _say(f"{bundle}: trained; `pellucid restore --model {bundle}` uses it")


@app.command()
def evaluate(
    truth: Annotated[Path | None, typer.Option("--truth", help="The sharp image.")] = None,
    restored: Annotated[Path | None, typer.Option("--restored", help="Its restoration.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Or a pair store, and what to compare:")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="A model; may be repeated.")
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option("--method", help="A classical method; may be repeated.")
    ] = None,
    split: Annotated[
        SplitChoice,
        typer.Option("--split", help="auto: what no model was trained on."),
    ] = SplitChoice.auto,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Score at most so many objects.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the pairs' noise.")] = 0,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write a page, .html or .md.")
    ] = None,
    pixel_scale: PixelScale = None,
    bands: Bands = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Compare a restoration with the truth, or restorers with each other on a pair store."""
    if (truth is None) != (restored is None) or (truth is None) == (data is None):
        raise UsageError("give --truth and --restored, or --data with --model and --method")
    if truth is not None and restored is not None:
        _evaluate_images(truth, restored, _band_names(bands), pixel_scale, as_json)
        return
    assert data is not None
    from pellucid.data.pairs import open_pairs
    from pellucid.evaluation.benchmark import choose_objects, score_pairs, summarise
    from pellucid.evaluation.report import check_report_name, write_report
    from pellucid.evaluation.tables import COLUMNS, print_table, terminal_table
    from pellucid.evaluation.tables import as_json as table_as_json
    from pellucid.restoration import load_restorer

    _check_outputs([report], [data], overwrite)
    if report is not None:
        check_report_name(report)
    restorers = [load_restorer(model=name) for name in model or ()]
    restorers += [load_restorer(method=name) for name in method or ()]
    if not restorers:
        raise UsageError("--data needs something to compare: --model or --method")
    store = open_pairs(data)
    chosen = choose_objects(store, restorers, split.value)[:limit]
    scoring = score_pairs(store, chosen, restorers, seed)
    scores = [score for some in _progress(scoring, len(chosen), "scoring") for score in some]
    summaries = summarise(scores)
    title = f"{len(chosen)} objects of {data.name} ({split.value})"
    if report is not None:
        write_report(report, title, summaries, store, chosen[:6], restorers, seed, overwrite)
    if as_json:
        print_json({"objects": len(chosen), "restorers": table_as_json(summaries)})
        return
    print_table(terminal_table(summaries, title, tuple(COLUMNS)))


@app.command()
def models(as_json: AsJson = False) -> None:
    """List the shipped models with their cards and checksums."""
    from dataclasses import asdict

    from pellucid.models.bundle import open_bundle, shipped

    bundles = [open_bundle(path) for path in shipped().values()]
    if as_json:
        print_json(
            {each.card.name: {**asdict(each.card), "sha256": each.sha256} for each in bundles}
        )
        return
    for each in bundles:
        card, training = each.card, each.card.training
        lines = [
            card.name,
            f"  {card.description}",
            f"  bands {','.join(card.bands)}{' or one alone' if card.single_band else ''}, "
            f'{card.pixel_scale:g}" pixels, {each.path.stat().st_size / 1e6:.1f} MB',
            f"  trained on {training.get('objects')} objects, {training.get('steps')} steps, "
            f"{training.get('wall_seconds', 0) / 60:.0f} min on {training.get('device')}",
            f"  validation PSNR {training.get('validation_psnr')} dB "
            f"(degraded {training.get('validation_psnr_blurred')} dB) "
            f"on {training.get('held_back_objects')} objects held back",
            f"  {training.get('command')}",
            f"  sha256 {each.sha256}",
        ]
        typer.echo("\n".join(lines))


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = Path(
        "demo"
    ),
) -> None:
    """Degrade real galaxies, restore them in every way, and draw what came out."""
    from pellucid.demo import run_demo

    run_demo(output)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"pellucid {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code instead of leaving."""
    words = sys.argv[1:] if argv is None else argv
    try:
        app(args=words, prog_name="pellucid", obj=tuple(words))
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except PellucidError as error:
        _say(str(error))
        return error.exit_code
    except OSError as error:
        # What no writer or reader foresaw, e.g. a disk that fills up under the log.
        where = f"{error.filename}: " if error.filename else ""
        _say(f"{where}{error.strerror or error}")
        return TemporaryError.exit_code
    except MemoryError:
        _say("not enough memory for this image")
        return TemporaryError.exit_code
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    return 0


def run() -> None:
    """Entry point of the ``pellucid`` command."""
    sys.exit(main())


def print_json(value: Any) -> None:
    """Print ``value`` to stdout as strict JSON."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def _evaluate_images(
    truth: Path,
    restored: Path,
    bands: tuple[str, ...] | None,
    pixel_scale: float | None,
    as_json: bool,
) -> None:
    import math

    from pellucid.api import read_image
    from pellucid.metrics import compare

    images = [read_image(path, bands=bands, pixel_scale=pixel_scale) for path in (truth, restored)]
    try:
        numbers = compare(images[0], images[1])
    except PellucidError as error:
        raise type(error)(f"{restored}: {error}") from error
    if as_json:
        print_json({key: value if math.isfinite(value) else None for key, value in numbers.items()})
        return
    for key, value in numbers.items():
        typer.echo(f"{key:26s}{value:10.4f}")


def _check_outputs(outputs: list[Path | None], inputs: list[Path], overwrite: bool) -> None:
    """Refuse before any work is done: a target that exists, twice, or that is an input."""
    from pellucid.files import check_target

    named = [path for path in outputs if path is not None]
    for path in named:
        check_target(path, overwrite)
        if any(path.resolve() == each.resolve() for each in inputs):
            raise UsageError(f"{path}: is an input; name another output")
    if len({path.resolve() for path in named}) < len(named):
        raise UsageError(f"{named[0]}: is named for two outputs")


def _check_pictures(output: Path, png: Path | None) -> None:
    from pellucid.display import check_picture_name, is_composite

    for path in (output, png):
        if path is not None and (path == png or is_composite(path)):
            check_picture_name(path)


def _hdu(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdigit() else text


def _band_names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise UsageError(f"--bands {text!r}: write it as g,r,i")
    return names


def _psf(text: str | None, pixel_scale: float | None) -> Any:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        from pellucid.optics.psf_file import read_psf

        return read_psf(text, default_scale=pixel_scale)


def _progress(items: Any, total: int, what: str) -> Any:
    """The items, with a bar on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description=what, total=total, console=Console(stderr=True))


def _command(context: typer.Context) -> str:
    """What was typed, so that it can be typed again."""
    return shlex.join(["pellucid", *context.obj])


def _report(values: dict[str, Any], as_json: bool, line: str) -> None:
    if as_json:
        print_json(values)
    else:
        _say(line)


def _say(text: str) -> None:
    typer.echo("pellucid: " + " ".join(text.split()), err=True)

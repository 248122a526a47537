"""evaluate: a restoration against the truth, or restorers against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pellucid.cli import options
from pellucid.errors import UsageError, naming

if TYPE_CHECKING:
    from pellucid.sky import SkyImage

#: Objects whose pictures stand in a report.
SHOWN = 6
#: Fluxes that differ by more are hardly of one unit.
APART = 2.0
#: After what the metrics of pictures are taken, by the stretch's name.
STRETCHES = {
    "galaxygan": "after GalaxyGAN's stretch, psnr_linear on flux",
    "noise": "after an asinh stretch in units of the truth's noise, psnr_linear on flux",
}


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
        Literal["auto", "validation", "all"],
        typer.Option("--split", help="auto: held back, if a model was trained on any of these."),
    ] = "auto",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Score at most so many objects.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the pairs' noise.")] = 0,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write a page, .html or .md.")
    ] = None,
    pixel_scale: options.PixelScale = None,
    bands: options.Bands = None,
    hdu: options.Hdu = None,
    truth_hdu: Annotated[
        str | None, typer.Option("--truth-hdu", help="That of the truth; without it --hdu's.")
    ] = None,
    bad_bits: options.BadBits = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Compare a restoration with the truth, or restorers with each other on a pair store."""
    if (truth is None) != (restored is None) or (truth is None) == (data is None):
        raise UsageError("give --truth and --restored, or --data with --model and --method")
    if truth is not None and report is not None:
        raise UsageError("--report is for --data; use --json for one image")
    of_files = {"--hdu": hdu, "--truth-hdu": truth_hdu, "--bad-bits": bad_bits}
    typed = [option for option, given in of_files.items() if given is not None]
    if truth is None and typed:
        raise UsageError(f"{typed[0]} is for --truth and --restored; a pair store has none")
    if truth is not None and restored is not None:
        files = [(truth, hdu if truth_hdu is None else truth_hdu), (restored, hdu)]
        pair = [
            options.read([path], own_hdu, bands, pixel_scale, bits)
            for (path, own_hdu), bits in zip(files, _with_bits(files, bad_bits), strict=True)
        ]
        wanted, found, notes = _of_restored(pair[0], pair[1], restored, bands is None)
        _evaluate_images(wanted, found, restored, notes, as_json)
        return
    assert data is not None
    from pellucid.data.pairs import open_pairs
    from pellucid.evaluation import scores
    from pellucid.evaluation.report import check_report_name, write_report
    from pellucid.evaluation.tables import COLUMNS, finite, print_table
    from pellucid.restoration import Restorer, load_restorer

    options.check_outputs([report], [data], overwrite)
    if report is not None:
        check_report_name(report)
    # What is far from its training is worth measuring, too.
    named = [load_restorer(model=name, force=True) for name in model or ()]
    named += [load_restorer(method=name) for name in method or ()]
    if not named:
        raise UsageError("--data needs something to compare: --model or --method")
    store = open_pairs(data)
    part = scores.choose_part(store, named) if split == "auto" else split
    chosen = scores.objects_of(store, part, named)[:limit]
    restorers: dict[str, Restorer] = {}
    for restorer in (scores.Untouched(), *named):
        again = sum(other.name == restorer.name for other in restorers.values())
        restorers[f"{restorer.name} ({again + 1})" if again else restorer.name] = restorer
    metrics, shown = [], []
    scoring = scores.score_pairs(store, chosen, restorers, seed=seed)
    for scored in options.with_progress(scoring, len(chosen), "scoring"):
        metrics.append(scored.metrics)
        if report is not None and len(shown) < SHOWN:
            shown.append(scored)
    summaries = scores.summarise(metrics)
    held_back = ", held back" if part == "validation" else ""
    title = f"{len(chosen)} object{'s' * (len(chosen) != 1)} of {data.name}{held_back}"
    if report is not None:
        write_report(report, title, summaries, shown, overwrite)
    if as_json:
        numbers = {
            name: {metric: vars(summary) for metric, summary in some.items()}
            for name, some in summaries.items()
        }
        options.print_json({"objects": len(chosen), "restorers": finite(numbers)})
        return
    print_table(summaries, title, COLUMNS)


def _with_bits(files: Sequence[tuple[Path, str | None]], bad_bits: str | None) -> list[str | None]:
    """Which flags are bad of each file that has a mask, None of others; refused where none has one.

    Beside each file stands what was typed of its HDU.
    """
    if bad_bits is None:
        return [None for _ in files]
    from pellucid.display import is_composite
    from pellucid.fits import file_roles

    def has_mask(path: Path, hdu: str | None) -> bool:
        roles = file_roles(path, options.hdu_choice(hdu))
        return any(plane.role == "mask" and plane.use == "read" for plane in roles)

    masked = [not is_composite(path) and has_mask(path, hdu) for path, hdu in files]
    if not any(masked):
        raise UsageError(f"{files[0][0]}: --bad-bits {bad_bits}, but neither image has a mask")
    return [bad_bits if there else None for there in masked]


def _of_restored(
    wanted: SkyImage, found: SkyImage, restored: Path, alone: bool
) -> tuple[SkyImage, SkyImage, list[str]]:
    """Both images, where ``alone`` in the bands that were restored, and what to know of these."""
    from pellucid.fits import unrestored_bands

    left = unrestored_bands(found)
    done = [k for k, band in enumerate(found.bands) if band not in left]
    if not left:
        return wanted, found, []
    said = f"by the cards of {restored.name} (PLCTYPE, PLCBANDS) {', '.join(left)} were left"
    said += " unrestored; the numbers are of "
    if not alone or not done:
        return wanted, found, [f"{said}all bands, --bands chooses some"]
    found = found.of_bands(done)
    if set(found.bands) <= set(wanted.bands):
        wanted = wanted.of_bands([wanted.bands.index(band) for band in found.bands])
    return wanted, found, [f"{said}{', '.join(found.bands)}, --bands chooses others"]


def _evaluate_images(
    wanted: SkyImage, found: SkyImage, restored: Path, notes: list[str], as_json: bool
) -> None:
    import numpy as np

    from pellucid.evaluation.comparable import made_comparable, sharpness_notes
    from pellucid.evaluation.tables import finite, unit_of
    from pellucid.metrics import measure, usual_stretch

    with naming(restored):
        sharpness = sharpness_notes(found, wanted)
        found = made_comparable(found, wanted)
        numbers = measure(found, wanted)
    if np.array_equal(found.flux, wanted.flux, equal_nan=True):
        sharpness = ["both images have the same pixels: was one of them restored?", *sharpness]
    ratio = numbers.get("flux_ratio", math.nan)
    if ratio < 1.0 / APART or ratio > APART:
        fluxes = f"fluxes are {ratio:.3g} times the truth's"
        sharpness = [f"{fluxes}: another unit, zero point or band?", *sharpness]
    options.say_notes([*wanted.notes, *found.notes, *notes, *sharpness])
    if as_json:
        options.print_json(finite(numbers))
        return
    options.say(f"psnr and ssim are taken {STRETCHES[usual_stretch(wanted).name]}")
    for key, value in numbers.items():
        typer.echo(f"{key:26s}{value:10.4f} {unit_of(key)}".rstrip())

"""What the verbs share: their options, and how they say what they did."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.errors import UsageError, printable

if TYPE_CHECKING:
    from pellucid.sky import SkyImage

Inputs = Annotated[
    list[Path],
    typer.Argument(help="FITS, TIFF, XISF (one file a band, a cube …) or one PNG/JPEG composite."),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="File to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Hdu = Annotated[str | None, typer.Option("--hdu", help="Extension to read, by number or name.")]
BadBits = Annotated[
    str | None,
    typer.Option(
        "--bad-bits",
        help="Flags of a mask that are bad, by names or values: SAT,CR or 1,4 or ~4, all, none.",
    ),
]
Bands = Annotated[
    str | None, typer.Option("--bands", help="Names of the bands, or which of them: g,r,i")
]
PixelScale = Annotated[
    float | None, typer.Option("--pixel-scale", min=1e-6, help="Arcsec per pixel.")
]
Psf = Annotated[
    str | None,
    typer.Option("--psf", help="The image's PSF: FWHM in arcsec, FITS, or stars."),
]
Shrink = Annotated[
    int, typer.Option("--shrink", min=1, help="Average so many pixels a side into one.")
]
Size = Annotated[
    int | None, typer.Option("--size", min=8, help="Keep the central square of so many pixels.")
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help='Which of its rows, e.g. "redshift < 0.02"; may be repeated.'),
]
Page = Annotated[
    Path | None, typer.Option("--page", help="Also make a page of it to look at, PAGE.html.")
]
Png = Annotated[Path | None, typer.Option("--png", help="Also draw the result as a picture.")]
Regions = Annotated[
    Path | None,
    typer.Option("--regions", help="Also write its sources and doubt as a DS9 region file."),
]


def print_json(value: Any) -> None:
    """Print ``value`` to stdout as strict JSON."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def check_outputs(outputs: list[Path | None], inputs: list[Path], overwrite: bool) -> None:
    """Refuse before any work is done: a target that exists, twice, or that is an input."""
    from pellucid.files import check_target

    named = [path for path in outputs if path is not None]
    for path in named:
        check_target(path, overwrite)
        if path.resolve() in {read.resolve() for read in inputs}:
            raise UsageError(f"{path}: is an input; name another output")
    if len({path.resolve() for path in named}) < len(named):
        raise UsageError(f"{named[0]}: is named for two outputs")


def check_pictures(output: Path, png: Path | None) -> None:
    """Refuse a picture whose name is of no kind that is written."""
    from pellucid.display import check_picture_name, is_composite
    from pellucid.fits import check_written_name

    if not is_composite(output):
        check_written_name(output)
    for path in (output, png):
        if path is not None and (path == png or is_composite(path)):
            check_picture_name(path)


def read(
    inputs: list[Path],
    hdu: str | None,
    bands: str | None,
    pixel_scale: float | None,
    bad_bits: str | None = None,
) -> SkyImage:
    """The image in what was typed."""
    from pellucid import api

    choice, names = hdu_choice(hdu), band_names(bands)
    return api.read_image(
        *inputs, hdu=choice, bands=names, pixel_scale=pixel_scale, bad_bits=bad_bits
    )


def hdu_choice(text: str | None) -> int | str | None:
    """The number or the name of an HDU."""
    return int(text) if text is not None and text.isdigit() else text


def band_names(text: str | None) -> tuple[str, ...] | None:
    """The names in ``g,r,i``."""
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise UsageError(f"--bands {text!r}: write it as g,r,i")
    return names


def with_progress(items: Any, total: int, what: str) -> Any:
    """The items, with a bar on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description=what, total=total, console=Console(stderr=True))


def command_line(context: typer.Context) -> str:
    """What was typed, so that it can be typed again."""
    return shlex.join(["pellucid", *context.obj])


def report_result(values: dict[str, Any], as_json: bool, line: str) -> None:
    """Say what was done: JSON on stdout for a program, a line on stderr for a person."""
    if as_json:
        print_json(values)
    else:
        say(line)


def say_first(what: str, reasons: Mapping[str, str], most: int = 20) -> None:
    """A line for each of the first objects that something befell, and how many there are more."""
    for name, reason in list(reasons.items())[:most]:
        say(f"{what} {name}: {reason}")
    if len(reasons) > most:
        say(f"{what} {len(reasons) - most} more")


def say_notes(notes: Iterable[str]) -> None:
    """A line for each guess that was made; what is more than that says so itself."""
    for note in notes:
        say(note if note.startswith("warning: ") else f"note: {note}")


def say(text: str) -> None:
    """One line on stderr, whatever the text holds."""
    typer.echo("pellucid: " + printable(" ".join(text.split())), err=True)

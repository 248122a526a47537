"""info: what would be read of a file, and which model would be taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from pellucid.cli import options
from pellucid.errors import InputError, PellucidError, TemporaryError

#: Width of the headings.
_MARGIN = 12


def info(
    inputs: Annotated[list[Path], typer.Argument(help="FITS or pictures, each by itself.")],
    pixel_scale: options.PixelScale = None,
    bands: options.Bands = None,
    hdu: options.Hdu = None,
    bad_bits: options.BadBits = None,
    psf: options.Psf = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell what would be read of each file, and which model would restore it."""
    from pellucid.fits import file_roles
    from pellucid.restoration.describe import describe_image, describe_planes

    told, errors = [], []
    for path in inputs:
        try:
            image = options.read([path], hdu, bands, pixel_scale, bad_bits)
            with options.naming(path):
                stated = options.psf_choice(psf, image)
                image = options.with_checked_fwhm(image, stated)
                found = describe_image(image, stated)
            planes = []
            if image.layout:  # a picture has none
                roles = file_roles(path, options.hdu_choice(hdu))
                planes = describe_planes(image, roles)
        except TemporaryError:
            raise
        except PellucidError as error:
            errors.append(error)
            options.say(str(error))
            continue
        report = {"file": str(path), **found, "planes": planes}
        told.append(report)
        if not as_json:
            typer.echo("\n".join(_lines(report)) + ("\n" if path != inputs[-1] else ""))
    if as_json:
        options.print_json(told)
    if errors and told:
        raise typer.Exit(1)
    if errors:
        codes = {error.exit_code for error in errors}
        raise typer.Exit(codes.pop() if len(codes) == 1 else InputError.exit_code)


def _lines(report: dict[str, Any]) -> Iterator[str]:
    yield report["file"]
    for heading, words in _entries(report):
        for k, line in enumerate(words):
            yield f"  {'' if k else heading:{_MARGIN - 2}}{line}"


def _entries(report: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    _, height, width = report["shape"]
    scale = report["pixel_scale"]
    pixels = f'{width} × {height} pixels of {scale:.4g}"' if scale else (
        f"{width} × {height} pixels of unknown size (--pixel-scale states it)"
    )  # fmt: skip
    unit = report["unit"] or "no unit"
    yield "image", [f"{', '.join(report['bands'])}: {pixels}, {unit}"]
    yield "wcs", [_wcs(report["wcs"])]
    yield "psf", [_psf(report["psf"])]
    yield "noise", list(_noise(report))
    yield "no data", [f"{100 * report['no_data']:.2g} %" if report["no_data"] else "none"]
    if report["planes"]:
        yield "planes", list(_planes(report["planes"]))
    model, why = report["model"], report["why"]
    yield "model", [f"{model}: {why}" if model else why]
    if report["target"]:
        target = report["target"]
        yield "target", [f'FWHM {target["fwhm"]:.2f}" in pixels of {target["pixel_scale"]:.4g}"']
    # What was read as what stands in the planes' lines.
    read = f"{Path(report['file']).name}: read "
    notes = [note for note in report["notes"] if not note.startswith(read)]
    if notes:
        yield "notes", notes


def _wcs(wcs: dict[str, Any] | None) -> str:
    if wcs is None:
        return "none"
    ra, dec = wcs["centre"]
    if ra is None or dec is None:
        return wcs["projection"]
    sides = [side for side in wcs["size"] if side]
    unit, share = ("'", 60.0) if sides and min(sides) > 120 else ('"', 1.0)
    size = " × ".join(f"{side / share:.1f}{unit}" for side in sides)
    return f"RA {ra:.5f}, Dec {dec:+.5f}, {size}, {wcs['projection']}"


def _psf(psf: dict[str, Any]) -> str:
    """The FWHM, one for all where they agree, and where it comes from."""
    if psf["fwhm"] is None:
        return f"unknown: {psf['origin']}"
    widths = {band: f'{width:.2f}"' for band, width in psf["fwhm"].items()}
    text = ", ".join(f"{band} {width}" for band, width in widths.items())
    if len(set(widths.values())) == 1:
        text = next(iter(widths.values()))
    if psf["from"] == "stars":
        return f"not stated; --psf stars would take {text}, from {psf['origin']}"
    source = {"stated": psf["origin"], "file": f"in the file, {psf['origin']}",
              "header": "by the header"}[psf["from"]]  # fmt: skip
    return f"FWHM {text} ({source})"


def _noise(report: dict[str, Any]) -> Iterator[str]:
    planes = " (each pixel has its own)" if report["variance"] else ""
    for band, sky in report["sky"].items():
        level, noise = (
            "?" if sky[key] is None else f"{sky[key]:.3g}" for key in ("level", "noise")
        )
        yield f"{band} {noise} on a sky of {level}{planes}"


def _planes(planes: list[dict[str, Any]]) -> Iterator[str]:
    """A line each; the tables of a file in one."""
    tables = [plane for plane in planes if plane["role"] == "table"]
    rows = [
        (f"{plane['hdu']} {plane['name']}", _role(plane), plane["why"])
        for plane in planes
        if plane["role"] != "table"
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, role, why in rows:
        reason = f"  ({why})" if why else ""
        yield f"{name:{widths[0]}}  {role:{widths[1]}}{reason}".rstrip()
    if tables:
        numbers = ", ".join(str(plane["hdu"]) for plane in tables)
        yield f"{numbers}  table{'s' * (len(tables) > 1)}, copied"


def _role(plane: dict[str, Any]) -> str:
    return plane["role"] if plane["role"] == "header" else f"{plane['role']}, {plane['use']}"

"""info: what would be read of a file, and which model would be taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import options
from pellucid.errors import InputError, PellucidError, TemporaryError, naming, printable

if TYPE_CHECKING:
    from pellucid.sky import SkyImage

#: Width of the headings.
_MARGIN = 12


def info(
    inputs: Annotated[
        list[Path], typer.Argument(help="FITS or pictures, each by itself, or folders.")
    ],
    together: Annotated[
        bool, typer.Option("--together", help="Read them as one image, as restore does.")
    ] = False,
    pixel_scale: options.PixelScale = None,
    bands: options.Bands = None,
    hdu: options.Hdu = None,
    bad_bits: options.BadBits = None,
    psf: options.Psf = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell what would be read of each file, and which model would restore it."""
    from pellucid.restoration.describe import describe_image
    from pellucid.sources.stated import stated_psf, with_checked_psf

    told, errors = [], []
    folders = {path for path in inputs if path.is_dir()}
    named = [_inside(path, together) if path in folders else [path] for path in inputs]
    each = [path for paths in named for path in paths]
    groups = [each] if together else [[path] for path in each]
    for paths in groups:
        try:
            image = options.read(paths, hdu, bands, pixel_scale, bad_bits)
            with naming(paths[0]):
                stated = stated_psf(psf, image)
                image = with_checked_psf(image, stated)
                found = describe_image(image, stated)
            # A picture has no layout.
            planes = _told_planes(image, paths, hdu) if image.layout else []
        except TemporaryError:
            raise
        except PellucidError as error:
            errors.append(error)
            options.say(str(error))
            continue
        files = [str(path) for path in paths]
        report = {"file": ", ".join(files), "files": files, **found, "planes": planes}
        told.append(report)
        if not as_json and not together and paths[0].parent in folders:
            rows = {heading: words[0] for heading, words in _entries(report) if words}
            said = f"{rows['image']}; psf {rows['psf']}; no data {rows['no data']}"
            typer.echo(printable(f"{report['file']}: {said}"))
        elif not as_json:
            typer.echo(
                printable("\n".join(_lines(report))) + ("\n" if paths is not groups[-1] else "")
            )
    if as_json:
        options.print_json(told)
    if errors and told:
        raise typer.Exit(1)
    if errors:
        codes = {error.exit_code for error in errors}
        raise typer.Exit(codes.pop() if len(codes) == 1 else InputError.exit_code)


def _inside(folder: Path, together: bool) -> list[Path]:
    """The images in a folder; ``together``, with the masks and errors that lie beside them."""
    from pellucid.data.names import is_image_name
    from pellucid.fits import role_of_file, roles_beside

    files = sorted(path for path in folder.iterdir() if is_image_name(path))
    if not files:
        raise InputError(f"{folder}: holds no FITS file; {_instead(folder)}")
    beside = roles_beside(files)
    images = [path for path in files if path not in beside and role_of_file(path) is None]
    if together or not images:
        return files
    if len(images) < len(files):
        count = len(files) - len(images)
        options.say(f"{folder}: {count} masks, errors, PSFs and their like by their names")
    return images


def _instead(folder: Path) -> str:
    """What helps where a folder has no FITS of its own."""
    if (folder / "bundle.onnx").exists():
        return f"`pellucid models {folder}` tells what was trained there"
    if any(path.is_dir() for path in folder.iterdir()):
        return "folders in it are not searched: name one of them, or files"
    return "name files, or another folder"


def _told_planes(image: SkyImage, paths: list[Path], hdu: str | None) -> list[dict[str, Any]]:
    """What `describe_planes` says of the files that are read as one; of several, with their names.

    Where several hold bands, one file is made of them: their HDUs without pixels are joined.
    """
    from pellucid.fits import roles_together
    from pellucid.restoration.describe import describe_planes

    roles = roles_together(paths, options.hdu_choice(hdu))
    images = {path: planes for path, planes in roles.items() if "band" in {p.use for p in planes}}
    several = len(images) > 1
    flat = [
        (path.name, plane)
        for path, planes in images.items()
        for plane in planes
        if not (several and plane.role == "header")
    ]
    layout = replace(image.layout, parts=image.layout.parts[1:] if several else image.layout.parts)
    told = describe_planes(replace(image, layout=layout), [plane for _, plane in flat])
    if len(roles) == 1:
        return told
    rows = [{"file": name, **row} for (name, _), row in zip(flat, told, strict=True)]
    for path, (plane, *_) in roles.items():
        if path not in images:
            row = {"file": path.name, "hdu": plane.hdu.number, "name": ""}
            row |= {"shape": list(plane.hdu.stored), "role": plane.role}
            rows.append({**row, "use": "read", "why": plane.why})
    return rows


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
    yield "no data", [_no_data(report)]
    if report["planes"]:
        yield "planes", list(_planes(report["planes"]))
    model, why = report["model"], report["why"]
    yield "model", [f"{model}: {why}" if model else why]
    if report["target"]:
        target = report["target"]
        yield "target", [f'FWHM {target["fwhm"]:.2f}" in pixels of {target["pixel_scale"]:.4g}"']
    # What was read as what stands in the planes' lines.
    read = tuple(f"{Path(path).name}: read " for path in report["files"])
    notes = [note for note in report["notes"] if not note.startswith(read)]
    if notes:
        yield "notes", notes


def _no_data(report: dict[str, Any]) -> str:
    """The share of the pixels, one for all bands where they agree."""
    shares = {band: f"{100 * part:.2g} %" for band, part in report["no_data_bands"].items()}
    if not report["no_data"]:
        return "none"
    if len(set(shares.values())) == 1:
        return next(iter(shares.values()))
    return ", ".join(f"{band} {share}" for band, share in shares.items())


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
        return f"not stated; --psf stars would take about {text}, from {psf['origin']}"
    source = {"stated": psf["origin"], "file": f"in the file, {psf['origin']}",
              "header": "by the header"}[psf["from"]]  # fmt: skip
    return f"FWHM {text} ({source})"


def _noise(report: dict[str, Any]) -> Iterator[str]:
    for band, sky in report["sky"].items():
        level, measured, plane = (
            "?" if sky[key] is None else f"{sky[key]:.3g}" for key in ("level", "measured", "plane")
        )
        stated = f"; its plane states {plane} (median)" if report["variance"] else ""
        yield f"{band} {measured} on a sky of {level}, as measured{stated}"


def _planes(planes: list[dict[str, Any]]) -> Iterator[str]:
    """A line each; the tables of a file in one."""
    tables = [plane for plane in planes if plane["role"] == "table"]
    rows = [
        (f"{_place(plane)} {plane['name']}".rstrip(), _role(plane), plane["why"])
        for plane in planes
        if plane["role"] != "table"
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, role, why in rows:
        reason = f"  ({why})" if why else ""
        yield f"{name:{widths[0]}}  {role:{widths[1]}}{reason}".rstrip()
    if tables:
        numbers = ", ".join(_place(plane) for plane in tables)
        yield f"{numbers}  table{'s' * (len(tables) > 1)}, copied"


def _role(plane: dict[str, Any]) -> str:
    return plane["role"] if plane["role"] == "header" else f"{plane['role']}, {plane['use']}"


def _place(plane: dict[str, Any]) -> str:
    return f"{plane['file']}[{plane['hdu']}]" if "file" in plane else str(plane["hdu"])

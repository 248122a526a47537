"""One of many images: restored, written, and told of in a row of the run's table."""

from __future__ import annotations

import hashlib
import os
import shlex
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.batch.item import Item
from pellucid.batch.journal import Row, note_rows
from pellucid.batch.notes import notes_of
from pellucid.batch.request import Request, Stated, opened, restorer_of
from pellucid.errors import InputError, PellucidError, TemporaryError, naming, reason_of
from pellucid.files import make_folder
from pellucid.optics import known_psf
from pellucid.restoration.files import write_image
from pellucid.restoration.result import Restoration
from pellucid.sky import PSF, SkyImage, robust_background, sky_of


def restore_item(folder: Path, request: Request, item: Item) -> None:
    """Restore an image into the run's folder and write its row into the journal.

    Raises
    ------
    PellucidError
        When it failed: its row says so, and no other image suffers.
    TemporaryError
        When its file cannot be written, which the others' could not either.
    """
    row, failed = attempt_item(item, request, partial(_written, folder, item))
    note_rows(folder, [row])
    if failed:
        raise failed


def attempt_item(
    item: Item, request: Request, put: Callable[[Restoration, Sequence[str]], Row]
) -> tuple[Row, PellucidError | None]:
    """The row of an image that was restored and ``put`` where it belongs, or why it was not.

    Parameters
    ----------
    put
        Writes a restoration, with lines of its history, and tells where and its checksum.
    """
    started = time.perf_counter()
    row: Row = {"id": item.name, "input": list(item.files)}
    if item.cut is not None:
        row |= {"ra": _number(item.cut.ra), "dec": _number(item.cut.dec)}
    failed = None
    try:
        restored, facts, history = _restored(item, request)
        row |= {**put(restored, history), **facts}
    except PellucidError as error:
        if isinstance(error, TemporaryError):
            raise
        failed = error
    except Exception as error:  # of writing: the machine's doing is raised, the rest is this one's
        failed = PellucidError(f"{item.said}: {reason_of(error)}")
    row["seconds"] = round(time.perf_counter() - started, 4)
    return row | {"state": "failed" if failed else "done", "reason": str(failed or "")}, failed


def _restored(item: Item, request: Request) -> tuple[Restoration, dict[str, Any], Sequence[str]]:
    """The restoration, what the table and its history tell; whatever goes wrong is its own."""
    try:
        if item.fault:
            raise InputError(f"{item.said}: {item.fault}")
        (image, stated), history = _opened(item, request)
        with naming(item.said):
            result = restorer_of(request)(image, *stated)
        return result, _facts(image, stated, result), [_command(item, request), *history]
    except Exception as error:  # a fault of ours or of a library, too: the others go on
        raise _failure(item, error) from error


def _opened(item: Item, request: Request) -> tuple[tuple[SkyImage, Stated], Sequence[str]]:
    """The image of an item, and what its history tells of where it is from."""
    if item.cut is None:
        return opened(item.files, request), ()
    from pellucid.batch.catalogue import cut_files

    with cut_files(item, request.hdu) as (files, told):
        return opened(files, request), told


def _written(folder: Path, item: Item, restored: Restoration, history: Sequence[str]) -> Row:
    target = folder / item.output
    make_folder(target.parent)
    write_image(restored, target, overwrite=True, history=history)
    return {"output": item.output, "sha256": hashlib.sha256(target.read_bytes()).hexdigest()}


def _facts(image: SkyImage, stated: Stated, result: Restoration) -> dict[str, Any]:
    """What the table tells of a restoration; noise and flux a band, in the image's unit."""
    told = result.provenance
    noise = [sky_of(image.of_bands([k])).sigma for k in range(len(image.bands))]
    flux = np.where(result.image.holes, np.nan, result.image.flux)
    above = flux - robust_background(flux).sky[:, None, None]
    total = [float(np.nansum(plane, dtype=np.float64)) for plane in above]
    return {
        "model": told.get("model") or told.get("method"),
        "bands": list(image.bands),
        "psf_fwhm": _psf_fwhm(image, stated, told),
        "noise": [_plain(value) for value in noise],
        "flux": [_plain(value) for value in total],
        "doubt": told.get("doubted"),
        "unlike": told.get("unlike"),
        "chi2": told.get("chi2"),
        "notes": notes_of(image, result),
    }


def _psf_fwhm(image: SkyImage, stated: Stated, told: dict[str, Any]) -> float | None:
    """FWHM in arcsec of what a star looked like, as far as that was known."""
    psf = stated[1] if stated[1] is not None else known_psf(image)
    fwhm = psf.fwhm if isinstance(psf, PSF) else psf
    return told.get("psf_fwhm") if fwhm is None else round(fwhm, 4)


def _plain(value: float) -> float | None:
    """Six digits, and None for what is no number, as JSON has it."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _number(value: float) -> float | None:
    """A number as it is, and None for what is none."""
    return value if np.isfinite(value) else None


def _command(item: Item, request: Request) -> str:
    """What would write this file by itself: the same in every run, wherever it is done."""
    names = [Path(os.path.abspath(file)).name for file in item.files]
    options = [word for pair in request.words().items() for word in pair if word]
    output = Path(item.output).name
    if item.cut is not None:
        images = [word for name in names for word in ("--image", name)]
        names = ["--catalogue", item.cut.catalogue, *images, "--size", str(item.cut.size)]
        if item.cut.id_column != "id":
            names += ["--id-column", item.cut.id_column]
        output = os.curdir
    return shlex.join(["pellucid", "restore", *names, *options, "--output", output])


def _failure(item: Item, error: Exception) -> PellucidError:
    """What is said of an image that failed: one line that names a file of it.

    What the machine has against reading one image, or its size, stops no other.
    """
    if isinstance(error, MemoryError):
        text = "not enough memory for this image"
    elif isinstance(error, OSError):
        text = error.strerror or str(error)
    else:
        text = reason_of(InputError(str(error)) if isinstance(error, PellucidError) else error)
    named = item.said in text or (item.cut is None and any(file in text for file in item.files))
    return InputError(" ".join((text if named else f"{item.said}: {text}").split()))

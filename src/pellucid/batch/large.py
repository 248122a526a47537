"""One image that is too large to be in memory, restored from file to file."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.batch.kept import Kept, kept, left_of, seen_of
from pellucid.batch.request import Request, Stated, load, stated_of
from pellucid.errors import naming
from pellucid.fits import (
    FieldFiles,
    FilePlanes,
    Whole,
    check_field_target,
    open_field,
    pixels_of,
    write_field,
)
from pellucid.memory import give_back_at_once
from pellucid.optics.own_psf import psf_of_file, with_own_psf
from pellucid.restoration import pieces as in_pieces
from pellucid.restoration.field_sky import measured_sky
from pellucid.restoration.pieces import PieceRestorer, Pieces, fill
from pellucid.restoration.restorer import FittingRestorer
from pellucid.restoration.result import Restoration, restoration_cards, restoration_history
from pellucid.sky import SkyImage
from pellucid.sky.field import middle_image
from pellucid.version import __version__

#: What the planes of a restoration are called in a file.
NAMES = {
    "flux": "flux",
    "uncertainty": "UNCERT",
    "range_95": "RANGE95",
    "doubt": "DOUBT",
    "chi2": "CHI2",
    "variance": "INPUT_VARIANCE",
    "mask": "MASK",
}
#: No file holds more pixels a byte.
DENSE = 20
#: Ends of names that files which are not FITS have.
_OTHERS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".xisf")
#: Side in pixels of the part on which stars and noise are looked at.
LOOKED_AT = 2048


@dataclass(frozen=True)
class Called:
    """Planes of a file by the names that pieces have for them."""

    planes: FilePlanes

    def put(self, name: str, rows: slice, columns: slice, values: NDArray[Any]) -> None:
        self.planes.put(NAMES[name], rows, columns, values)

    def get(self, name: str, rows: slice, columns: slice) -> NDArray[np.float32]:
        return self.planes.get(NAMES[name], rows, columns)


def is_large_file(files: Sequence[str | PathLike[str]], request: Request) -> bool:
    """Whether files hold an image that is to be restored piece by piece."""
    if request.samples or any(Path(file).suffix.lower() in _OTHERS for file in files):
        return False
    # Most are far too small, which need not be opened for it.
    if all(Path(f).exists() and DENSE * Path(f).stat().st_size < in_pieces.LARGE for f in files):
        return False
    return pixels_of(*files, hdu=request.hdu) > in_pieces.LARGE


def restore_large(
    files: Sequence[str | PathLike[str]],
    output: str | PathLike[str],
    request: Request,
    overwrite: bool = False,
    history: Sequence[str] = (),
    tell: Callable[[str], None] = lambda note: None,
    resume: bool = False,
) -> tuple[Restoration, SkyImage]:
    """Restore an image into a FITS file, piece by piece.

    Parameters
    ----------
    tell
        Is told what was guessed, before the work.
    resume
        Keep what is done beside the output where the work ends early, and go on with it.

    Returns
    -------
    Restoration
        Without its pixels, which are in the file.
    SkyImage
        What was read, without its pixels.

    Raises
    ------
    Whole
        When it has to be restored whole, in memory.
    """
    check_field_target(output, overwrite)
    asked = request
    with open_field(
        *files,
        hdu=asked.hdu,
        bands=asked.bands,
        pixel_scale=asked.pixel_scale,
        bad_bits=asked.bad_bits,
    ) as opened:
        with naming(files[0]):
            field, stated = _with_psf(opened, files, request)
            restorer, said = _restorer(field, stated, request)
            notes = [*field.frame.notes, *said]
            for note in notes:
                tell(note)
            sky = measured_sky(field)
            pieces = restorer.pieces(field, sky, *stated)
        give_back_at_once()
        frame = pieces.frame(field.frame)
        # In other pixels a variance would say less than it does in its own.
        others = ("mask",) if pieces.finer > 1 else ("variance", "mask")
        beside = [name for name in others if getattr(frame, name) is not None]
        names = [NAMES[name] for name in (*pieces.names, *beside)]
        done = []

        def put(
            planes: FilePlanes, steps: Kept | None = None
        ) -> tuple[Mapping[str, Any], Sequence[str]]:
            if steps is not None:
                steps.descriptor = planes.descriptor
            with naming(files[0]):
                facts = fill(pieces, field, sky, Called(planes), beside, steps)
                facts["notes"] = [*said, *facts["notes"]]
                done.append(Restoration(frame, provenance=facts))
            lines = [*history, *restoration_history(done[0])]
            return restoration_cards(done[0]), lines

        psf = psf_of_file(frame, frame.psf) if frame.psf is not None else None
        if not resume:
            if left := left_of(Path(output)):
                tell(f"{left} is what an earlier run left of it; --resume goes on with that")
            write_field(frame, output, names, put, overwrite, psf)
        else:
            with kept(Path(output), _work(files, request, pieces, names)) as (part, steps):
                if count := sum(map(str.isdigit, steps)):
                    tell(f"goes on with {part}: {count} of its pieces were done before")
                write_field(frame, output, names, partial(put, steps=steps), overwrite, psf, part)
    return done[0], replace(field.frame, notes=tuple(notes))


def _work(
    files: Sequence[str | PathLike[str]], request: Request, pieces: Pieces, names: Sequence[str]
) -> dict[str, str]:
    """All that the pixels of a piece depend on, in words."""
    words = request.words()
    return {
        "files": seen_of([*files, *words.values()]),
        "options": shlex.join(word for pair in words.items() for word in pair if word),
        "pieces": f"{pieces.core} + {pieces.halo} pixels of {' '.join(names)}",
        "version of pellucid": __version__,
    }


def _with_psf(
    opened: FieldFiles, files: Sequence[str | PathLike[str]], request: Request
) -> tuple[FieldFiles, Stated]:
    """The field with its own PSF, and what is stated of its blur, as its middle shows it."""
    frame = opened.frame
    if len(files) == 1:
        frame = with_own_psf(frame, files[0])
    middle = middle_image(replace(opened, frame=frame), LOOKED_AT)
    sample, stated = stated_of(middle, request, frame)
    return replace(opened, frame=replace(frame, notes=sample.notes)), stated


def _restorer(
    field: FieldFiles, stated: Stated, request: Request
) -> tuple[PieceRestorer, list[str]]:
    restorer, said = load(request), []
    if isinstance(restorer, FittingRestorer):
        restorer, taken = restorer.fitting(middle_image(field, LOOKED_AT), *stated)
        said = [taken]
    can = getattr(restorer, "by_pieces", None)
    if can is None or not can(field.frame):
        raise Whole(f"{restorer.name} works on the whole of an image")
    return restorer, said  # type: ignore[return-value]

"""The corrected frames of SDSS: each is downloaded once, checked, and kept while it is needed."""

from __future__ import annotations

import bz2
import io
from pathlib import Path

from pellucid.archives.bring import RejectedError
from pellucid.archives.http import (
    ArchiveError,
    Client,
    MissingError,
    answer,
    body_of,
    insist,
    name_of,
)
from pellucid.archives.sdss.sample import Field
from pellucid.errors import InputError, PellucidError, one_line, refusal
from pellucid.files import make_folder, write_content
from pellucid.fits import check_sums, read_image, text_card
from pellucid.sky.image import SkyImage, is_nanomaggy

#: Where the corrected frames of the survey's last imaging lie.
FRAMES = "https://data.sdss.org/sas/dr12/boss/photoObj/frames"
#: A frame of 2048 × 1489 pixels takes 13 MB; what expands far beyond that is none.
_MAX_FRAME = 2**28


class FieldFrames:
    """The frames of a field and its neighbours: each is downloaded and read once, or fails once.

    They lie in ``folder`` meanwhile, where an interrupted run finds them again; ``answers`` has
    those that were asked for, by step along the scan and band.
    """

    def __init__(self, client: Client, folder: Path, field: Field) -> None:
        self.client, self.folder, self.field = client, folder, field
        self.answers: dict[tuple[int, str], SkyImage | PellucidError] = {}

    def frame(self, step: int, band: str) -> SkyImage:
        """The frame of the field so many steps along the scan."""
        if (step, band) not in self.answers:
            field = self.field._replace(number=self.field.number + step)
            try:
                self.answers[step, band] = insist(self.client, lambda: self._obtain(field, band))
            except MissingError as error:
                reason = f"the scan has no field {field.number}, where it continues"
                self.answers[step, band] = RejectedError(reason) if step else error
            except ArchiveError as error:
                self.answers[step, band] = error
        held = self.answers[step, band]
        if isinstance(held, PellucidError):
            raise held
        return held

    def _obtain(self, field: Field, band: str) -> SkyImage:
        # No name of a FITS file: the folder of an interrupted run must not look like an object.
        path = self.folder / f"{band}-{field.run}-{field.rerun}-{field.camcol}-{field.number}.frame"
        if not path.exists():
            make_folder(self.folder)
            write_content(path, download_frame(self.client, field, band))
        try:
            return read_frame(path, band)
        except InputError as error:
            path.unlink()
            raise ArchiveError(str(error)) from error


def clear_frames(folder: Path) -> None:
    """Delete the frames of a folder, those that a killed run left half-written, and the folder."""
    if folder.is_dir():
        for path in folder.glob("*.frame*"):
            path.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()


def download_frame(client: Client, field: Field, band: str) -> bytes:
    """The corrected frame of a field in one band as the bytes of a FITS file.

    Raises
    ------
    MissingError
        When the archive has no such frame.
    ArchiveError
        When it cannot be reached, or when what arrives is cut off, damaged or no bzip2 file.
    """
    run, rerun, camcol, number = field
    place = f"{FRAMES}/{rerun}/{run}/{camcol}"
    url = f"{place}/frame-{band}-{run:06d}-{camcol}-{number:04d}.fits.bz2"
    name = name_of(url)
    with answer(client, url) as response:
        packed = body_of(response)
    try:
        with bz2.open(io.BytesIO(packed)) as stream:
            data = stream.read(_MAX_FRAME + 1)
    except (OSError, EOFError) as error:
        raise ArchiveError(f"{name}: arrived damaged ({one_line(error)}); try again") from error
    if len(data) > _MAX_FRAME:
        raise ArchiveError(f"{name}: expands beyond any frame; try again")
    return data


def read_frame(path: Path, band: str) -> SkyImage:
    """A frame, or a window of one: one band, nanomaggies, with its WCS; else refused."""
    check_sums(path)
    frame = read_image(path, bands=(band,))
    assert frame.header is not None
    if (written := text_card(frame.header, "FILTER")) not in ("", band):
        fault = f"shows band {written}, not {band}"
    elif not is_nanomaggy(frame.unit):
        fault = f"is in {frame.unit}, not in nanomaggies"
    elif frame.wcs is None:
        fault = "has no celestial WCS"
    else:
        return frame
    raise refusal(path, fault, "fetch it again")

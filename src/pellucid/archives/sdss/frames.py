"""The corrected frames of SDSS: each is downloaded once, checked, and kept while it is needed."""

from __future__ import annotations

from pathlib import Path

from pellucid.archives.http import (
    ArchiveError,
    MissingError,
    Patience,
    answer,
    chunks,
    name_of,
    patiently,
)
from pellucid.archives.sdss.query import RELEASE, Field
from pellucid.errors import InputError, PellucidError, one_line
from pellucid.files import make_folder, write_content
from pellucid.fits import check_sums, read_image, text_card
from pellucid.sky.image import SkyImage, is_nanomaggy

#: A frame of 2048 × 1489 pixels takes 13 MB; what expands far beyond that is none.
_MAX_FRAME = 2**28


class RejectedError(InputError):
    """The survey does not show the whole window: trying again cannot help."""


class FieldFrames:
    """The frames of a field and its neighbours: each is downloaded and read once, or fails once.

    They lie in ``folder`` meanwhile, where an interrupted run finds them again.
    """

    def __init__(self, folder: Path, field: Field, patience: Patience) -> None:
        self.folder, self.field, self.patience = folder, field, patience
        self._held: dict[tuple[int, str], SkyImage | PellucidError] = {}

    def frame(self, step: int, band: str) -> SkyImage:
        """The frame of the field so many steps along the scan."""
        if (step, band) not in self._held:
            field = self.field._replace(number=self.field.number + step)
            try:
                self._held[step, band] = patiently(lambda: self._obtain(field, band), self.patience)
            except MissingError as error:
                reason = f"the scan has no field {field.number}, where it continues"
                self._held[step, band] = RejectedError(reason) if step else error
            except ArchiveError as error:
                self._held[step, band] = error
        held = self._held[step, band]
        if isinstance(held, PellucidError):
            raise held
        return held

    def _obtain(self, field: Field, band: str) -> SkyImage:
        # No name of a FITS file: the folder of an interrupted run must not look like an object.
        path = self.folder / f"{band}-{field.run}-{field.rerun}-{field.camcol}-{field.number}.frame"
        if not path.exists():
            make_folder(self.folder)
            data = download_frame(field, band)
            write_content(path, data)
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


def download_frame(field: Field, band: str) -> bytes:
    """The corrected frame of a field in one band as the bytes of a FITS file.

    The address is astroquery's; the download is not, because `SDSS.get_images` leaves a copy of
    every frame among the temporary files (astroquery 0.4.11 with astropy 7).

    Raises
    ------
    MissingError
        When the archive has no such frame.
    ArchiveError
        When it cannot be reached, or when what arrives is cut off, damaged or no bzip2 file.
    """
    import bz2
    import io

    from astroquery.sdss import SDSS, conf

    run, rerun, camcol, number = field
    url = SDSS.IMAGING_URL_SUFFIX.format(
        base=conf.sas_baseurl, dr=RELEASE, instrument="boss", rerun=rerun, run=run,
        camcol=camcol, field=number, band=band,
    )  # fmt: skip
    name = name_of(url)
    with answer(url) as response:
        packed = b"".join(chunks(url, response))
    try:
        with bz2.open(io.BytesIO(packed)) as stream:
            data = stream.read(_MAX_FRAME + 1)
    except (OSError, EOFError) as error:
        raise ArchiveError(f"{name}: arrived damaged ({one_line(error)}); try again") from error
    if len(data) > _MAX_FRAME:
        raise ArchiveError(f"{name}: expands beyond any frame; try again")
    return data


def read_frame(path: Path, band: str) -> SkyImage:
    """A frame on disk: one band, nanomaggies, with its WCS.

    Raises
    ------
    InputError
        When it is damaged, or no frame of that band.
    """
    check_sums(path)
    frame = read_image(path, bands=(band,))
    assert frame.header is not None
    written = text_card(frame.header, "FILTER")
    if written not in ("", band):
        raise InputError(f"{path}: shows band {written}, not {band}; fetch it again")
    if not is_nanomaggy(frame.unit):
        raise InputError(f"{path}: is in {frame.unit}, not in nanomaggies; fetch it again")
    if frame.wcs is None:
        raise InputError(f"{path}: has no celestial WCS; fetch it again")
    return frame

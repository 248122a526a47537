"""A folder that fills with the galaxies of a sample, field by field, and goes on where it stopped.

A galaxy is there once its three files stand the check.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from pellucid.archives.http import ArchiveError, Outcome, Patience, Silence, UnreachableError
from pellucid.archives.sdss.cutouts import (
    BANDS,
    REFERENCE,
    check_cutouts,
    cut_window,
    middle,
    write_cutouts,
)
from pellucid.archives.sdss.frames import FieldFrames, RejectedError, clear_frames
from pellucid.archives.sdss.query import Galaxy
from pellucid.archives.sdss.tables import Sample
from pellucid.errors import InputError
from pellucid.sky.image import SkyImage


def fetch_objects(sample: Sample, size: int, patience: Patience) -> Iterator[Outcome]:
    """Bring the galaxies of a sample into its folder, field by field.

    Parameters
    ----------
    sample
        From `open_sample`; gains the reasons of the galaxies that are rejected.
    size
        Pixels a side.
    patience
        For each frame.

    Raises
    ------
    TemporaryError
        When the disk is full, or when the archive does not answer at all any more.
    """
    frames = sample.folder / ".frames"
    silence = Silence()
    ordered = sorted(sample.galaxies, key=lambda galaxy: (galaxy.field, int(galaxy.id)))
    for field, group in groupby(ordered, key=lambda galaxy: galaxy.field):
        held = FieldFrames(frames, field, patience)
        wanted: list[Galaxy] = []
        for galaxy in group:
            if _is_there(sample.folder, galaxy, size):
                yield Outcome(galaxy.id, "present")
            else:
                wanted.append(galaxy)
        if not wanted:
            continue
        reasons = len(sample.rejected)
        unanswered: list[str] = []
        for galaxy in wanted:
            try:
                _fetch(sample.folder, galaxy, size, held)
                yield Outcome(galaxy.id, "fetched")
            except RejectedError as error:
                sample.rejected[galaxy.id] = str(error)
                yield Outcome(galaxy.id, "rejected", str(error))
            except (ArchiveError, InputError) as error:
                if isinstance(error, UnreachableError):
                    unanswered.append(str(error))
                yield Outcome(galaxy.id, "failed", str(error))
        clear_frames(frames)
        if len(sample.rejected) > reasons:
            sample.save()
        silence.note(unanswered[-1] if len(unanswered) == len(wanted) else "")
    clear_frames(frames)
    silence.end()


def _fetch(folder: Path, galaxy: Galaxy, size: int, frames: FieldFrames) -> None:
    def cut(band: str, ra: float, dec: float) -> SkyImage:
        return cut_window(lambda step: frames.frame(step, band), ra, dec, size)

    reference = cut(REFERENCE, galaxy.ra, galaxy.dec)
    # The others follow its pixels, not the object: half a pixel between bands at most.
    ra, dec = middle(reference)
    others = {band: cut(band, ra, dec) for band in BANDS if band != REFERENCE}
    write_cutouts(folder, galaxy, {REFERENCE: reference, **others})
    check_cutouts(folder, galaxy, size)


def _is_there(folder: Path, galaxy: Galaxy, size: int) -> bool:
    try:
        check_cutouts(folder, galaxy, size)
    except InputError:
        return False
    return True

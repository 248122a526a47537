"""A folder that fills with the galaxies of a sample, field by field, and goes on where it stopped.

A galaxy is there once its three files stand the check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path

from pellucid.archives.bring import Fetched, bring_each
from pellucid.archives.http import Client
from pellucid.archives.sdss.cutouts import (
    BANDS,
    REFERENCE,
    check_cutouts,
    cut_window,
    sky_of,
    write_cutouts,
)
from pellucid.archives.sdss.frames import FieldFrames, clear_frames
from pellucid.archives.sdss.sample import Listing, SdssGalaxy
from pellucid.errors import InputError
from pellucid.sky.image import SkyImage


def fetch_objects(client: Client, listing: Listing, size: int) -> Iterator[Fetched]:
    """Bring the galaxies of a listing into its folder, cut to ``size`` pixels a side.

    The listing gains the reasons of the galaxies that are rejected.

    Raises
    ------
    TemporaryError
        When the disk is full, or when the archive does not answer at all any more.
    """
    for fetched in bring_each(_fields(client, listing, size)):
        if fetched.status == "rejected":
            listing.rejected[fetched.id] = fetched.reason
        yield fetched


def _fields(client: Client, listing: Listing, size: int) -> Iterator[dict[str, Callable[[], bool]]]:
    """What brings the galaxies of a field, field after field."""
    frames = listing.folder / ".frames"
    ordered = sorted(listing.galaxies, key=lambda galaxy: (galaxy.shown_in, int(galaxy.id)))
    for field, galaxies in groupby(ordered, key=lambda galaxy: galaxy.shown_in):
        held = FieldFrames(client, frames, field)
        known = len(listing.rejected)
        bring = partial(_bring, listing.folder, size, held)
        yield {galaxy.id: partial(bring, galaxy) for galaxy in galaxies}
        if held.answers:  # else they may be of a later field, from a run that was interrupted
            clear_frames(frames)
        if len(listing.rejected) > known:
            listing.save()
    clear_frames(frames)


def _bring(folder: Path, size: int, frames: FieldFrames, galaxy: SdssGalaxy) -> bool:
    """Cut a galaxy out of its frames; whether it was not there."""
    try:
        check_cutouts(folder, galaxy, size)
        return False
    except InputError:
        pass

    def cut(band: str, ra: float, dec: float) -> SkyImage:
        return cut_window(lambda step: frames.frame(step, band), ra, dec, size)

    reference = cut(REFERENCE, galaxy.ra, galaxy.dec)
    # The others follow its pixels, not the object: half a pixel between bands at most.
    ra, dec = sky_of(reference, 0.5 * (size - 1), 0.5 * (size - 1))
    others = {band: cut(band, ra, dec) for band in BANDS if band != REFERENCE}
    write_cutouts(folder, galaxy, {REFERENCE: reference, **others})
    check_cutouts(folder, galaxy, size)
    return True

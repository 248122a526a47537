"""The galaxies of a field: found in the blurred image as a survey would, stars left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.data.mosaics.cutouts import Source
from pellucid.data.mosaics.mosaic import Mosaic
from pellucid.data.mosaics.segments import r90, segment
from pellucid.data.mosaics.tile import Tile
from pellucid.data.rejection import Rejection
from pellucid.errors import InputError
from pellucid.studies.seeinggan.fields import distances

#: A field named so was taken around a quasar, which lies within so many arcsec of its middle.
QUASAR, QUASAR_WITHIN = "qso", 1.5
#: Sources of two fields that are nearer than this (arcsec) are one.
SAME = 0.5


@dataclass(frozen=True)
class Found:
    """A galaxy, with its R90 in the blurred image, its field's name and AB magnitude there."""

    source: Source
    field: str
    magnitude: float


def find_galaxies(tile: Tile, blurred: Mosaic, faintest: float) -> Iterator[Found | Rejection]:
    """The sources of a field that are no fainter than ``faintest`` (AB), without its quasar."""
    name = tile.path.stem
    flux = tile.read(slice(0, tile.shape[0]), slice(0, tile.shape[1]))
    try:
        scene = segment(flux)
    except InputError as error:
        yield Rejection(name, str(error))
        return
    assert blurred.zero_point is not None
    middle = 0.5 * (np.array(tile.shape) - 1.0)
    for label, place in enumerate(scene.places, 1):
        light = float(scene.flux[scene.labels == label].sum())
        if not light > 0:
            continue
        magnitude = blurred.zero_point - 2.5 * np.log10(light)
        if magnitude > faintest:
            continue
        sky = tile.wcs.pixel_to_world(place[1], place[0])
        ra, dec = float(sky.ra.deg), float(sky.dec.deg)
        identity = f"{name}-{round(place[0]):03d}-{round(place[1]):03d}"
        away = np.abs(place - middle) * blurred.pixel_scale
        if name.startswith(QUASAR) and np.hypot(*away) < QUASAR_WITHIN:
            yield Rejection(identity, "the quasar")
            continue
        try:
            radius = r90(scene, label) * blurred.pixel_scale
        except InputError as error:
            yield Rejection(identity, str(error))
            continue
        if name.startswith(QUASAR) and away.max() < radius + QUASAR_WITHIN / 2:
            yield Rejection(identity, "the quasar is in its window")
            continue
        yield Found(Source(identity, ra, dec, radius), name, float(magnitude))


def once(galaxies: Sequence[Found]) -> tuple[list[Found], list[Rejection]]:
    """Each galaxy one time: fields may share sky."""
    places = np.reshape([(some.source.ra, some.source.dec) for some in galaxies], (-1, 2))
    same = distances(*places.T) < SAME
    kept: list[int] = []
    left_out: list[Rejection] = []
    for place, galaxy in enumerate(galaxies):
        twin = next((other for other in kept if same[place, other]), None)
        if twin is None:
            kept.append(place)
        else:
            reason = f"the same as {galaxies[twin].source.id}"
            left_out.append(Rejection(galaxy.source.id, reason))
    return [galaxies[place] for place in kept], left_out

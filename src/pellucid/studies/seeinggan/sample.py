"""The study's pairs: real galaxies on the paper's grid, and what networks learn from."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from pellucid.data.mosaics.cutouts import CutRecipe, Source, cut_pair
from pellucid.data.mosaics.mosaic import Mosaic
from pellucid.data.mosaics.tile import Tile
from pellucid.data.observed import ObservedPair, ObservedPairs, write_observed
from pellucid.data.pairs import Pairs, open_pairs
from pellucid.data.rejection import Rejection
from pellucid.data.splits import Split, fold_of, validation_mask
from pellucid.errors import InputError, PellucidError
from pellucid.files import write_content
from pellucid.sources import half_light_radius
from pellucid.studies.folder import undamaged
from pellucid.studies.seeinggan.fields import field_files, groups_of, is_calibrated, open_fields
from pellucid.studies.seeinggan.galaxies import Found, find_galaxies, once
from pellucid.studies.seeinggan.preset import Preset
from pellucid.studies.seeinggan.simulated import simulate

#: Files of the study's folder.
FILES = REAL, TUNING, SIMULATED, NOTE = "real.h5", "tuning.h5", "simulated.h5", "sample.json"
#: In the data: a store that `pellucid pairs-observed` made, and galaxies to simulate pairs from.
STORE, GALAXIES = "pairs.h5", "hst_galaxies.npz"
#: Windows that a network is tuned on keep so far (arcsec) from a field's edge.
EDGE = 0.4
DIRECTIONS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]

Part = Literal["learned", "tested"]


@dataclass(frozen=True)
class Taken:
    """A real galaxy that takes part; sizes in arcsec, the magnitude AB in the blurred band."""

    id: str
    part: Part
    magnitude: float | None = None
    r90: float | None = None
    half_light_radius: float | None = None


@dataclass(frozen=True)
class Parts:
    """What takes part, in the order of the store of real pairs, and what does not."""

    galaxies: list[Taken]
    left_out: list[Rejection]

    def places(self, part: Part) -> list[int]:
        """Positions in the store of a part's galaxies."""
        return [place for place, galaxy in enumerate(self.galaxies) if galaxy.part == part]


def prepare_sample(preset: Preset, data: Path, output: Path) -> Parts:
    """Make the study's stores of pairs, or take what an earlier run made."""
    note = output / NOTE
    if note.exists():
        return read_sample(output)
    if (data / STORE).is_file():
        sample = _from_store(preset, data / STORE, output)
    else:
        sample = _from_fields(preset, data, output)
    write_content(note, json.dumps(asdict(sample), indent=1), overwrite=True)
    return sample


def read_sample(output: Path) -> Parts:
    """What `prepare_sample` wrote."""
    note = output / NOTE
    with undamaged(note):
        content = json.loads(note.read_text())
        return Parts(
            [Taken(**fields) for fields in content["galaxies"]],
            [Rejection(**fields) for fields in content["left_out"]],
        )


def real_store(data: Path, output: Path) -> Pairs:
    """The real pairs on the paper's grid."""
    return open_pairs(output / REAL if (output / REAL).exists() else data / STORE)


def training_pairs(preset: Preset, data: Path, output: Path, kind: str) -> tuple[Pairs, Split]:
    """What a stage trains on, and on what it is watched."""
    if kind == "simulated":
        store = open_pairs(output / SIMULATED)
        held = validation_mask([name.rsplit("-", 1)[0] for name in store.ids])
        rule = "simulated pairs of a tenth of the galaxies"
        return store, Split(np.flatnonzero(~held), np.flatnonzero(held), rule)
    if (output / TUNING).exists():
        store = open_pairs(output / TUNING)
        places = np.arange(len(store))
    else:
        store = real_store(data, output)
        places = np.array(read_sample(output).places("learned"))
    if len(places) < 2:
        raise InputError(f"{data}: {len(places)} pair to learn from; one more is needed to watch")
    # The last ones watch; none of them is tested on.
    watching = max(1, len(places) // 10)
    return store, Split(places[:-watching], places[-watching:], "the last tenth of the windows")


def _from_store(preset: Preset, path: Path, output: Path) -> Parts:
    store = open_pairs(path)
    if not isinstance(store, ObservedPairs):
        raise InputError(
            f"{path}: holds no pairs of two telescopes; `pellucid pairs-observed` does"
        )
    if preset.simulation is not None:
        raise InputError(
            f"{path}: preset {preset.name} simulates; give it fields, or another preset"
        )
    side = preset.galaxies.size + 2 * preset.galaxies.margin_pixels()
    shape = store.sharp(0).shape
    if shape != (1, side, side):
        raise InputError(
            f"{path}: holds images of {shape} (bands, height, width), preset "
            f"{preset.name} asks for {(1, side, side)}: galaxies.size with galaxies.margin"
        )
    sample = Parts([Taken(name, _part(name, preset)) for name in store.ids], [])
    _check_parts(sample, path)
    return sample


def _check_parts(sample: Parts, path: Path) -> None:
    for part in ("learned", "tested"):
        if not sample.places(part):
            raise InputError(f"{path}: holds {len(sample.galaxies)} galaxies; none is to be {part}")


def _from_fields(preset: Preset, data: Path, output: Path) -> Parts:
    files = field_files(data, output / "work")
    sharp, blurred = open_fields(files, preset.galaxies.band)
    parts = _parts(blurred, preset)
    known = {tile.path for tile in blurred.tiles if is_calibrated(tile.path)}
    left_out = [
        Rejection(tile.path.stem, "its zero points are unknown")
        for tile in blurred.tiles
        if tile.path not in known
    ]
    everywhere = sharp, blurred
    # A galaxy near the edge of its field may lie in another one, too, that is not calibrated.
    sharp, blurred = (
        replace(mosaic, tiles=tuple(tile for tile in mosaic.tiles if tile.path in known))
        for mosaic in everywhere
    )
    faintest = preset.galaxies.faintest
    seen = [found for tile in blurred.tiles for found in find_galaxies(tile, blurred, faintest)]
    galaxies, again = once([found for found in seen if isinstance(found, Found)])
    left_out += [found for found in seen if isinstance(found, Rejection)] + again
    taken: list[Taken] = []

    def pairs() -> Iterator[ObservedPair]:
        for galaxy in galaxies:
            found = _take(galaxy, sharp, blurred, preset, parts[galaxy.field])
            if isinstance(found, Rejection):
                left_out.append(found)
            else:
                taken.append(found[0])
                yield found[1]

    some = pairs()
    first = next(some, None)
    if first is None:
        why = f" (e.g. {left_out[-1].id}: {left_out[-1].reason})" if left_out else ""
        raise InputError(f"{files[0].parent}: no galaxy of its {len(files)} fields takes part{why}")
    names = [tile.path.name for tile in blurred.tiles]
    provenance = {"files": names, "band": preset.galaxies.band}
    bands = (preset.galaxies.band.lower(),)
    both = itertools.chain([first], some)
    write_observed(output / REAL, both, bands, None, provenance, overwrite=True)
    sample = Parts(taken, left_out)
    _check_parts(sample, files[0].parent)
    if preset.simulation is not None:
        recipe = CutRecipe(preset.simulation.size, pixel_scale=preset.simulation.pixel_scale)
        sources = [
            source
            for tile in sharp.tiles
            if parts[tile.path.stem] == "learned"
            for source in _around_quasar(tile, sharp.pixel_scale, recipe)
        ]
    else:
        # The same galaxies without the margin, of which the sharp image may lack.
        recipe = CutRecipe(preset.galaxies.size)
        ids = {galaxy.id for galaxy in taken if galaxy.part == "learned"}
        sources = [galaxy.source for galaxy in galaxies if galaxy.source.id in ids]
    windows = (_attempt(source, sharp, blurred, recipe) for source in sources)
    good = (window for window in windows if isinstance(window, ObservedPair))
    write_observed(output / TUNING, good, bands, None, provenance, overwrite=True)
    if preset.simulation is not None:
        learned_from = {name for name, part in parts.items() if part == "learned"}
        simulate(preset, data, GALAXIES, output / SIMULATED, everywhere, learned_from)
    return sample


def _take(
    galaxy: Found, sharp: Mosaic, blurred: Mosaic, preset: Preset, part: Part
) -> tuple[Taken, ObservedPair] | Rejection:
    """A galaxy with its pair, or why it does not take part."""
    settings = preset.galaxies
    recipe = CutRecipe(settings.size, margin=settings.margin_pixels())
    pair = _attempt(galaxy.source, sharp, blurred, recipe)
    if isinstance(pair, Rejection):
        return pair
    middle = 0.5 * (pair.sharp.shape[-1] - 1)
    flux = np.nan_to_num(pair.sharp[0])
    radius = pair.pixel_scale * half_light_radius(flux, (middle, middle), 0.5 * settings.size)
    if not radius >= settings.smallest:
        return Rejection(galaxy.source.id, "as small as a star in the sharp image")
    size, magnitude = galaxy.source.r90, round(galaxy.magnitude, 2)
    return Taken(galaxy.source.id, part, magnitude, size, round(radius, 3)), pair


def _attempt(
    source: Source, sharp: Mosaic, blurred: Mosaic, recipe: CutRecipe
) -> ObservedPair | Rejection:
    try:
        return cut_pair(source, sharp, blurred, recipe)
    except PellucidError as error:
        return Rejection(source.id, str(error))


def _around_quasar(tile: Tile, pixel_scale: float, recipe: CutRecipe) -> Iterator[Source]:
    """The eight windows of a field along its edges, which leave out its middle.

    A network is tuned on whatever stands there: more than the galaxies that are bright enough to
    be tested on.
    """
    assert recipe.pixel_scale is not None
    half = 0.5 * recipe.size * recipe.pixel_scale / pixel_scale
    middle = 0.5 * (np.array(tile.shape) - 1.0)
    reach = middle.min() - half - EDGE / pixel_scale
    if reach < half:
        return
    for number, step in enumerate(DIRECTIONS):
        y, x = middle + reach * np.array(step)
        sky = tile.wcs.pixel_to_world(x, y)
        yield Source(f"{tile.path.stem}-{number}", float(sky.ra.deg), float(sky.dec.deg))


def _parts(mosaic: Mosaic, preset: Preset) -> dict[str, Part]:
    """The part of each field; fields that may share sky are in one."""
    names, groups = [tile.path.stem for tile in mosaic.tiles], groups_of(mosaic)
    firsts = [names[groups.index(group)] for group in groups]
    return {name: _part(first, preset) for name, first in zip(names, firsts, strict=True)}


def _part(name: str, preset: Preset) -> Part:
    return "tested" if fold_of(name, preset.galaxies.parts) == 0 else "learned"

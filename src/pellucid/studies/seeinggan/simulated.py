"""The study's simulated pairs: galaxies that HST saw elsewhere, through Subaru's cameras."""

from __future__ import annotations

import itertools
from pathlib import Path

from pellucid.data.mosaics.mosaic import Mosaic
from pellucid.data.observed import write_observed
from pellucid.data.simulation import Camera, Scene, simulate_pairs
from pellucid.data.splits import FOLDS, VALIDATION_FOLD, fold_of
from pellucid.errors import InputError
from pellucid.optics import INSTRUMENTS
from pellucid.sky import moffat_psf
from pellucid.studies.seeinggan.elsewhere import other_psfs, sharp_galaxies
from pellucid.studies.seeinggan.fields import BLURRED_ZERO_POINT
from pellucid.studies.seeinggan.preset import Preset

#: AB magnitude of the brightest galaxy.
BRIGHTEST = 19.0
#: A simulated pair in so many watches the training instead of taking part.
WATCHED = 20


def simulate(
    preset: Preset,
    data: Path,
    archive: str,
    store: Path,
    mosaics: tuple[Mosaic, Mosaic],
    learned_from: set[str],
) -> None:
    """Write a store of pairs of galaxies from elsewhere, seen through HSC and Suprime-Cam.

    HSC's PSFs are those of the fields of the mosaics (sharp, blurred) that are ``learned_from``,
    Moffat profiles of other nights, and stamps of other images and of DECam where they are there.
    The ``archive`` of the ``data`` holds ``id``, ``mag`` (AB) and for each id an array (band, y,
    x); what else there is of galaxies takes part, too.
    """
    assert preset.simulation is not None
    sharp, blurred = mosaics
    galaxies = sharp_galaxies(data, archive)
    learned = [tile for tile in blurred.tiles if tile.path.stem in learned_from]
    psfs = tuple(tile.psf for tile in learned if tile.psf is not None)
    hsc, suprime = blurred.pixel_scale, INSTRUMENTS["suprime-cam"].pixel_scale
    betas = (2.5, 3.5)
    other_nights = [moffat_psf(w, hsc, b) for w in (0.5, 0.55, 0.6, 0.65, 0.7, 0.8) for b in betas]
    other_camera = [moffat_psf(w, suprime, b) for w in (0.6, 0.7, 0.8) for b in betas]
    cameras = (
        Camera(psfs, (0.010, 0.03), BLURRED_ZERO_POINT),
        Camera(tuple(other_nights), (0.010, 0.04), BLURRED_ZERO_POINT),
        Camera(tuple(other_camera), (0.02, 0.06), BLURRED_ZERO_POINT),
    )
    stamps = other_psfs(data, preset.seed)
    if stamps:
        cameras = (*cameras, Camera(stamps, (0.010, 0.04), BLURRED_ZERO_POINT))
    sharp_psf = next(
        tile.psf for tile in sharp.tiles[::-1] if tile.path.stem in learned_from and tile.psf
    )
    watched, others = (
        {name: galaxies[name] for name in galaxies if (fold_of(name) == VALIDATION_FOLD) is held}
        for held in (True, False)
    )
    if not watched or not others:
        raise InputError(
            f"{data / archive}: {len(galaxies)} usable galaxies; {FOLDS} and more are needed"
        )
    settings, seed = preset.simulation, preset.seed
    scene = Scene(
        settings.size,
        settings.pixel_scale,
        magnitude=(BRIGHTEST, settings.faintest),
        nuclei=settings.nuclei,
    )
    few = max(1, settings.pairs // WATCHED)
    pairs = itertools.chain(
        simulate_pairs(others, settings.pairs, scene, sharp_psf, cameras, seed),
        simulate_pairs(watched, few, scene, sharp_psf, cameras, seed + 1),
    )
    bands = (preset.galaxies.band.lower(),)
    write_observed(store, pairs, bands, None, {"galaxies": len(galaxies)}, True, "simulated")

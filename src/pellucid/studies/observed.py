"""Skies that were truly seen twice: HSC and HST, Euclid's NISP or the ground and Euclid's VIS.

The sharper image, brought to the target, is the truth. Both cameras have other bands, so that the
truth is given the light of the blurred image: shapes are compared, and not colours.
"""

from __future__ import annotations

import math
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.data.mosaics.cutouts import CutRecipe, cut_pair
from pellucid.errors import InputError
from pellucid.files import make_folder
from pellucid.fits import open_fits, read_image
from pellucid.optics import blur_between, convolve, matching_kernel, resampled_psf
from pellucid.optics.own_psf import with_own_psf
from pellucid.restoration.grid import TARGET
from pellucid.sky import PSF, Pair, SkyImage, gaussian_psf
from pellucid.sky.inpaint import filled
from pellucid.sources import detect
from pellucid.studies.seeinggan.fields import (
    FIELDS,
    about_peak,
    field_files,
    is_calibrated,
    open_fields,
)
from pellucid.studies.seeinggan.galaxies import Found, find_galaxies, once

EUCLID = "euclid_q1_pairs"
#: What is blurred, by the end of a Euclid file's name, and what is the truth there.
BLURRED = {"nisp": ("NIR_Y", "NIR_J", "NIR_H"), "ground": ("_r", "_i", "_z")}
SHARP = "VIS"
#: Pixels a side that are compared, and around them that the restorer sees, on HSC's and on
#: Euclid's grid.
HSC_WINDOW, EUCLID_WINDOW = (128, 24), (64, 16)
#: HSC's grid is SeeingGAN's, arcsec a pixel; the target is that of pixels twice as wide.
HSC_GRID = 0.042
#: AB magnitude of the faintest galaxy; of a source in VIS, signal over noise.
FAINTEST, LEAST_SIGNAL = 24.0, 60.0
#: Sources of a Euclid field, the brightest first.
MOST = 6


@dataclass(frozen=True, eq=False)
class Observed:
    """One source as both cameras saw it.

    Parameters
    ----------
    id, kind
        Its name, and between which cameras.
    pair
        Blurred and sharp on one grid, the sharp one at the target, and the blur between them.
    margin
        Pixels around what is to be compared.
    own
        From the sharp camera's psf to the target.
    camera_scale
        Arcsec a pixel of the blurred camera.
    signal
        Of the source in the sharp image over its noise, where that is known.
    """

    id: str
    kind: str
    pair: Pair
    margin: int
    own: PSF
    camera_scale: float
    signal: float = math.nan


def has_fields(data: Path) -> bool:
    """Whether the fields of HSC and HST are there, or their archive."""
    return (data / FIELDS).is_dir() or (data / f"{FIELDS}.tar").is_file()


def has_euclid(data: Path) -> bool:
    """Whether Euclid's fields are there, or their archive."""
    return (data / EUCLID).is_dir() or (data / f"{EUCLID}.tar").is_file()


def hsc_galaxies(data: Path, work: Path, band: str = "I") -> Iterator[Observed]:
    """Galaxies of the fields that HSC and HST saw, without quasars."""
    files = [path for path in field_files(data, work) if is_calibrated(path)]
    sharp, blurred = open_fields(files, band)
    found = [each for tile in blurred.tiles for each in find_galaxies(tile, blurred, FAINTEST)]
    galaxies, _ = once([each for each in found if isinstance(each, Found)])
    side, margin = HSC_WINDOW
    recipe = CutRecipe(side, margin=margin, pixel_scale=HSC_GRID)
    for galaxy in galaxies:
        try:
            cut = cut_pair(galaxy.source, sharp, blurred, recipe)
        except InputError:  # at the edge of a field, or not in the other image
            continue
        psf = cut.psfs[0]
        if psf is None:
            continue
        fine = SkyImage(
            cut.sharp, psf=resampled_psf(psf, HSC_GRID), pixel_scale=HSC_GRID, bands=("i",)
        )
        coarse = SkyImage(
            cut.blurred,
            bands=("i",),
            variance=np.full_like(cut.blurred, cut.noise[1] ** 2),
            sky=(0.0,),
            pixel_scale=HSC_GRID,
        )
        path = next(file for file in files if file.stem == galaxy.field)
        stamps = [resampled_psf(each, HSC_GRID) for each in _planes(path, blurred.pixel_scale)]
        target = gaussian_psf(2.0 * TARGET * HSC_GRID, HSC_GRID)
        made = _observed(fine, coarse, _fitting(fine, coarse, stamps), target)
        if made is not None:
            name = galaxy.source.id
            pair, own = made
            yield Observed(name, "HSC i to HST F814W", pair, margin, own, blurred.pixel_scale)


def euclid_sources(
    data: Path,
    work: Path,
    most: int = MOST,
    least: float = LEAST_SIGNAL,
    window: tuple[int, int] = EUCLID_WINDOW,
) -> Iterator[Observed]:
    """The brightest sources of each Euclid field, in NISP's bands and in those from the ground.

    There are at most so many of a field, and their signal in VIS is at ``least`` so many times the
    noise. The ``window`` is the side of what is compared and the margin around it, in pixels.
    """
    for path in _files(data, work):
        kind = path.name.split(".fits")[0].rpartition("_")[2]
        image = with_own_psf(read_image(path), path)
        ends = BLURRED.get(kind, ())
        places = [k for k, name in enumerate(image.bands) if name.endswith(ends)]
        if not places or SHARP not in image.bands:
            continue
        sharp = image.of_bands([image.bands.index(SHARP)])
        blurred = image.of_bands(places)
        scale = image.pixel_scale
        assert scale is not None
        target = gaussian_psf(TARGET * scale, scale)
        assert isinstance(blurred.psf, PSF)
        made = _observed(sharp, blurred, blurred.psf, target)
        if made is None:
            continue
        pair, own = made
        side, margin = window
        title = "NISP to VIS" if kind == "nisp" else "ground to VIS"
        for y, x, signal in _brightest(sharp, side + 2 * margin, most, least):
            place = (y, x, side + 2 * margin, side + 2 * margin)
            cut = Pair(pair.blurred.cutout(*place), pair.sharp.cutout(*place), pair.blur)
            name = f"{path.name.split('.')[0]}-{y}-{x}"
            yield Observed(name, title, cut, margin, own, scale, signal)


def _observed(sharp: SkyImage, blurred: SkyImage, psf: PSF, target: PSF) -> tuple[Pair, PSF] | None:
    """The pair at the target, and what brought the sharp image there; None where nothing does."""
    assert isinstance(sharp.psf, PSF)
    try:
        own, blur = matching_kernel(sharp.psf, target), blur_between(psf, target)
    except InputError:  # the target is no blunter than the one or no sharper than the other
        return None
    count = len(blurred.flux)
    holes = ~np.isfinite(sharp.flux)
    truth = convolve(filled(sharp.flux), own.stamps, "reflect")
    truth[holes] = np.nan
    truth = np.repeat(truth, count, axis=0) if len(truth) < count else truth
    seen = convolve(filled(truth), blur.for_bands(count), "reflect")
    light = np.stack([_share(*planes) for planes in zip(seen, blurred.flux, strict=True)])
    flux = light[:, None, None] * truth
    scale = blurred.pixel_scale
    truth_image = SkyImage(flux, blurred.bands, blurred.unit, psf=target, pixel_scale=scale)
    return Pair(blurred, truth_image, blur), own


def _share(model: NDArray[np.float32], seen: NDArray[np.float32]) -> np.float32:
    """The factor that gives a model the light of what was seen."""
    good = np.isfinite(model) & np.isfinite(seen)
    model, seen = model[good] - np.median(model[good]), seen[good] - np.median(seen[good])
    return np.float32((model * seen).sum(dtype=float) / np.square(model).sum(dtype=float))


def _fitting(sharp: SkyImage, blurred: SkyImage, stamps: Sequence[PSF]) -> PSF:
    """The PSF that explains the blurred image best by the sharp one.

    The order of the planes of HSC's PSFs differs from file to file.
    """
    assert isinstance(sharp.psf, PSF)
    misses = []
    for psf in stamps:
        model = convolve(filled(sharp.flux), matching_kernel(sharp.psf, psf).stamps, "reflect")
        good = np.isfinite(model) & np.isfinite(blurred.flux)
        factor = _share(model[0], blurred.flux[0])
        misses.append(float(np.square((blurred.flux - factor * model)[good]).sum()))
    return stamps[int(np.argmin(misses))]


def _planes(path: Path, pixel_scale: float) -> list[PSF]:
    """The PSFs of all bands of an HSC field."""
    with open_fits(path) as file:
        hdu = next(hdu for hdu in file.hdus if hdu.name == "HSC_PSF")
        return [PSF(about_peak(stamp), pixel_scale) for stamp in file.pixels(hdu)]


def _files(data: Path, work: Path) -> list[Path]:
    folder, archive = data / EUCLID, data / f"{EUCLID}.tar"
    if not folder.is_dir():
        if not archive.is_file():
            return []
        folder = make_folder(work / EUCLID)
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
    return sorted(folder.rglob("*.fits*"))


def _brightest(sharp: SkyImage, side: int, most: int, least: float) -> list[tuple[int, int, float]]:
    """Windows about the brightest sources that lie wholly within the field: corner and signal."""
    _, height, width = sharp.shape
    plane = np.nan_to_num(sharp.flux[0])
    noise = float(np.sqrt(np.median(sharp.variance[0]))) if sharp.variance is not None else 1.0
    sources = detect(plane - np.median(plane), 3.0, noise)
    areas = np.maximum(np.pi * 4.0 * np.asarray(sources.a) * np.asarray(sources.b), 1.0)
    signals = np.asarray(sources.flux) / (noise * np.sqrt(areas))
    found: list[tuple[int, int, float]] = []
    for k in np.argsort(sources.flux)[::-1]:
        if signals[k] < least or len(found) == most:
            break
        y, x = (round(float(at[k])) - side // 2 for at in (sources.y, sources.x))
        y, x = (
            int(np.clip(at, 0, full - side)) if full < 1.5 * side else at
            for at, full in ((y, height), (x, width))
        )
        inside = 0 <= y <= height - side and 0 <= x <= width - side
        if inside and all(max(abs(y - v), abs(x - u)) > side // 4 for v, u, _ in found):
            found.append((y, x, float(signals[k])))
    return found

"""Fields that both telescopes saw, one FITS file each, as two mosaics with their PSFs.

A file has the extensions ``HSC_<band>`` and ``HST_F814W`` with their WCS, and PSF stamps:
``HSC_PSF`` (g, r, i, z, y) in HSC's pixels and ``HST_PSF`` in HST's.
"""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.data.mosaics.mosaic import Mosaic, open_mosaic
from pellucid.data.mosaics.tile import Tile
from pellucid.errors import InputError
from pellucid.files import make_folder
from pellucid.fits import open_fits
from pellucid.optics import INSTRUMENTS
from pellucid.sky import PSF

FIELDS = "hsc_hst_pairs"
BANDS = ("G", "R", "I", "Z", "Y")
SHARP_HDU = "HST_F814W"
#: AB magnitudes of one count: HSC's coadds, and ACS F814W in electrons per second.
BLURRED_ZERO_POINT = INSTRUMENTS["hsc"].zero_point
SHARP_ZERO_POINT = INSTRUMENTS["acs"].zero_point
#: Fields whose middles are nearer than this (arcsec), or whose corners may touch, may share sky.
APART = 30.0


def field_files(data: Path, work: Path) -> list[Path]:
    """The fields of a folder, or of its archive, which is unpacked to ``work``."""
    folder, archive = data / FIELDS, data / f"{FIELDS}.tar"
    if not folder.is_dir():
        if not archive.is_file():
            raise InputError(f"{data}: holds neither {FIELDS}.tar nor a folder {FIELDS}")
        folder = make_folder(work / FIELDS)
        try:
            with tarfile.open(archive) as file:
                file.extractall(folder, filter="data")
        except (tarfile.TarError, zlib.error, EOFError) as error:
            raise InputError(f"{archive}: cannot be unpacked ({error}); fetch it again") from error
    files = sorted(folder.rglob("*.fits"))
    if not files:
        raise InputError(f"{folder}: holds no FITS file")
    return files


def open_fields(files: list[Path], band: str) -> tuple[Mosaic, Mosaic]:
    """(sharp, blurred) mosaics of which each field is a tile, with its PSFs."""
    sharp = open_mosaic(files, SHARP_HDU, zero_point=SHARP_ZERO_POINT)
    blurred = open_mosaic(files, f"HSC_{band}", zero_point=BLURRED_ZERO_POINT)
    plane = BANDS.index(band)
    with_psfs = (
        replace(mosaic, tiles=tuple(_with_psf(tile, name, k, mosaic) for tile in mosaic.tiles))
        for mosaic, name, k in ((sharp, "HST_PSF", 0), (blurred, "HSC_PSF", plane))
    )
    sharp, blurred = with_psfs
    return sharp, blurred


def is_calibrated(path: Path) -> bool:
    """Whether a field knows its zero points: some came without, and say so by a negative one."""
    with open_fits(path) as file:
        cards = [file.hdus[0].header.get(key) for key in ("HSC_ZP", "HST_ZP")]
    if not all(isinstance(card, int | float) and card > 0 for card in cards):
        return False
    if cards != [BLURRED_ZERO_POINT, SHARP_ZERO_POINT]:
        raise InputError(
            f"{path}: has the zero points {cards}, not {BLURRED_ZERO_POINT} and {SHARP_ZERO_POINT}"
        )
    return True


def groups_of(mosaic: Mosaic) -> list[int]:
    """A number for each tile, the same for tiles that may share sky."""
    places = [
        tile.wcs.pixel_to_world(*(0.5 * np.array(tile.shape[::-1]) - 0.5)) for tile in mosaic.tiles
    ]
    ra, dec = np.array([(place.ra.deg, place.dec.deg) for place in places]).T
    distance = apart(ra[:, None], dec[:, None], ra, dec)
    reach = 0.5 * mosaic.pixel_scale * np.array([np.hypot(*tile.shape) for tile in mosaic.tiles])
    from scipy.sparse.csgraph import connected_components

    shared = distance < np.maximum(APART, reach[:, None] + reach)
    return connected_components(shared)[1].tolist()


def apart(ra: ArrayLike, dec: ArrayLike, other_ra: ArrayLike, other_dec: ArrayLike) -> NDArray:
    """Arcsec between places in degrees."""
    from astropy.coordinates import angular_separation

    places = map(np.radians, (ra, dec, other_ra, other_dec))
    return 3600.0 * np.degrees(angular_separation(*places))


def _with_psf(tile: Tile, name: str, plane: int, mosaic: Mosaic) -> Tile:
    with open_fits(tile.path) as file:
        hdu = next((hdu for hdu in file.hdus if hdu.name == name), None)
        if hdu is None:
            raise file.refuse(f"has no extension {name}", "a field brings both PSFs")
        stamps = file.pixels(hdu)
        cube = stamps[None] if stamps.ndim == 2 else stamps
        if cube.ndim != 3 or plane >= len(cube):
            raise file.refuse(
                f"{name} has shape {stamps.shape}", f"{plane + 1} stamps or more are needed"
            )
        try:
            psf = PSF(_about_peak(cube[plane]), mosaic.pixel_scale)
        except (InputError, ValueError) as error:  # a stamp of NaN has no peak
            raise file.refuse(f"{name}: {error}", "measure the PSF again") from error
    return replace(tile, psf=psf)


def _about_peak(stamp: NDArray[np.floating]) -> NDArray[np.float64]:
    """The largest square about the peak: stamps are cut by hand, up to two pixels beside it."""
    y, x = np.unravel_index(int(np.nanargmax(stamp)), stamp.shape)
    half = min(y, x, stamp.shape[0] - 1 - y, stamp.shape[1] - 1 - x)
    square = stamp[y - half : y + half + 1, x - half : x + half + 1]
    return np.clip(np.nan_to_num(square), 0.0, None).astype(np.float64)

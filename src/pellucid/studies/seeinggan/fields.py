"""Fields that both telescopes saw, one FITS file each, as two mosaics with their PSFs.

A file has the extensions ``HSC_<band>`` and ``HST_F814W`` with their WCS, and PSF stamps:
``HSC_PSF`` (of the five bands, in an order that differs from file to file) in HSC's pixels and
``HST_PSF`` in HST's.
"""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.data.mosaics.mosaic import Mosaic, open_mosaic
from pellucid.data.mosaics.tile import Tile
from pellucid.errors import InputError
from pellucid.files import make_folder
from pellucid.fits import open_fits
from pellucid.optics import INSTRUMENTS
from pellucid.optics.psf_order import order_of_planes
from pellucid.sky import PSF, SkyImage

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
    return _with_psfs(sharp, "HST_PSF"), _with_psfs(blurred, "HSC_PSF", band)


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
    middles = []
    for tile in mosaic.tiles:
        place = tile.wcs.pixel_to_world(0.5 * tile.shape[1] - 0.5, 0.5 * tile.shape[0] - 0.5)
        middles.append((place.ra.deg, place.dec.deg))
    ra, dec = np.transpose(middles)
    reach = 0.5 * mosaic.pixel_scale * np.array([np.hypot(*tile.shape) for tile in mosaic.tiles])
    from scipy.sparse.csgraph import connected_components

    shared = distances(ra, dec) < np.maximum(APART, reach[:, None] + reach)
    return connected_components(shared)[1].tolist()


def distances(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    """Arcsec from each to each of some places in degrees, shape (place, place)."""
    from astropy.coordinates import angular_separation

    ra, dec = np.radians(ra), np.radians(dec)
    return 3600.0 * np.degrees(angular_separation(ra[:, None], dec[:, None], ra, dec))


def _with_psfs(mosaic: Mosaic, name: str, band: str = "") -> Mosaic:
    scale = mosaic.pixel_scale
    tiles = (replace(tile, psf=_read_psf(tile, name, band, scale)) for tile in mosaic.tiles)
    return replace(mosaic, tiles=tuple(tiles))


def _read_psf(tile: Tile, name: str, band: str, pixel_scale: float) -> PSF:
    """The stamp of an extension, or of a cube the one that is of a band."""
    with open_fits(tile.path) as file:
        hdus = {hdu.name: hdu for hdu in file.hdus}
        if name not in hdus:
            raise file.refuse(f"has no extension {name}", "a field brings both PSFs")
        stamps = file.pixels(hdus[name])
        cube = stamps[None] if stamps.ndim == 2 else stamps
        plane = BANDS.index(band) if band else 0
        if cube.ndim != 3 or plane >= len(cube):
            fault = f"{name} has shape {stamps.shape}"
            raise file.refuse(fault, f"{plane + 1} stamps or more are needed")
        try:
            beside = [f"HSC_{each}" for each in BANDS]
            whole = len(cube) == len(BANDS) and np.isfinite(cube).all()
            if band and whole and all(each in hdus for each in beside):
                seen = SkyImage(np.stack([file.pixels(hdus[each]) for each in beside]))
                plane = order_of_planes(seen, [about_peak(stamp) for stamp in cube])[plane]
            return PSF(about_peak(cube[plane]), pixel_scale)
        except (InputError, ValueError) as error:  # a stamp of NaN has no peak
            raise file.refuse(f"{name}: {error}", "measure the PSF again") from error


def about_peak(stamp: NDArray[np.floating]) -> NDArray[np.float64]:
    """The largest square about the peak: stamps are cut by hand, up to two pixels beside it."""
    y, x = np.unravel_index(int(np.nanargmax(stamp)), stamp.shape)
    half = min(y, x, stamp.shape[0] - 1 - y, stamp.shape[1] - 1 - x)
    square = stamp[y - half : y + half + 1, x - half : x + half + 1]
    return np.clip(np.nan_to_num(square), 0.0, None).astype(np.float64)

"""A made-up field in two bands, as mosaics with a catalogue of what they show."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

RA, DEC, SCALE = 150.1, 2.2, 0.2
SIDE = 48
#: id: (x, y) of the pixel in the g mosaic, counted from 0, and flux.
OBJECTS = {"a1": (60, 50, 900.0), "b 2": (140, 70, 500.0), "c3": (90, 120, 700.0)}
#: How many rows and columns the r mosaic has before the g mosaic's first.
BEFORE = {"g": (0, 0), "r": (5, 11)}
SHAPE = (170, 200)


def wcs_of(rows: int, columns: int) -> WCS:
    """Of a mosaic that begins so many rows and columns before that of g."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [RA, DEC]
    wcs.wcs.crpix = [100.5 + columns, 80.25 + rows]
    wcs.wcs.cdelt = [-SCALE / 3600.0, SCALE / 3600.0]
    return wcs


def place_of(x: float, y: float) -> tuple[float, float]:
    """RA and Dec (deg) of a pixel of the g mosaic."""
    ra, dec = wcs_of(0, 0).wcs_pix2world([[x, y]], 0)[0]
    return float(ra), float(dec)


def planes_of(band: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flux, variance and mask of a mosaic."""
    rng = np.random.default_rng(ord(band))
    rows, columns = BEFORE[band]
    y, x = np.mgrid[: SHAPE[0] + rows, : SHAPE[1] + columns]
    flux = rng.normal(0.0, 0.5, y.shape)
    for left, up, total in OBJECTS.values():
        distance = np.hypot(x - left - columns, y - up - rows)
        flux += total / (2 * np.pi * 9.0) * np.exp(-0.5 * (distance / 3.0) ** 2)
    mask = (rng.random(y.shape) < 0.002).astype("i2")
    return flux.astype("f4"), np.full(y.shape, 0.25, "f4"), mask


def hdus_of(band: str) -> fits.HDUList:
    """The mosaic of a band: science, variance and mask as extensions."""
    flux, variance, mask = planes_of(band)
    header = wcs_of(*BEFORE[band]).to_header()
    header["FILTER"], header["BUNIT"], header["OBSERVER"] = band, "adu", "somebody"
    return fits.HDUList([
        fits.PrimaryHDU(),
        fits.ImageHDU(flux, header, name="SCI"),
        fits.ImageHDU(variance, header, name="VARIANCE"),
        fits.ImageHDU(mask, header, name="MASK"),
    ])  # fmt: skip


def write_mosaics(folder: Path) -> list[Path]:
    """One file a band."""
    paths = [folder / f"field-{band}.fits" for band in BEFORE]
    for band, path in zip(BEFORE, paths, strict=True):
        hdus_of(band).writeto(path, checksum=True)
    return paths


def write_objects(path: Path, more: Iterable[tuple[str, float, float]] = ()) -> Path:
    """The catalogue of the field, and further rows (id, ra, dec)."""
    rows = [(name, *place_of(x, y)) for name, (x, y, _) in OBJECTS.items()]
    Table(rows=[*rows, *more], names=["id", "ra", "dec"]).write(path, overwrite=True)
    return path


def by_hand(folder: Path, name: str, side: int = SIDE) -> list[Path]:
    """The window of an object as a file a band, cut with numpy and astropy alone."""
    x, y, _ = OBJECTS[name]
    paths = []
    for band, (rows, columns) in BEFORE.items():
        top, left = y + rows - side // 2, x + columns - side // 2
        cut = (slice(top, top + side), slice(left, left + side))
        hdus = hdus_of(band)
        for hdu in hdus[1:]:
            hdu.data = hdu.data[cut]
            hdu.header["CRPIX1"] -= left
            hdu.header["CRPIX2"] -= top
        paths.append(folder / f"hand-{band}.fits")
        hdus.writeto(paths[-1], overwrite=True)
    return paths

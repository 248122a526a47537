"""A made-up sky, as a sharp telescope and a blurred one see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from scipy.special import erf

RA, DEC = 150.1, 2.2
ZERO_POINTS = (25.9, 27.0)
#: Of the Gaussian by which the blurred telescope's PSF is broader, arcsec.
BLUR = 0.35
NOISE = (0.02, 0.02)
#: id: east and north of the middle (arcsec), sigma along both (arcsec), blurred counts.
GALAXIES = {
    "round": (-14.0, 12.0, 0.6, 0.6, 900.0),
    "wide": (3.0, 13.0, 0.9, 0.5, 1500.0),
    "tall": (13.0, -3.0, 0.4, 0.8, 1100.0),
    "double": (-11.0, -10.0, 0.6, 0.6, 1000.0),
}
#: 2.6 arcsec beside "double", inside its window.
NEIGHBOUR = (-8.4, -10.0, 0.3, 0.3, 300.0)


def sky_wcs(side: int, scale: float, turn: float = 0.0, east: float = 0.0) -> WCS:
    """A gnomonic sky around (RA, DEC) whose coordinates are ``east`` arcsec wrong."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [RA + east / 3600.0 / np.cos(np.radians(DEC)), DEC]
    wcs.wcs.crpix = [0.5 * (side + 1)] * 2
    sine, cosine = np.sin(np.radians(turn)), np.cos(np.radians(turn))
    wcs.wcs.cd = scale / 3600.0 * np.array([[-cosine, sine], [sine, cosine]])
    return wcs


def place(galaxy: tuple[float, ...]) -> tuple[float, float]:
    """RA and Dec of a galaxy, deg."""
    plane = WCS(naxis=2)
    plane.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    plane.wcs.crval = [RA, DEC]
    plane.wcs.cdelt = [1.0 / 3600.0] * 2
    ra, dec = plane.wcs_pix2world([[galaxy[0], galaxy[1]]], 1)[0]
    return float(ra), float(dec)


def field(wcs: WCS, side: int, scale: float, blur: float, noise: float, seed: int) -> np.ndarray:
    """What a telescope sees of the galaxies on 20 counts of sky, in blurred counts."""
    offset = np.arange(side) - 0.5 * (side - 1)
    east, north = (
        3600.0 * (row[0] * offset[None, :] + row[1] * offset[:, None]) for row in wcs.wcs.cd
    )
    image = np.random.default_rng(seed).normal(20.0, noise, (side, side))
    for x, y, along_x, along_y, flux in (*GALAXIES.values(), NEIGHBOUR):
        a, b = np.hypot(along_x, blur), np.hypot(along_y, blur)
        shape = np.exp(-0.5 * ((east - x) / a) ** 2 - 0.5 * ((north - y) / b) ** 2)
        image += flux * shape * scale**2 / (2.0 * np.pi * a * b)
    return image


def inside(galaxy: tuple[float, ...], half: float, blur: float) -> float:
    """Its flux in the square of 2 ``half`` arcsec around it."""
    a, b = np.hypot(galaxy[2], blur), np.hypot(galaxy[3], blur)
    return float(galaxy[4] * erf(half / a / np.sqrt(2.0)) * erf(half / b / np.sqrt(2.0)))


def header_of(wcs: WCS, cards: fits.Header) -> fits.Header:
    header = wcs.to_header()
    header.update(cards)
    return header


def rejected_in(path: Path) -> dict[str, str]:
    table = Table.read(path)
    return {str(row["id"]): str(row["reason"]) for row in table}

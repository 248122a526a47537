"""Cameras that pellucid knows by name: what others would otherwise write down as bare numbers."""

from __future__ import annotations

from typing import NamedTuple


class Instrument(NamedTuple):
    """A camera on its telescope.

    Parameters
    ----------
    name
        What people call it.
    pixel_scale
        Arcsec per pixel.
    zero_point
        AB magnitude of one count in its images' unit.
    source
        Where the numbers stand.
    """

    name: str
    pixel_scale: float
    zero_point: float
    source: str


INSTRUMENTS = {
    "sdss": Instrument("SDSS", 0.396, 22.5, "Gunn et al. 1998, AJ 116, 3040; nanomaggies"),
    "suprime-cam": Instrument(
        "Subaru Suprime-Cam", 0.202, 27.4, "Miyazaki et al. 2002, PASJ 54, 833; counts per second"
    ),
    "hsc": Instrument("Subaru HSC", 0.168, 27.0, "Miyazaki et al. 2018, PASJ 70, S1; coadds"),
    "acs": Instrument(
        "HST ACS/WFC", 0.05, 25.937, "ACS Instrument Handbook; F814W, electrons per second"
    ),
}

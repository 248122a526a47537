"""Cameras that pellucid knows by name: what others would otherwise write down as bare numbers."""

from __future__ import annotations

from typing import NamedTuple


class Instrument(NamedTuple):
    """A camera on its telescope.

    Parameters
    ----------
    pixel_scale
        Arcsec per pixel.
    zero_point
        AB magnitude of one count in its images' unit.
    """

    pixel_scale: float
    zero_point: float


INSTRUMENTS = {
    # Gunn et al. 1998, AJ 116, 3040; nanomaggies
    "sdss": Instrument(0.396, 22.5),
    # Miyazaki et al. 2002, PASJ 54, 833; counts per second
    "suprime-cam": Instrument(0.202, 27.4),
    # Miyazaki et al. 2018, PASJ 70, S1; coadds
    "hsc": Instrument(0.168, 27.0),
    # Flaugher et al. 2015, AJ 150, 150; Dey et al. 2019, AJ 157, 168: nanomaggies
    "decam": Instrument(0.262, 22.5),
    # ACS/WFC in F814W, ACS Instrument Handbook; electrons per second
    "acs": Instrument(0.05, 25.937),
}

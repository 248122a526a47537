"""Telescopes and cameras that pellucid knows by name."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.errors import UsageError


@dataclass(frozen=True)
class Instrument:
    """A camera on its telescope.

    Parameters
    ----------
    name
        What people call it.
    pixel_scale
        Arcsec per pixel.
    seeing
        FWHM of a typical point source in arcsec.
    gain
        Electrons per count.
    zero_point
        AB magnitude of one count (per second, where ``rate``) in its most used red band.
    rate
        The zero point belongs to counts per second.
    source
        Where the numbers stand.
    """

    name: str
    pixel_scale: float
    seeing: float
    gain: float
    zero_point: float
    rate: bool
    source: str


INSTRUMENTS: dict[str, Instrument] = {
    "sdss": Instrument(
        "SDSS", 0.396, 1.4, 4.7, 22.5, False, "Gunn et al. 1998, AJ 116, 3040; nanomaggies"
    ),
    "suprime-cam": Instrument(
        "Subaru Suprime-Cam", 0.202, 0.7, 2.5, 27.4, True, "Miyazaki et al. 2002, PASJ 54, 833"
    ),
    "hsc": Instrument(
        "Subaru HSC", 0.168, 0.6, 3.0, 27.0, False, "Miyazaki et al. 2018, PASJ 70, S1; coadds"
    ),
    "acs": Instrument(
        "HST ACS/WFC", 0.05, 0.1, 1.0, 25.94, True, "ACS Instrument Handbook; F814W drizzled"
    ),
    "rubin": Instrument(
        "Rubin LSSTCam", 0.2, 0.7, 1.6, 28.36, True, "Ivezić et al. 2019, ApJ 873, 111"
    ),
    "euclid-vis": Instrument(
        "Euclid VIS",
        0.1,
        0.16,
        3.5,
        25.7,
        True,
        "Euclid Collaboration: Cropper et al. 2025, A&A 697, A2",
    ),
}


def instrument(name: str) -> Instrument:
    """The instrument called ``name``.

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    try:
        return INSTRUMENTS[name.lower()]
    except KeyError:
        raise UsageError(
            f"no instrument is called {name!r}; there are {', '.join(INSTRUMENTS)}"
        ) from None

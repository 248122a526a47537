"""Sources in an image: where they are and how bright, large and round."""

from pellucid.sources.detection import Sources, check_plane, detect, smoothed, smoothed_sky
from pellucid.sources.photometry import (
    Position,
    aperture_flux,
    centroid,
    ellipticity,
    half_light_radius,
    kron_radius,
)
from pellucid.sources.psf_check import fwhm_misfits, psf_misfits
from pellucid.sources.star_psf import ENOUGH, StarPSF, psf_from_stars, psf_of_the_middle

__all__ = [
    "ENOUGH",
    "Position",
    "Sources",
    "StarPSF",
    "aperture_flux",
    "centroid",
    "check_plane",
    "detect",
    "ellipticity",
    "fwhm_misfits",
    "half_light_radius",
    "kron_radius",
    "psf_from_stars",
    "psf_misfits",
    "psf_of_the_middle",
    "smoothed",
    "smoothed_sky",
]

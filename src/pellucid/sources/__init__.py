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

__all__ = [
    "Position",
    "Sources",
    "aperture_flux",
    "centroid",
    "check_plane",
    "detect",
    "ellipticity",
    "half_light_radius",
    "kron_radius",
    "smoothed",
    "smoothed_sky",
]

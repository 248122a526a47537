"""FITS in and out, keeping what a file says of its sky."""

from pellucid.fits.read import read_image
from pellucid.fits.write import write_image

__all__ = ["read_image", "write_image"]

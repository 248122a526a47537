"""FITS in and out, keeping what a file says of its sky."""

from pellucid.fits.bands import band_names_of
from pellucid.fits.beside import role_of_file, roles_beside, roles_together
from pellucid.fits.beside_pixels import planes_beside, windows_beside
from pellucid.fits.cards import card_value, text_card, wcs_cards
from pellucid.fits.checksum import check_sums
from pellucid.fits.choose import Plane, chosen_hdus, file_roles
from pellucid.fits.coordinates import rescaled, scale_card
from pellucid.fits.cut import cut_out
from pellucid.fits.file import FitsFile, open_fits
from pellucid.fits.foreign import check_written_name
from pellucid.fits.read import largest_shift, read_image
from pellucid.fits.restored import restored_bands, restored_header, unrestored_bands
from pellucid.fits.roles import COMPANIONS, is_band_word, rest_of_name
from pellucid.fits.some import all_bands
from pellucid.fits.windows import FieldFiles, Whole, open_field, pixels_of
from pellucid.fits.write import Card, write_image
from pellucid.fits.write_field import FilePlanes, check_field_target, write_field
from pellucid.fits.write_psf import write_psf

__all__ = [
    "COMPANIONS",
    "Card",
    "FieldFiles",
    "FilePlanes",
    "FitsFile",
    "Plane",
    "Whole",
    "all_bands",
    "band_names_of",
    "card_value",
    "check_field_target",
    "check_sums",
    "check_written_name",
    "chosen_hdus",
    "cut_out",
    "file_roles",
    "is_band_word",
    "largest_shift",
    "open_field",
    "open_fits",
    "pixels_of",
    "planes_beside",
    "read_image",
    "rescaled",
    "rest_of_name",
    "restored_bands",
    "restored_header",
    "role_of_file",
    "roles_beside",
    "roles_together",
    "scale_card",
    "text_card",
    "unrestored_bands",
    "wcs_cards",
    "windows_beside",
    "write_field",
    "write_image",
    "write_psf",
]

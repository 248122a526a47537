"""Colour composites in, pictures out.

Pictures stand as DS9 shows FITS: the first row of the flux is at the bottom, both ways.
"""

from pellucid.display.composite import (
    COMPOSITE_BANDS,
    COMPOSITE_SUFFIXES,
    is_composite,
    picture_cards,
    read_composite,
)
from pellucid.display.picture import (
    Lupton,
    asinh_scale,
    check_picture_name,
    lupton_of,
    to_pixels,
    to_rgb,
    write_picture,
    write_png,
)

__all__ = [
    "COMPOSITE_BANDS",
    "COMPOSITE_SUFFIXES",
    "Lupton",
    "asinh_scale",
    "check_picture_name",
    "is_composite",
    "lupton_of",
    "picture_cards",
    "read_composite",
    "to_pixels",
    "to_rgb",
    "write_picture",
    "write_png",
]

"""What a restoration's file says of planes that are not of the restored pixels, but of the input's.

The input's noise is no noise of what was restored. It stays in the file as it is, under a name and
a card (PLCROLE) by which nobody takes it for that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pellucid.fits.bands import cube_names
from pellucid.fits.cards import card_value, text_card
from pellucid.fits.layout import Layout, Part
from pellucid.fits.roles import NAMELESS, UNCERTAINTIES, bands_among

if TYPE_CHECKING:
    from astropy.io.fits import Header

    from pellucid.sky.image import SkyImage

#: Begins the name of a plane that is of the input's pixels.
INPUT = "INPUT_"
#: What an earlier restoration wrote beside its pixels.
EARLIER = ("UNCERT", "RANGE95", "DOUBT", "CHI2", "SAMPLE")
#: The planes of a restoration: their PLCROLE and its comment, by the beginning of their name.
PURPOSES = {
    "UNCERT": "standard deviation of the pixels",
    "RANGE95": "half of the range that holds 95 % of true pixels",
    "DOUBT": "from 0 (sure) to 1",
    "CHI2": "what the result misses, over the noise, squared",
    "SAMPLE": "a sky that explains the image",
    "MASK": "1 where a pixel was not used and stays as it was",
    "INPUT": "of the input's pixels, not of the restored ones",
}
_SHORT = {"error": "ERR", "variance": "VAR", "inverse variance": "IVAR", "psf": "PSF"}


def restored_bands(image: SkyImage) -> tuple[bool, ...]:
    """Of which bands the pixels were restored by this program, by what their file says."""
    found = [image.header is not None and _is_restored(image.header, name) for name in image.bands]
    for part in getattr(image.layout, "parts", ()):
        if part.role != "bands":
            continue
        own = cube_names(part.header, len(part.planes))
        names = bands_among(own, part.header) if own else ()
        for place, k in enumerate(part.planes):
            if k < len(found):
                called = (own[place], names[place]) if own else (f"band{place + 1}",)
                found[k] = any(_is_restored(part.header, name) for name in called)
    return tuple(found)


def restored_header(image: SkyImage) -> Header | None:
    """Of an image some bands of which were restored, the header that tells of it."""
    done = restored_bands(image)
    for part in getattr(image.layout, "parts", ()):
        if part.role == "bands" and any(k < len(done) and done[k] for k in part.planes):
            return part.header
    return image.header


def unrestored_bands(image: SkyImage) -> tuple[str, ...]:
    """The bands that were left as they were, where others of their file were restored."""
    parts = [part for part in getattr(image.layout, "parts", ()) if part.role == "bands"]
    if not any(text_card(part.header, "PLCTYPE") == "RESTORATION" for part in parts):
        return ()
    done = restored_bands(image)
    return tuple(name for name, there in zip(image.bands, done, strict=True) if not there)


def _is_restored(header: Header, band: str) -> bool:
    """Whether the plane of this band was, under a header that may name the planes that were."""
    some = text_card(header, "PLCBANDS")
    said = text_card(header, "PLCTYPE") == "RESTORATION"
    return said and (not some or band in some.split(","))


def beside_restored(layout: Layout, count: int, finer: bool, with_psf: bool) -> Layout:
    """The file of an image whose ``count`` bands were restored.

    Parameters
    ----------
    finer
        Whether they have other pixels now.
    with_psf
        Whether it is known what a star looks like in them.
    """
    parts: list[Part] = []
    renamed: list[Part] = []
    for part in layout.parts:
        of_it = bool(part.planes) and min(part.planes) < count
        earlier = text_card(part.header, "PLCROLE") in EARLIER
        psf = text_card(part.header, "PLCTYPE") == "PSF"
        psf |= with_psf and text_card(part.header, "EXTNAME").upper() == "PSF"
        if (part.role in UNCERTAINTIES and of_it) or earlier or psf:
            # In the old pixels it goes on to serve bands that keep these.
            serves = max(part.planes) >= count if part.planes else layout.rest is not None
            part = as_input(part, not (finer and serves))
            renamed.append(part)
        parts.append(part)
    # What was the input's input makes room.
    taken = {_called(part) for part in renamed}
    kept = (part for part in parts if part in renamed or _called(part) not in taken)
    return replace(layout, parts=tuple(kept))


def as_input(part: Part, marked: bool = True) -> Part:
    """A plane under a name, and with a card if ``marked``, that says that it is of the input."""
    header = part.header.copy()
    name = text_card(header, "EXTNAME").upper()
    header["EXTNAME"] = INPUT + (_SHORT.get(part.role, "PLANE") if name in NAMELESS else name)
    header.remove("PLCTYPE", ignore_missing=True)
    if marked:
        header["PLCROLE"] = ("INPUT", PURPOSES["INPUT"])
    return replace(part, header=header, read=False)


def _called(part: Part) -> tuple[str, object]:
    return text_card(part.header, "EXTNAME").upper(), card_value(part.header, "EXTVER") or 1

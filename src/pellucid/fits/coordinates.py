"""Where a header says its pixels lie on the sky, and how large they are there."""

from __future__ import annotations

import math
import re
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from pellucid.fits.cards import card_value, quiet, text_card, without_wcs

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

_CELESTIAL = re.compile(r"^(RA--|DEC-|.LON|.LAT|..LN|..LT)")
#: Cards that state the pixels' size, in arcsec unless their comment or text has another unit.
_SCALE_CARDS = (
    *("PIXSCALE", "SECPIX", "SECPIX1", "PIXSCAL1", "PIXELSCL", "PIXSCAL", "PIXSCL", "PXSCAL1"),
    *("PIXSCALX", "PIXELSCA", "PIXSIZE1", "IMGSCALE", "D001SCAL"),
)
_ARCSEC = {r"\bmas\b|milliarc": 1e-3, r"\barc ?min": 60.0, r"\bdeg": 3600.0}
_NUMBER = re.compile(r"\s*([-+]?\d*\.?\d+(?:[eEdD][-+]?\d+)?)(.*)", re.DOTALL)
#: What astropy mends of a WCS, as its warnings begin, and how a note says it; of what else it
#: mends (dates, observers, old spellings) no position depends.
_MENDED = {
    "Removed redundant SCAMP distortion": "SCAMP's PV cards stand beside SIP: SIP was used",
    "Removed redundant SIP distortion": "SIP cards stand beside SCAMP's PV: PV was used",
    "'unitfix' made the change": "its CUNIT cards are not as the standard has them: read as deg",
    "'celfix' made the change": "its projection cards were mended",
    "'cylfix' made the change": "its projection cards were mended",
}


class Scale(NamedTuple):
    """A pixel's size in arcsec, and the cards that say it."""

    arcsec: float
    source: str
    guessed: bool = False


def is_celestial(header: Header) -> bool:
    """Whether the first axis is a coordinate on the sky."""
    return any(_CELESTIAL.match(text_card(header, f"CTYPE{axis}").upper()) for axis in (1, 2))


def celestial_wcs(header: Header, opened: Any = None) -> tuple[WCS | None, list[str]]:
    """The WCS of the pixels as astropy reads it, and what had to be mended for it.

    Raises what astropy raises where the cards contradict each other.

    Parameters
    ----------
    header
        Of the image.
    opened
        astropy's list of HDUs, for distortions that are kept as tables (HST).
    """
    from astropy.wcs import WCS, FITSFixedWarning

    with quiet(), warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always", FITSFixedWarning)
        # All axes at once: given naxis=2, astropy leaves its mending out.
        wcs = WCS(header.copy(), fobj=opened)
        wcs.wcs.set()
    said = [" ".join(str(remark.message).split()) for remark in remarks]
    mended = [note for start, note in _MENDED.items() if any(s.startswith(start) for s in said)]
    if not wcs.has_celestial or {wcs.wcs.lng, wcs.wcs.lat} != {0, 1}:
        return None, []
    return (wcs if wcs.naxis == 2 else wcs.celestial), mended


def stated_scale(header: Header) -> Scale | None:
    """A pixel's size where a card gives it, or a camera's pixels and a telescope's focal length.

    Pixels of p µm behind a focal length of f mm see 206.265 p/f arcsec; XPIXSZ is the size after
    binning, as NINA, MaxIm and Siril write it.
    """
    for keyword in _SCALE_CARDS:
        value = _arcsec(header, keyword)
        if value is not None:
            return Scale(value, keyword)
    # SCALE alone means many things.
    if "SCALE" in header and "arcsec" in str(header.comments["SCALE"]).lower():
        value = _arcsec(header, "SCALE")
        if value is not None:
            return Scale(value, "SCALE")
    size, focal = (_positive(card_value(header, key)) for key in ("XPIXSZ", "FOCALLEN"))
    if size and focal:
        return Scale(math.degrees(size / focal * 1e-3) * 3600.0, "XPIXSZ and FOCALLEN", True)
    return None


def scale_card(header: Header) -> float | None:
    """Arcsec per pixel where a card such as PIXSCALE gives it."""
    scale = stated_scale(header)
    return scale.arcsec if scale else None


def rescaled(header: Header, ratio: float) -> Header:
    """A header of pixels ``ratio`` times as wide: without a WCS, its cards of their size mended."""
    header = without_wcs(header)
    for keyword in (
        *_SCALE_CARDS,
        "SECPIX2",
        "PIXSCAL2",
        "PXSCAL2",
        "PIXSCALY",
        "XPIXSZ",
        "YPIXSZ",
    ):
        value = card_value(header, keyword)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            header[keyword] = value * ratio
    return header


def _arcsec(header: Header, keyword: str) -> float | None:
    """A card's value in arcsec: a number, or a text that begins with one."""
    value = card_value(header, keyword)
    if value is None or isinstance(value, bool):
        return None
    match = _NUMBER.match(str(value))
    number = _positive(abs(float(match[1].upper().replace("D", "E")))) if match else None
    if number is None or match is None:
        return None
    words = f"{match[2]} {header.comments[keyword]}".lower()
    return number * next((f for unit, f in _ARCSEC.items() if re.search(unit, words)), 1.0)


def _positive(value: Any) -> float | None:
    good = isinstance(value, (int, float)) and math.isfinite(value) and value > 0
    return float(value) if good else None

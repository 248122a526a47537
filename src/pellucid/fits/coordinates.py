"""Where a header says its pixels lie on the sky, and how large they are there."""

from __future__ import annotations

import math
import re
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from pellucid.fits.cards import (
    card_value,
    text_card,
    without_infinite,
    without_plate_cards,
    without_wcs,
)
from pellucid.quiet import quiet
from pellucid.sky.distortion import without_plate

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

_CELESTIAL = re.compile(r"^(RA--|DEC-|.LON|.LAT|..LN|..LT)")
#: Cards that state the pixels' size, in arcsec unless their comment or text has another unit.
_SCALE_CARDS = (
    *("PIXSCALE", "SECPIX", "SECPIX1", "PIXSCAL1", "PIXELSCL", "PIXSCAL", "PIXSCL", "PXSCAL1"),
    *("PIXSCALX", "PIXELSCA", "PIXSIZE1", "IMGSCALE", "D001SCAL"),
)
#: Of those that are of the first axis, and the cards of the second.
_SECOND = {
    "SECPIX1": "SECPIX2",
    "PIXSCAL1": "PIXSCAL2",
    "PXSCAL1": "PXSCAL2",
    "PIXSCALX": "PIXSCALY",
    "XPIXSZ": "YPIXSZ",
    "XPIXELSZ": "YPIXELSZ",
}
#: Pixels in μm, what tells how large they are on the sky, and what makes arcsec a mm of that.
_CAMERAS: tuple[tuple[str, str, Callable[[float], float]], ...] = (
    ("XPIXSZ", "FOCALLEN", lambda length: math.degrees(1.0 / length) * 3600.0),
    ("XPIXELSZ", "PLTSCALE", float),
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
#: What RADESYS may say of right ascension and declination; astropy gives no place in others.
_FRAMES = ("", "ICRS", "FK5", "FK4", "FK4-NO-E")

#: Of the largest: CD cards that differ by more from PC × CDELT say otherwise.
_APART = 1e-3
#: What warnings are recorded by is the process's: a thread at a time.
_REMARKS = threading.Lock()


class Scale(NamedTuple):
    """The side of a square of a pixel's area, arcsec, the cards that say it, and its true sides."""

    arcsec: float
    source: str
    guessed: bool = False
    sides: tuple[float, float] = (1.0, 1.0)  # the longer first


def is_celestial(header: Header) -> bool:
    """Whether the first axis is a coordinate on the sky, or a plate's solution gives both."""
    return _is_plate(header) or any(
        _CELESTIAL.match(text_card(header, f"CTYPE{axis}").upper()) for axis in (1, 2)
    )


def _is_plate(header: Header) -> bool:
    """Whether it has the plate solution of the Digitized Sky Survey."""
    return all(keyword in header for keyword in ("PLTRAH", "AMDX1", "AMDY1", "PPO3"))


def celestial_wcs(
    header: Header, shape: tuple[int, int], opened: Any = None
) -> tuple[WCS | None, list[str]]:
    """The WCS of the pixels as astropy reads it, and what had to be mended for it.

    Raises what astropy raises where the cards contradict each other, or have no finite numbers.

    Parameters
    ----------
    header
        Of the image.
    shape
        (y, x) of the image.
    opened
        astropy's list of HDUs, for distortions that are kept as tables (HST).
    """
    from astropy.wcs import WCS, FITSFixedWarning

    with quiet(), _REMARKS, warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always", FITSFixedWarning)
        # All axes at once: given naxis=2, astropy leaves its mending out.
        given = without_infinite(header)
        wcs = WCS(given if _is_plate(given) else without_plate_cards(given), fobj=opened)
        wcs.wcs.set()
    said = [" ".join(str(remark.message).split()) for remark in remarks]
    mended = [note for start, note in _MENDED.items() if any(s.startswith(start) for s in said)]
    frame = wcs.wcs.radesys.strip()
    if wcs.wcs.ctype[0].startswith(("RA--", "DEC-")) and frame.upper() not in _FRAMES:
        wcs.wcs.radesys = ""
        wcs.wcs.set()
        mended.append(f"its RADESYS, {frame}, is no frame: it is read as without")
    if not wcs.has_celestial or {wcs.wcs.lng, wcs.wcs.lat} != {0, 1}:
        return None, []
    if _is_plate(header):
        return without_plate(wcs, shape), [*mended, "the solution of its plate (AMDX, AMDY)"]
    mended += _contradicted(header, wcs)
    return (wcs if wcs.naxis == 2 else wcs.celestial), mended


def _contradicted(header: Header, wcs: WCS) -> list[str]:
    """What to know where CD cards say otherwise than PC and CDELT, which astropy then follows."""
    if "deg" not in str(wcs.wcs.cunit[0]) or not (wcs.wcs.has_cd() and wcs.wcs.has_pc()):
        return []
    matrix: Any = wcs.pixel_scale_matrix[:2, :2]
    said = [[card_value(header, f"CD{i}_{j}") or 0.0 for j in (1, 2)] for i in (1, 2)]
    apart = max(
        abs(float(one) - float(other))
        for row, own in zip(said, matrix.tolist(), strict=True)
        for one, other in zip(row, own, strict=True)
    )
    if apart <= _APART * float(abs(matrix).max()):
        return []
    return ["its CD cards contradict its PC and CDELT cards: PC and CDELT were used"]


def stated_scale(header: Header) -> Scale | None:
    """A pixel's size where a card gives it, or a camera's pixels and a telescope's focal length.

    Pixels of p µm behind a focal length of f mm see 206.265 p/f arcsec; XPIXSZ is the size after
    binning, as NINA, MaxIm and Siril write it. Those of a scanned plate (the Digitized Sky Survey)
    see p s/1000 arcsec, of its scale s in arcsec a mm.
    """
    for keyword in _SCALE_CARDS:
        value = _arcsec(header, keyword)
        if value is not None:
            return _scale(keyword, value, _arcsec(header, _SECOND.get(keyword, keyword)))
    # SCALE alone means many things.
    if "SCALE" in header and "arcsec" in str(header.comments["SCALE"]).lower():
        value = _arcsec(header, "SCALE")
        if value is not None:
            return Scale(value, "SCALE")
    for pixels, other, to_arcsec in _CAMERAS:
        across, down, value = (
            _positive(card_value(header, key)) for key in (pixels, _SECOND[pixels], other)
        )
        if across and value:
            sides = (size * 1e-3 * to_arcsec(value) for size in (across, down or across))
            return _scale(f"{pixels} and {other}", *sides, guessed=True)
    return None


def _scale(source: str, across: float, down: float | None, guessed: bool = False) -> Scale:
    low, high = sorted((across, down or across))
    arcsec = across if low == high else math.sqrt(low * high)
    return Scale(arcsec, source, guessed, (high, low))


def scale_card(header: Header) -> float | None:
    """Arcsec per pixel where a card such as PIXSCALE gives it."""
    scale = stated_scale(header)
    return scale.arcsec if scale else None


def rescaled(header: Header, ratio: float) -> Header:
    """A header of pixels ``ratio`` times as wide: without a WCS, its cards of their size mended."""
    header = without_wcs(header)
    for keyword in dict.fromkeys((*_SCALE_CARDS, *_SECOND, *_SECOND.values())):
        value = card_value(header, keyword)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and math.isfinite(value):
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

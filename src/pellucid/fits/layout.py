"""How a FITS file is built: what each HDU is for, and which of its cards outlive the pixels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.fits.scan import HDU, quiet

if TYPE_CHECKING:
    from astropy.io.fits import Header

Role = Literal["bands", "sigma", "variance", "ivar", "mask", "copy", "header"]

COMPANIONS: dict[str, Role] = {
    **dict.fromkeys(("ERR", "ERROR", "UNCERT", "SIGMA", "STDEV", "RMS"), "sigma"),
    **dict.fromkeys(("VARIANCE", "VAR"), "variance"),
    **dict.fromkeys(("IVAR", "INVVAR"), "ivar"),
    **dict.fromkeys(("DQ", "MASK", "BADPIX"), "mask"),
    **dict.fromkeys(("WHT", "WEIGHT", "CTX", "SEG", "SEGMAP", "DOUBT", "EXPMAP"), "copy"),
}
# astropy's CCDData says in UTYPE what its UNCERT extension holds.
_UTYPES: dict[str, Role] = {
    "STDDEVUNCERTAINTY": "sigma",
    "VARIANCEUNCERTAINTY": "variance",
    "INVERSEVARIANCE": "ivar",
}
# Names that say what an HDU is, not which band it shows.
_GENERIC_NAMES = {"", "PRIMARY", "SCI", "IMAGE", "DATA", "COMPRESSED_IMAGE"}
BAND_CARDS = ("FILTER", "BAND", "FILTNAM", "FILTNAM1")
_BAND_IN_NAME = re.compile(
    r"(?:^|[-_.])([ugrizyUBVRIZYJHKL]|[Ff]\d{3,4}[A-Za-z]{1,2}|Ks|[FN]UV|VIS|W[1-4])$"
)
_SCALE_CARDS = ("PIXSCALE", "SECPIX", "SECPIX1", "PIXSCAL1")

_REPRESENTATION = re.compile(
    r"^(SIMPLE|XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|GROUPS|EXTEND|BSCALE|BZERO|BLANK|"
    r"ZHECKSUM|ZDATASUM|CHECKSUM|DATASUM|END)$"
)
_WCS = re.compile(
    r"^(WCSAXES|WCSNAME|C(TYPE|UNIT|RVAL|RPIX|DELT|ROTA)\d|(CD|PC)\d_\d|PC\d{6}|P[VS]\d_\d+|"
    r"LONPOLE|LATPOLE|RADESYS|RADECSYS|EQUINOX|EPOCH|[AB]P?_(ORDER|DMAX|\d+_\d+)|"
    r"LTV\d|LTM\d_\d)[A-Z]?$"
)
_CELESTIAL = re.compile(r"^(RA--|DEC-|.LON|.LAT|..LN|..LT)")


@dataclass(frozen=True)
class Part:
    """One HDU of a file to be written.

    Parameters
    ----------
    role
        ``bands`` holds planes of the flux, ``header`` has no data, all others are companions.
    header
        The HDU's own cards.
    planes
        Which planes of the flux it holds or accompanies.
    cube
        Whether its pixels have a band axis.
    raw
        A companion's bytes as they were read; empty for ``bands`` and ``header``.
    """

    role: Role
    header: Header
    planes: tuple[int, ...] = ()
    cube: bool = False
    raw: bytes = b""


@dataclass(frozen=True, eq=False)
class Layout:
    """How the file that an image came from is built.

    Parameters
    ----------
    parts
        The HDUs in their order.
    shape
        (band, y, x) of the image.
    variance
        The variance as it was read: while an image still carries this very array, its companion
        HDUs are copied instead of made anew.
    skipped
        Images of the file that are not bands of this image, e.g. of another shape.
    """

    parts: tuple[Part, ...]
    shape: tuple[int, int, int]
    variance: NDArray[np.float32] | None = None
    skipped: tuple[str, ...] = ()


def role_of(hdu: HDU) -> Role:
    """What an HDU is for, by its name: a band unless the name says otherwise."""
    if hdu.kind != "image":
        return "copy" if hdu.shape or hdu.number else "header"
    with quiet():
        utype = str(hdu.header.get("UTYPE", "")).upper()
    if utype in _UTYPES:
        return _UTYPES[utype]
    if "PSF" in hdu.name:
        return "copy"
    return COMPANIONS.get(hdu.name, "bands")


def is_plane_or_cube(hdu: HDU) -> bool:
    """Whether the HDU holds pixels that can be an image."""
    return hdu.kind == "image" and len(hdu.shape) in (2, 3) and 0 not in hdu.shape


def band_name(headers: Sequence[Header], extension: str, path: Path) -> str | None:
    """The band of a plane: from its FILTER card, its extension's name, or its file's name."""
    for header in headers:
        for card in BAND_CARDS:
            value = text_card(header, card)
            if value:
                return value
    if extension not in _GENERIC_NAMES:
        return extension
    stem = re.sub(r"(\.(fits?|fts|fz|gz))+$", "", path.name, flags=re.IGNORECASE)
    match = _BAND_IN_NAME.search(stem)
    return match[1] if match else None


def cube_names(header: Header, count: int) -> tuple[str, ...] | None:
    """The bands of a cube, where cards BAND1 to BANDn name them."""
    names = tuple(text_card(header, f"BAND{k + 1}") for k in range(count))
    return names if all(names) else None


def text_card(header: Header, keyword: str) -> str:
    """A card's text without blanks around it; empty where the card is absent or a number."""
    with quiet():
        value = header.get(keyword, "")
    return value.strip() if isinstance(value, str) else ""


def scale_card(header: Header) -> float | None:
    """Arcsec per pixel where a card such as PIXSCALE gives it."""
    with quiet():
        values = [header.get(keyword) for keyword in _SCALE_CARDS]
    for value in values:
        if isinstance(value, (int, float)) and np.isfinite(value) and value != 0:
            return abs(float(value))
    return None


def is_celestial(header: Header) -> bool:
    """Whether the first axis is a coordinate on the sky."""
    return any(_CELESTIAL.match(text_card(header, f"CTYPE{axis}").upper()) for axis in (1, 2))


def lasting_cards(header: Header) -> list[str]:
    """The cards that say something of the sky, not of how the pixels were stored, verbatim."""
    return [str(card) for card in header.cards if not _REPRESENTATION.match(card.keyword)]


def without_wcs(header: Header) -> Header:
    """A header without the cards that place pixels on the sky."""
    kept = header.copy()
    for keyword in {card.keyword for card in kept.cards if _WCS.match(card.keyword)}:
        kept.remove(keyword, remove_all=True)
    return kept


def wcs_cards(header: Header) -> Header:
    """Only the cards that place pixels on the sky."""
    from astropy.io.fits import Header

    return Header([card for card in header.cards if _WCS.match(card.keyword)])


def shared_cards(headers: Sequence[Header]) -> Header:
    """The cards on which all files agree; what places or names one band stays with the band."""
    from astropy.io.fits import Header

    own = {"EXTNAME", "EXTVER", "BUNIT", "INHERIT", *BAND_CARDS, "COMMENT", "HISTORY", ""}

    def same(keyword: str) -> bool:
        return all(repr(h.get(keyword)) == repr(headers[0][keyword]) for h in headers)

    return Header(
        card
        for card in headers[0].cards
        if card.keyword not in own
        and not _WCS.match(card.keyword)
        and not _REPRESENTATION.match(card.keyword)
        and same(card.keyword)
    )


def with_inherited(header: Header, primary: Header) -> Header:
    """An extension's header with the cards it had from its file's primary header."""
    merged = header.copy()
    held = {card.keyword for card in merged.cards}
    for card in primary.cards:
        if card.keyword not in held and not _REPRESENTATION.match(card.keyword):
            merged.append(card, bottom=True)
    return merged


def duplicates(names: Iterable[str]) -> list[str]:
    """Names that occur more than once."""
    names = list(names)
    return sorted({name for name in names if names.count(name) > 1})

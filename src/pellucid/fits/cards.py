"""Cards of a header: read without remarks, chosen by what they say."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pellucid.quiet import quiet

if TYPE_CHECKING:
    from astropy.io.fits import Card, Header

BAND_CARDS = ("FILTER", "BAND", "FILTNAM", "FILTNAM1", "FILTER1", "FILTER2")
BAND_CARDS += ("FPA.FILTER", "FPA.FILTERID", "LSST BUTLER DATAID BAND")
BAND_CARDS += ("LSST BUTLER DATAID PHYSICAL_FILTER", "PHYSICAL_FILTER")
_REPRESENTATION = re.compile(
    r"^(SIMPLE|XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|GROUPS|EXTEND|BSCALE|BZERO|BLANK|"
    r"ZHECKSUM|ZDATASUM|CHECKSUM|DATASUM|END)$"
)
# What an image has of its own stands in the table's header without a Z; these are the table's.
_TABLE = re.compile(
    r"^(XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|THEAP|"
    r"T(TYPE|FORM|UNIT|DIM|NULL|SCAL|ZERO|DISP)\d+|"
    r"Z(IMAGE|SIMPLE|TENSION|EXTEND|BLOCKED|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TILE\d+|CMPTYPE|NAME\d+|"
    r"VAL\d+|MASKCMP|QUANTIZ|DITHER0|BLANK|SCALE|ZERO|HECKSUM|DATASUM))$"
)
# The solution of a scanned plate (the Digitized Sky Survey).
_PLATE_CARDS = r"AMD(?:RE)?[XY]\d+|PPO\d|CNPIX\d|PLT(?:RA[HMS]|DEC(?:SN|[DMS]))|[XY]PIXELSZ"
_WCS = re.compile(
    r"^(WCSAXES|WCSNAME|C(TYPE|UNIT|RVAL|RPIX|DELT|ROTA)\d|(CD|PC)\d_\d|PC\d{6}|P[VS]\d_\d+|"
    r"LONPOLE|LATPOLE|RADESYS|RADECSYS|EQUINOX|EPOCH|[AB]P?_(ORDER|DMAX|\d+_\d+)|"
    r"LTV\d|LTM\d_\d|WAT\d_\d{3}|C[PQ](DIS|ERR)\d|D[PQ]\d(\..*)?|D2IM(ARR|DIS\d|ERR\d|EXT)|"
    rf"{_PLATE_CARDS})[A-Z]?$"
)
_HUGE = re.compile(r"[DE]\+?\d{3}", re.IGNORECASE)
_PLATE = re.compile(rf"({_PLATE_CARDS})$")


def card_value(header: Header, keyword: str) -> Any:
    """A card's value; None where the card is absent or nothing can be made of it."""
    if keyword not in header:  # as most are that are asked for: to be quiet costs more than to look
        return None
    from astropy.io.fits import VerifyError

    with quiet():
        try:
            return header[keyword]
        except VerifyError:
            return None


def text_card(header: Header, keyword: str) -> str:
    """A card's text without blanks around it; empty where the card is absent or a number."""
    value = card_value(header, keyword)
    return value.strip() if isinstance(value, str) else ""


def with_lasting_cards(structure: Iterable[Card], header: Header) -> Header:
    """These cards, then those of ``header`` that say nothing of how pixels are stored, verbatim."""
    from astropy.io.fits import Header

    lasting = (card for card in header.cards if not _REPRESENTATION.match(card.keyword))
    return Header.fromstring("".join(map(str, [*structure, *lasting])))


def without_table(header: Header) -> Header:
    """A tile-compressed image's header without the cards of the table that holds it, verbatim."""
    from astropy.io.fits import Header

    return Header.fromstring(
        "".join(str(card) for card in header.cards if not _TABLE.match(card.keyword))
    )


def without_wcs(header: Header) -> Header:
    """A header without the cards that place pixels on the sky."""
    kept = header.copy()
    for keyword in {card.keyword for card in kept.cards if _WCS.match(card.keyword)}:
        kept.remove(keyword, remove_all=True)
    return kept


def without_infinite(header: Header) -> Header:
    """A copy of a header without 1e400 and its like, which wcslib reads, but nobody can write.

    Raises
    ------
    ValueError
        When a card that places pixels on the sky has such a value.
    """
    kept = header.copy()
    for keyword in {card.keyword for card in kept.cards if _HUGE.search(str(card))}:
        value = card_value(kept, keyword)
        if isinstance(value, float) and not math.isfinite(value):
            if _WCS.match(keyword):
                raise ValueError(f"{keyword} is infinite")
            kept.remove(keyword, remove_all=True)
    return kept


def without_plate_cards(header: Header) -> Header:
    """A header without those of a scanned plate, of which any alone makes wcslib look for all."""
    kept = header.copy()
    for keyword in {card.keyword for card in kept.cards if _PLATE.match(card.keyword)}:
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
        return len({repr(card_value(header, keyword)) for header in headers}) == 1

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


#: What pellucid's own lines hold, as ASCII has it.
_SPELLED = str.maketrans({"×": "x", "″": '"', "−": "-", "σ": "sigma", "χ": "chi", "²": "2"})


def ascii_text(value: Any) -> Any:
    """FITS headers hold printable ASCII only."""
    if not isinstance(value, str):
        return value
    value = value.translate(_SPELLED)
    return "".join(c if " " <= c <= "~" else "?" for c in value.replace("\n", " "))

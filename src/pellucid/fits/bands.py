"""What the cards of a header say of the bands that its pixels show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pellucid.fits.cards import BAND_CARDS, ascii_text, card_value, text_card
from pellucid.sky.band_names import short_name
from pellucid.sky.bands import wavelength

if TYPE_CHECKING:
    from astropy.io.fits import Header

#: Cards in which programs for cameras sign, and the programs whose cubes of three are red, green
#: and blue.
_SIGNATURES = ("PROGRAM", "CREATOR", "SWCREATE", "SOFTWARE", "SWMODIFY", "SWOWNER", "ORIGIN")
_COLOUR_PROGRAMS = re.compile(
    r"siril|pixinsight|asiair|seestar|zwo|n\.?i\.?n\.?a|sharpcap|astropixelprocessor|"
    r"maxim|dwarf|ekos|kstars|deepskystacker|\bdss\b|asistudio|asideep|astap|starnet",
    re.IGNORECASE,
)
CAMERA = ("R", "G", "B")
#: What filter wheels call a place that leaves all light through, or only polarises it.
_NO_FILTER = re.compile(
    r"CLEAR\d*[LS]?|OPEN\d*|EMPTY\d*|BLANK\d*|NONE|N/A|NULL|AIR|POL\d+(UV|V)|_?UNKNOWN_?",
    re.IGNORECASE,
)
_JWST = re.compile(r"F\d{3,4}[WMN]2?")
#: A band as the last word of a name.
BAND_WORD = r"[ugrizyUBVRIZYJHKL]|[Ff]\d{3,4}[A-Za-z]{1,2}|Ks|[FN]UV|VIS|W[1-4]"
#: Cards that count the bands of a camera, by what tells that they are its, and before the number.
_COUNTED = (
    ("BAND", re.compile(r"\b((UN|ALL|NEO)?WISE\b|UNW_)", re.IGNORECASE), "W"),
    ("CHNLNUM", re.compile(r"\bIRAC\b", re.IGNORECASE), "ch"),
)
_MAKERS = ("ORIGIN", "TELESCOP", "INSTRUME", "SURVEY", "OBSERVAT")
_RELEASE = re.compile(r"[PE]?DR\d+(\.\d+)?", re.IGNORECASE)
#: Surveys whose last letter is a photographic plate's, or a line's.
_PLATES = re.compile(r"POSS|SERC|AAO|UKST|SHASSA", re.IGNORECASE)
#: How cards that name one plane each begin, before its number; cards that may name all of them,
#: the last of which name the filter of a single plane as well.
_STEMS = ("BAND", "FILTER", "FILT", "FILTNAM", "PLANE", "BAND_", "FILTER_", "BAND0", "FILTER0")
_LISTS = ("BANDS", "FILTERS", "FILTER", "BAND")
_LETTERS = re.compile(r"[ugrizy]+|[JHK]+")
_BAND_AXIS = re.compile(r"(FILTER|BAND|PASSBAND)S?", re.IGNORECASE)
_PLANE = re.compile(
    r"\W*(?:plane|band|layer|slice|channel)\s*#?\s*(\d+)\s*[:=]?\s*([\w.+]+)\s*$", re.IGNORECASE
)
_MOSAIC_CARDS = ("BAYERPAT", "COLORTYP", "CFAPAT", "BAYRPAT", "CFA-PAT")
_MOSAIC = re.compile(r"(?:BAYER[ _]?)?([RGBCMYW]{4,36})", re.IGNORECASE)


def filter_name(header: Header) -> str:
    """The band that a header's cards name; empty where they do not.

    Of a wheel's empty places (HST's CLEAR1L, JWST's CLEAR before the pupil's F150W) none is a band.
    A clear filter is one where no card speaks of another.
    """
    texts = [text_card(header, card) for card in BAND_CARDS]
    # Behind a clear filter, JWST's NIRISS has one in its pupil wheel.
    texts += [text for text in (text_card(header, "PUPIL"),) if _JWST.fullmatch(text)]
    named = [re.sub(r"\.0{3,}$", "", text) for text in texts if text]  # r.00000 (Pan-STARRS)
    for text in named:
        words = [word for word in re.split(r"[;,+\s]+", text) if not _NO_FILTER.fullmatch(word)]
        if words:
            whole = len(words) == len(re.split(r"[;,+\s]+", text))
            return text if whole else ";".join(words)
    clear = next((text for text in named if text.lower() == "clear"), "")
    return clear or _counted_band(header) or _survey_band(header)


def _counted_band(header: Header) -> str:
    """The band of a camera whose cards count its bands: W1 of WISE, ch1 of IRAC."""
    for card, maker, stem in _COUNTED:
        number = card_value(header, card)
        if type(number) is int and 1 <= number <= 4:
            said = [*(text_card(header, each) for each in _MAKERS), header.comments[card], *header]
            if maker.search(" ".join(said)):
                return f"{stem}{number}"
    return ""


def _survey_band(header: Header) -> str:
    """The band that a survey's name ends in: ``SDSS-r  DR7``, ``2MASS-J``, ``PS1 g``, ``SDSSr``."""
    text = _RELEASE.sub(" ", text_card(header, "SURVEY"))
    words = re.findall(r"[^\s_,:/-]+", text)
    if not words or _PLATES.search(text):
        return ""
    if len(words) > 1 and re.fullmatch(BAND_WORD, words[-1]):
        return words[-1]
    glued = short_name(words[-1]) if len(words[-1]) > 2 else ""
    return glued if len(glued) == 1 else ""


def cube_names(header: Header, count: int) -> tuple[str, ...] | None:
    """The bands of a cube, where cards name them; None where none do.

    BAND1 to BANDn or BAND0 to BANDn−1, FILTER1 to FILTERn and their like hold one name each, BANDS
    all of them (``grz`` or ``g,r,z``), as may FILTER or comments. A cube of three in which CTYPE3
    or a camera's program says so is R, G, B.
    """
    for cards in _numbered(header, count):
        return tuple(text_card(header, card) for card in cards)
    for keyword in _LISTS:
        names = _listed(text_card(header, keyword), count, keyword.endswith("S"))
        if names and (count > 1 or keyword.endswith("S")):
            return names
    if names := commented_names(header, count):
        return names
    return CAMERA if count == 3 and is_colour(header) else None


def commented_names(header: Header, count: int) -> tuple[str, ...] | None:
    """The bands of a cube's planes by the comments of its header; None where these do not say.

    Beside the cards of an axis that is one of bands stand all of them, or a COMMENT for each gives
    its number and its name.
    """
    if count == 1:
        return None
    if _BAND_AXIS.fullmatch(text_card(header, "CTYPE3")):
        for keyword in ("CTYPE3", "CRVAL3", "CNAME3", "NAXIS3"):
            if keyword in header and (names := _listed(str(header.comments[keyword]), count)):
                return names
    lines = (_PLANE.match(str(line)) for line in header.get("COMMENT") or ())
    found = {int(line[1]): line[2] for line in lines if line and wavelength(line[2])}
    first = min(found, default=0)
    if first > 1 or sorted(found) != list(range(first, first + count)):
        return None
    return tuple(found[first + k] for k in range(count))


def _numbered(header: Header, count: int) -> list[list[str]]:
    """The cards that name ``count`` planes, one each, in each of their forms.

    FILTER1 and FILTER2 are wheels as well: they name planes where there are as many, all of them
    of another name and none an empty place.
    """
    found = []
    for stem in _STEMS:
        for first in (1, 0):
            if f"{stem}{first}" not in header:
                continue
            cards = [f"{stem}{first + k}" for k in range(count)]
            names = [text_card(header, card) for card in cards]
            wheels = (
                count == 1
                or f"{stem}{first + count}" in header
                or len(set(names)) < count
                or any(_NO_FILTER.fullmatch(name) for name in names)
            )
            if all(names) and not (wheels and stem != "BAND"):
                found.append(cards)
                break
    return found


def _listed(text: str, count: int, sure: bool = False) -> tuple[str, ...] | None:
    """The names in a text of ``count`` of them; unless ``sure``, each must be that of a band."""
    words = tuple(word for word in re.split(r"[\s,;/|]+", text) if word)
    if len(words) == count and (sure or len({*filter(wavelength, words)}) == count):
        return words
    return tuple(text) if len(text) == count and (sure or _LETTERS.fullmatch(text)) else None


def band_names_of(header: Header, count: int) -> tuple[str, ...]:
    """The bands of an HDU of ``count`` planes as its cards name them; empty where they do not."""
    if names := cube_names(header, count):
        return names
    return tuple(filter(None, [filter_name(header)])) if count == 1 else ()


def name_planes(header: Header, names: Sequence[str], depth: int) -> None:
    """Let every card that named the ``depth`` planes of a cube name those that it has now."""
    from astropy.io.fits import Header

    first = 0 if "BAND0" in header and f"BAND{depth}" not in header else 1
    for keyword in _LISTS:
        if cube_names(Header({keyword: text_card(header, keyword)}), depth):
            header[keyword] = ascii_text(("" if max(map(len, names)) == 1 else ",").join(names))
    for cards in _numbered(header, depth):
        for name, card in zip(names, cards, strict=False):
            header[card] = ascii_text(name)
        for card in cards[len(names) :]:
            header.remove(card)
    for k in (*range(first), *range(first + len(names), first + depth)):
        header.remove(f"BAND{k}", ignore_missing=True)
    for k, name in enumerate(names):
        header[f"BAND{first + k}"] = (ascii_text(name), "band of this plane")


def is_colour(header: Header) -> bool:
    """Whether a cube of three planes is a camera's red, green and blue."""
    if any(text_card(header, card).upper() == "RGB" for card in ("CTYPE3", "COLORSPC", "COLORMOD")):
        return True
    signed = " ".join(text_card(header, card) for card in _SIGNATURES)
    return bool(mosaic_pattern(header) or _COLOUR_PROGRAMS.search(signed))


def mosaic_pattern(header: Header) -> str | None:
    """The card and the colours of a Bayer mosaic, such as ``BAYERPAT = RGGB``; None without one."""
    for keyword in _MOSAIC_CARDS:
        match = _MOSAIC.fullmatch(text_card(header, keyword))
        if match and len(set(match[1].upper())) > 1:
            return f"{keyword} = {match[1].upper()}"
    return None

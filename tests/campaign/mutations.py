"""Ways to damage a file: blindly, byte by byte, or where its format says what stands where."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import numpy as np

Mutation = Callable[[bytes, np.random.Generator], bytes]

BLOCK, CARD = 2880, 80
#: Values that cards, JSON and YAML are given.
WORDS = (
    "0", "-1", "1", "2", "3.5", "1e400", "-1e-400", "NaN", "Infinity", "99999999999999999999", "T",
    "F", "'text'", "''", "'0'", "(1,2)", "1D5", "0x10", "16", "-32", "64", "-64", "8", "2880",
    "1 2", "1000000000", "'BINTABLE'", "'IMAGE   '", "", "'unfinished", "'\x07\x1b[31m'", "'é'",
    "'" + "A" * 66 + "'",
)  # fmt: skip
KEYWORDS = (
    "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "BITPIX", "BSCALE", "BZERO", "BLANK", "EXTNAME",
    "XTENSION", "PCOUNT", "GCOUNT", "TFIELDS", "TFORM1", "TTYPE1", "TDIM1", "ZIMAGE", "ZCMPTYPE",
    "ZBITPIX", "ZNAXIS", "ZTILE1", "BUNIT", "FILTER", "BAND", "CTYPE1", "CTYPE2", "CRVAL1",
    "CRPIX1", "CD1_1", "CDELT1", "PC1_1", "CUNIT1", "RADESYS", "EQUINOX", "SEEING", "PIXSCALE",
    "EXPTIME", "GAIN", "OBJECT", "TELESCOP", "CONTINUE", "COMMENT", "HISTORY", "END",
    "HIERARCH A B", "EXTEND", "SIMPLE", "INHERIT", "EXTVER", "DATE-OBS", "A_ORDER", "A_2_0",
    "BSOFTEN", "LTV1", "DET_YX0", "POLDEG1", "PSF_SAMP", "PLCTYPE", "PLCBANDS", "CHECKSUM",
)  # fmt: skip


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes are others."""
    found = bytearray(content)
    for place in rng.integers(len(found), size=rng.integers(1, 30)):
        found[place] = rng.integers(256)
    return bytes(found)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """It ends early."""
    return content[: rng.integers(len(content))]


def grown(content: bytes, rng: np.random.Generator) -> bytes:
    """Something follows."""
    return content + rng.bytes(int(rng.integers(1, 6000)))


def spliced(content: bytes, rng: np.random.Generator) -> bytes:
    """A piece is lost, twice there, or somewhere else."""
    first, last = np.sort(rng.integers(len(content) + 1, size=2))
    piece, place = content[first:last], int(rng.integers(len(content)))
    rest = content[:first] + content[last:]
    return [rest, content[:place] + piece + content[place:], rest[:place] + piece + rest[place:]][
        rng.integers(3)
    ]


def without_block(content: bytes, rng: np.random.Generator) -> bytes:
    """A block of 2880 bytes is lost."""
    first = BLOCK * int(rng.integers(-(-len(content) // BLOCK)))
    return content[:first] + content[first + BLOCK :]


def another_card(content: bytes, rng: np.random.Generator) -> bytes:
    """Cards of its headers get other values, other keywords, or come twice."""
    found = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        places = _cards(bytes(found))
        if not places:
            break
        place = int(rng.choice(places))
        keyword = found[place : place + 8].decode("latin-1").rstrip()
        if rng.random() < 0.5:
            keyword = str(rng.choice(KEYWORDS))
        found[place : place + CARD] = _card(keyword, str(rng.choice(WORDS)), rng)
    return bytes(found)


def a_card_more(content: bytes, rng: np.random.Generator) -> bytes:
    """A card stands in the way of another, all behind it one further on."""
    places = _cards(content)
    if not places:
        return content
    place = int(rng.choice(places))
    end = (place // BLOCK + 1) * BLOCK
    card = _card(str(rng.choice(KEYWORDS)), str(rng.choice(WORDS)), rng)
    return content[:place] + card + content[place : end - CARD] + content[end:]


def no_end(content: bytes, rng: np.random.Generator) -> bytes:
    """A header that does not end."""
    ends = [
        place for place in range(0, len(content), CARD) if content[place : place + 8] == b"END     "
    ]
    if not ends:
        return content
    place = int(rng.choice(ends))
    return content[:place] + b" " * CARD + content[place + CARD :]


def packed(content: bytes, rng: np.random.Generator) -> bytes:
    """Gzipped, once or more often, and then damaged."""
    for _ in range(rng.integers(1, 4)):
        content = gzip.compress(content, 1)
    return [content, flipped(content, rng), cut(content, rng)][rng.integers(3)]


def nested(content: bytes, rng: np.random.Generator) -> bytes:
    """Text in which something is nested without end."""
    depth = int(rng.integers(10, 20_000))
    kinds = (b"[" * depth, b"{a: " * depth, b"- " * depth, b'{"a":' * depth, b"<a>" * depth)
    place = int(rng.integers(len(content) + 1))
    return content[:place] + kinds[rng.integers(len(kinds))] + content[place:]


def reworded(content: bytes, rng: np.random.Generator) -> bytes:
    """Words of a text are others."""
    words = content.split(b" ")
    for place in rng.integers(len(words), size=rng.integers(1, 6)):
        words[place] = str(rng.choice(WORDS)).encode("utf-8")
    return b" ".join(words)


def _cards(content: bytes) -> list[int]:
    """Where the cards of the first headers stand."""
    places, place = [], 0
    while place + CARD <= min(len(content), 40 * BLOCK) and len(places) < 400:
        card = content[place : place + CARD]
        if card[8:9] == b"=" or card[:8] in (b"COMMENT ", b"HISTORY "):
            places.append(place)
        place += CARD
    return places


def _card(keyword: str, value: str, rng: np.random.Generator) -> bytes:
    text = f"{keyword:8.8s}= {value:>20s}" if rng.random() < 0.8 else f"{keyword:8.8s}{value}"
    return text.encode("latin-1", "replace")[:CARD].ljust(CARD)


#: Of any file.
ANY: tuple[Mutation, ...] = (flipped, cut, grown, spliced)
OF_FITS: tuple[Mutation, ...] = (
    *ANY,
    *(another_card,) * 3,
    *(a_card_more,) * 2,
    without_block,
    no_end,
    packed,
)
OF_TEXT: tuple[Mutation, ...] = (*ANY, nested, reworded, reworded)

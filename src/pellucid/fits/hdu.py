"""What one HDU of an open FITS file is: its kind and its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from pellucid.fits.cards import card_value, text_card, without_table

if TYPE_CHECKING:
    from astropy.io.fits import Card, Header

# By astropy's classes; it has others for what it cannot make sense of.
_KINDS = {
    **dict.fromkeys(("PrimaryHDU", "ImageHDU", "CompImageHDU"), "image"),
    **dict.fromkeys(("BinTableHDU", "TableHDU"), "table"),
    "GroupsHDU": "random groups",
    "NonstandardExtHDU": "foreign",
}
BLOCK = 2880
_PRINTABLE = bytes(
    k if 32 <= k < 127 else ord(" ") if k in b"\0\t\n\r" else ord("?") for k in range(256)
)
#: Axes, and fields of a table, that FITS has at most, and the cards that count them.
MOST = 999
_COUNTS = re.compile(rb"(Z?NAXIS|TFIELDS) *= *'? *\+?(\d+)")
_PIXEL_TYPES = (8, 16, 32, 64, -32, -64)


@dataclass(frozen=True, eq=False)
class HDU:
    """Where one HDU lies in its file, and what its header says it is."""

    number: int
    name: str
    version: int  # EXTVER, 1 where the header says nothing
    kind: str  # image, table, random groups or foreign
    shape: tuple[int, ...]  # as in numpy, of more than three axes; empty without pixels
    bitpix: int  # bits a pixel, negative for floating point
    header: Header  # its cards verbatim; of a tile-compressed image, those of the image
    start: int  # bytes of the file at which the header and the data begin, and how many these are
    data: int
    size: int
    stored: tuple[int, ...]  # ``shape`` with the axes of length 1 that say nothing
    mended: bool  # whether its header held what FITS forbids

    def __str__(self) -> str:
        """As a user would choose it, with its shape."""
        size = "×".join(map(str, self.stored)) if self.stored else "empty"
        return f"{self.number} {self.name or 'unnamed'} ({self.kind}, {size})"

    @property
    def end(self) -> int:
        """The byte at which the next HDU begins: data are padded to whole blocks."""
        return self.data + -(-self.size // BLOCK) * BLOCK

    @property
    def is_plane_or_cube(self) -> bool:
        """Whether it holds pixels that can be an image."""
        return self.kind == "image" and len(self.shape) in (2, 3) and 0 not in self.shape


def describe(number: int, opened: Any, stream: IO[bytes]) -> HDU:
    """What an HDU is that astropy has opened; raises whatever its header makes astropy raise."""
    from astropy.io.fits import Header

    kind = _KINDS.get(type(opened).__name__)
    if kind is None:
        raise ValueError("it is of no kind that FITS knows")
    place = opened.fileinfo()
    stream.seek(place["hdrLoc"])
    # Read again: of a compressed image astropy keeps no repeated cards.
    raw = stream.read(place["datLoc"] - place["hdrLoc"])
    clean = printable(raw)
    header: Any = readable(Header.fromstring(clean))
    # A file that was uncompressed may have kept the cards of its tiles.
    packed = "Z" if type(opened).__name__ == "CompImageHDU" else ""
    bitpix, axes = header[f"{packed}BITPIX"], header[f"{packed}NAXIS"]
    stored = tuple(header[f"{packed}NAXIS{k}"] for k in range(axes, 0, -1))
    for name in (f"{packed}NAXIS{k}" for k in range(1, axes + 1)):
        if len({header[name, k] for k in range(header.count(name))}) > 1:
            raise ValueError(f"it has two values of {name}")  # astropy takes now this, now that
    if bitpix not in _PIXEL_TYPES:
        raise ValueError(f"BITPIX is {bitpix}")
    if min(stored, default=0) < 0:
        raise ValueError("it has a negative size")
    version = card_value(header, "EXTVER")
    return HDU(
        number,
        text_card(header, "EXTNAME").upper() or ("" if number else "PRIMARY"),
        version if isinstance(version, int) else 1,
        kind,
        without_idle_axes(stored),
        bitpix,
        without_table(header) if packed else header,
        place["hdrLoc"],
        place["datLoc"],
        header.data_size,
        stored,
        clean != raw,
    )


def check_counts(stream: IO[bytes]) -> None:
    """Raise where the header at a stream's place promises more axes or fields than FITS has.

    astropy would count them for ever; the stream stays where it is.
    """
    place = stream.tell()
    while block := stream.read(BLOCK):
        cards = [block[k : k + 80] for k in range(0, len(block), 80)]
        for card in cards:
            match = _COUNTS.match(card)
            if match and int(match[2][:12]) > MOST:
                what = "fields" if match[1] == b"TFIELDS" else "axes"
                raise ValueError(f"it promises more {what} than FITS has")
        if any(card[:8] == b"END     " for card in cards):
            break
    stream.seek(place)


def printable(raw: bytes) -> bytes:
    """A header's bytes with blanks for tabs and line ends, and ? for what else FITS forbids.

    A CONTINUE card that continues nothing becomes a COMMENT.
    """
    text = raw.translate(_PRINTABLE)
    if b"CONTINUE  " not in text:
        return text
    cards = [text[k : k + 80] for k in range(0, len(text), 80)]
    for k, card in enumerate(cards[1:], 1):
        if card.startswith(b"CONTINUE  ") and b"&'" not in cards[k - 1]:
            cards[k] = b"COMMENT " + card[8:]  # astropy would spoil the card before it
    return b"".join(cards)


def readable(header: Header) -> Header:
    """A header whose cards can be read: one of whose value nothing can be made is a comment.

    So it says nothing to who asks for its keyword, and what it said stays in the file.
    """
    cards = list(header.cards)
    odd = {k for k, card in enumerate(cards) if not _has_value(card)}
    if not odd:
        return header
    texts = [
        f"COMMENT {str(card).rstrip()[:72]}".ljust(80) if k in odd else str(card)
        for k, card in enumerate(cards)
    ]
    return type(header).fromstring("".join(texts))


def _has_value(card: Card) -> bool:
    """Whether a card's value can be read, and set where it is to be another."""
    from astropy.io.fits import Card, VerifyError

    try:
        _ = card.value
        text = str(card)
        if text[8:10] != "= " and card.keyword not in ("", "COMMENT", "HISTORY", "END"):
            again = Card.fromstring(text)
            _ = again.value  # only then it knows that it is none
            again.value = ""
    except (VerifyError, ValueError):
        return False
    return True


def without_idle_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape of at most three axes where the others have length 1, as a radio image's have."""
    planes = list(shape[:-2])
    while len(planes) > 1 and 1 in planes:
        planes.remove(1)
    whole = (*planes, *shape[-2:])
    return whole[1:] if len(shape) > 3 and whole[:-2] == (1,) else whole


def as_extension(raw: bytes) -> bytes:
    """The bytes of an image's HDU as those of an extension, whatever it said of its counts."""
    from astropy.io.fits import Header

    header: Any = Header.fromstring(raw)
    size = len(header.tostring())
    header.remove("EXTEND", ignore_missing=True)
    cards = [str(card) for card in header.cards]
    axes = 3 + int(header["NAXIS"])
    counts = [f"{name:8}= {value:>20}".ljust(80) for name, value in (("PCOUNT", 0), ("GCOUNT", 1))]
    start = ["XTENSION= 'IMAGE   '".ljust(80), *cards[1:axes], *counts]
    rest = [card for card in cards[axes:] if card[:8].strip() not in ("PCOUNT", "GCOUNT")]
    return Header.fromstring("".join(start + rest)).tostring().encode("ascii") + raw[size:]

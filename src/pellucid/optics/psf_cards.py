"""The PSF that a header's cards state as a FWHM: SEEING, FWHM, PSF_FWHM, IQ and their kin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pellucid.quiet import quiet
from pellucid.sky.image import SkyImage
from pellucid.sky.psf import PSF, gaussian_psf, moffat_psf, stacked

if TYPE_CHECKING:
    from astropy.io.fits import Card, Header

#: Words that a card of the image's own FWHM ends in, most trusted first, and whether the word is
#: one of the sky, so that arcsec are meant where nothing says otherwise. FWHM alone is not.
_WORDS = {
    "PSF_FWHM": True,
    "PSFFWHM": True,
    "SEEING_FWHM": True,
    "IQ": True,
    "FINALIQ": True,
    "IQFINAL": True,
    "MEANFWHM": True,
    "SEEING": True,
    "SEEING_MODE": True,
    "PSFSIZE": True,
    "FWHM": False,
    "FWHM_IMAGE": False,
    "FWHM_WORLD": True,
}
#: Words of cards that speak of something else: the night, the guider, a filter, or an error.
_OTHERS = re.compile(
    r"(^|_)(AMBI|DIMM|GUID|GUIDE|AG|REQ|MIN|MAX|ERR|ERROR|RMS|STD|STDEV|START|END|INS|FILT|LINE|TEL)(_|$)"
)
_UNIT_IN_KEYWORD = {"ARCSEC": "arcsec", "ASEC": "arcsec", "AS": "arcsec", "PIX": "pixel",
                    "PIXEL": "pixel", "PIXELS": "pixel", "PX": "pixel"}  # fmt: skip
_ARCSEC = re.compile(r"arc ?-?sec|\basec\b|''|\"|\[as\]|\bseconds? of arc", re.IGNORECASE)
_PIXEL = re.compile(r"\bpix(el)?s?\b|\bpx\b", re.IGNORECASE)
_MOFFAT = ("PSF_BETA", "PSFBETA", "MOFFBETA", "MOFFAT_BETA", "PSF_MOFFAT_BETA")
#: FWHM that a telescope's images have: arcsec from the ground, and least pixels.
_GROUND, _LEAST_PIXELS = (0.25, 2.5), 1.2
#: And any image's, arcsec; and pixels, see `pellucid.optics.blur.NARROWEST`.
_ANY, _NARROWEST = (0.01, 30.0), 0.8


class CardFWHM(NamedTuple):
    """What a header says of an image's FWHM: in arcsec, or None where its unit cannot be known."""

    fwhm: float | None
    beta: float | None  # of a Moffat profile; None for a Gaussian
    note: str


def psf_from_cards(image: SkyImage) -> PSF | None:
    """The Gaussian, or Moffat profile, whose FWHM the headers of an image's bands state.

    None where one does not, or does not say in which unit; `unknown_unit` tells.
    """
    if image.pixel_scale is None:
        return None
    stated = _of_bands(image)
    psfs = []
    for card in stated:
        if card is None or card.fwhm is None:
            return None
        if card.beta is None:
            psfs.append(gaussian_psf(card.fwhm, image.pixel_scale))
        else:
            psfs.append(moffat_psf(card.fwhm, image.pixel_scale, card.beta))
    notes = tuple(dict.fromkeys(card.note for card in stated if card is not None))
    return PSF(
        stacked([psf.stamps[0] for psf in psfs]),
        image.pixel_scale,
        bands=image.bands,
        origin="header",
        notes=notes,
    )


def unknown_unit(image: SkyImage) -> str:
    """Why the header's FWHM cannot be used; empty where it could, or states none."""
    stated = _of_bands(image) if image.pixel_scale else []
    return next((card.note for card in stated if card is not None and card.fwhm is None), "")


def card_fwhm(header: Header, pixel_scale: float) -> CardFWHM | None:
    """The FWHM in arcsec that a header states; None where it states none."""
    best = min(_candidates(header), key=lambda found: found[0], default=None)
    if best is None:
        return None
    _, card, value, unit, on_sky = best
    name = f"{card.keyword} = {value:g}"
    unit, reason = _unit(value, unit, on_sky, pixel_scale)
    if unit is None:
        return CardFWHM(None, None, f"{name} in the header may be arcsec or pixels")
    fwhm = value if unit == "arcsec" else value * pixel_scale
    if not _ANY[0] < fwhm < _ANY[1]:
        return None
    if fwhm < _NARROWEST * pixel_scale:
        width = f"{fwhm / pixel_scale:.1f} pixels, narrower than any star in them"
        return CardFWHM(None, None, f"{name} {unit} in the header is {width}")
    beta = _beta(header)
    shape = "a Gaussian" if beta is None else f"a Moffat profile (beta {beta:g})"
    note = f'the psf is {shape} of FWHM {fwhm:.2f}", from the header: {name} {unit}{reason}'
    return CardFWHM(fwhm, beta, note)


def _of_bands(image: SkyImage) -> list[CardFWHM | None]:
    """What the headers of each band say: its own, or that of the file.

    Those of a band that was restored tell of what it was restored from, and say nothing.
    """
    from pellucid.fits import restored_bands

    assert image.pixel_scale is not None
    parts = getattr(image.layout, "parts", ())
    primary = parts[0].header if parts else None
    headers: list[list[Any]] = [[image.header] for _ in image.bands]
    for part in parts:
        if part.role == "bands":
            for plane in part.planes:
                if plane < len(headers):
                    headers[plane] = [part.header, primary]
    told = zip(headers, restored_bands(image), strict=True)
    return [
        next(
            (card for header in own if header is not None and not restored
             and (card := card_fwhm(header, image.pixel_scale)) is not None),
            None,
        )
        for own, restored in told
    ]  # fmt: skip


def _candidates(header: Header) -> Iterator[tuple[int, Card, float, str | None, bool]]:
    """Cards that state a FWHM: trust (0 most), card, value, the unit that they say, and kind."""
    with quiet():
        cards = [card for card in header.cards if card.keyword not in ("", "COMMENT", "HISTORY")]
        for card in cards:
            keyword = re.sub(r"[ .\-]+", "_", card.keyword.upper())
            if not any(word in keyword for word in ("FWHM", "SEEING", "IQ", "PSFSIZE")):
                continue
            parts = keyword.split("_")
            unit = _UNIT_IN_KEYWORD.get(parts[-1]) if len(parts) > 1 else None
            stem = "_".join(parts[:-1]) if unit else keyword
            for suffix, told in (("ARCSEC", "arcsec"), ("PIX", "pixel")):
                if unit is None and stem.endswith(suffix) and stem != suffix:
                    stem, unit = stem.removesuffix(suffix).rstrip("_"), told
            found = [
                (trust, on_sky)
                for trust, (word, on_sky) in enumerate(_WORDS.items())
                if stem == word or stem.endswith(f"_{word}")
            ]
            if not found or _OTHERS.search(stem):
                continue
            try:
                value, comment = card.value, str(card.comment)
            except Exception:  # astropy has many for a card that cannot be read: it says nothing
                continue
            number, words = _number(value)
            if number is not None:
                told = unit or _told(words) or _told(comment)
                yield found[0][0], card, number, told, found[0][1]


def _number(value: object) -> tuple[float | None, str]:
    """The positive number in a card's value, and the words after it."""
    if isinstance(value, bool):
        return None, ""
    if isinstance(value, (int, float)):
        return (float(value), "") if 0 < value < float("inf") else (None, "")
    match = re.match(r"\s*([0-9]*\.?[0-9]+)\s*(.*)$", str(value))
    return (float(match[1]), match[2]) if match and float(match[1]) > 0 else (None, "")


def _told(text: str) -> str | None:
    """The unit in a comment; what stands in brackets counts first, as FITS has it."""
    bracket = re.search(r"\[([^\]]*)\]", text)
    for words in (bracket[0] if bracket else "", text):
        arcsec, pixel = bool(_ARCSEC.search(words)), bool(_PIXEL.search(words))
        if arcsec != pixel:
            return "arcsec" if arcsec else "pixel"
    return None


def _unit(
    value: float, told: str | None, on_sky: bool, pixel_scale: float
) -> tuple[str | None, str]:
    """The unit of a FWHM, and the reason where the header does not tell."""
    if told:
        return told, ""
    as_arcsec = _GROUND[0] <= value <= _GROUND[1] and value >= _LEAST_PIXELS * pixel_scale
    in_pixels = value * pixel_scale
    as_pixels = value >= _LEAST_PIXELS and _GROUND[0] <= in_pixels <= _GROUND[1]
    if abs(pixel_scale - 1.0) < 0.02:
        return "arcsec", ""
    if as_arcsec and not as_pixels:
        return "arcsec", f' (as pixels it would be {in_pixels:.2f}")'
    if as_pixels and not as_arcsec:
        return "pixel", f" (as arcsec it would be {value / pixel_scale:.1f} pixels)"
    if as_arcsec and on_sky:
        return "arcsec", ", as such a card has it"
    return None, ""


def _beta(header: Header) -> float | None:
    """Slope of a Moffat profile's wings, where a card gives one."""
    from pellucid.fits import card_value

    for keyword in _MOFFAT:
        value = card_value(header, keyword)
        if isinstance(value, (int, float)) and 1.0 < value < 100.0:
            return float(value)
    return None

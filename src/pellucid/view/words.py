"""What was done to an image in words, from the cards and the HISTORY of its restoration."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pellucid.fits import card_value, text_card
from pellucid.restoration.result import LEARNED
from pellucid.sky import SkyImage

#: How lines of HISTORY begin that say again what the cards say, or nothing to who looks.
_SAID = (
    *("pellucid ", "model ", "method ", "blur fwhm ", "target fwhm ", "undone: ", "made for "),
    "INPUT_ ",
)
#: How the lines begin that a restoration begins with: the first where it was typed, the other else.
_TYPED, _VERSION = "pellucid restore ", re.compile(r"pellucid \S+: ")


def number_of(image: SkyImage, keyword: str) -> float | None:
    """A card's number; None where there is none."""
    value = None if image.header is None else card_value(image.header, keyword)
    return float(value) if isinstance(value, int | float) else None


def facts_of(image: SkyImage) -> list[tuple[str, str]]:
    """What the cards tell, term and text."""
    facts = []
    if image.header is not None and (model := text_card(image.header, "PLCMODEL")):
        facts.append(("Restored by", f"{model} (version {text_card(image.header, 'PLCVERS')})"))
    if undone := number_of(image, "PLCBLUR"):
        widths = _by_band(image, "PLCBLU")
        each = ", ".join(f"{band} {f'{width:.3g}″' if width else 'none'}" for band, width in widths)
        facts.append(("Blur undone", f"{undone:.3g}″ FWHM{f' ({each})' if each else ''}"))
    elif width := number_of(image, "PLCFWHM"):
        assert image.header is not None
        learned = LEARNED in image.header.comments["PLCFWHM"]
        facts.append(("Made for a blur of" if learned else "Blur undone", f"{width:.3g}″ FWHM"))
    if target := number_of(image, "PLCTARG"):
        facts.append(("A star is now", f"{target:.3g}″ wide"))
    if (doubt := number_of(image, "PLCDOUBT")) is not None:
        facts.append(("Doubted", f"{100 * doubt:.1f} % of the pixels"))
    if chi2 := _by_band(image, "PLCCHI"):
        found = ", ".join(f"{band} {value:.3g}" for band, value in chi2)
        facts.append(("χ², blurred again", f"{found}; about 1 is expected"))
    if (unlike := number_of(image, "PLCUNLIK")) is not None:
        facts.append(
            ("Form", f"less usual than that of {100 * unlike:.0f} % of the galaxies learned from")
        )
    return facts


def size_of(image: SkyImage) -> list[tuple[str, str]]:
    """Pixels and unit."""
    _, height, width = image.shape
    scale = f" of {image.pixel_scale:.4g}″" if image.pixel_scale else ""
    facts = [("Pixels", f"{width} × {height}{scale}")]
    return [*facts, ("Unit", image.unit)] if image.unit else facts


def numbers_of(image: SkyImage) -> dict[str, float]:
    """By what restorations are compared; χ² is that of the worst band."""
    found = {"doubt": number_of(image, "PLCDOUBT"), "unlike": number_of(image, "PLCUNLIK")}
    numbers = {key: value for key, value in found.items() if value is not None}
    chi2 = [value for _, value in _by_band(image, "PLCCHI")]
    return numbers | ({"chi2": max(chi2)} if chi2 else {})


def notes_of(lines: Sequence[str]) -> list[str]:
    """What HISTORY tells beside that of the last restoration, not of what came before it."""
    told = lines[_beginning(lines) :]
    return [line.removeprefix("note: ") for line in told if not line.startswith(_SAID)]


def _beginning(lines: Sequence[str]) -> int:
    """Where the last restoration's lines begin: at its command, or where it was none's."""
    begun = [k for k, line in enumerate(lines) if _VERSION.match(line)]
    typed = [k for k, line in enumerate(lines) if line.startswith(_TYPED)]
    last, before = (begun[-1:] or [0])[0], (begun[-2:-1] or [-1])[0]
    return next((k for k in reversed(typed) if before < k < last), last)


def commands_of(lines: Sequence[str]) -> list[tuple[str, str]]:
    """The command that made it, where there is one."""
    typed = [line for line in lines if line.startswith(_TYPED)]
    return [("Command", typed[-1])] if typed else []


def _by_band(image: SkyImage, keyword: str) -> list[tuple[str, float]]:
    """The numbers of the cards that there is one a band of."""
    found = ((band, number_of(image, f"{keyword}{k}")) for k, band in enumerate(image.bands, 1))
    return [(band, value) for band, value in found if value is not None]

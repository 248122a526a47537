"""Pixels that are no linear flux: magnitudes, asinh magnitudes, logarithms."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.fits.cards import card_value, text_card

if TYPE_CHECKING:
    from astropy.io.fits import Header

    from pellucid.fits.file import FitsFile
    from pellucid.fits.hdu import HDU

#: Of a magnitude.
POGSON = 2.5 / np.log(10.0)


@dataclass(frozen=True)
class Form:
    """What the pixels of a file are, and how linear flux is made of them.

    Parameters
    ----------
    what
        For a note.
    to_flux, from_flux
        Between pixels and flux. Without ``from_flux`` the flux is written as it is: a restored sky
        is negative in places, which has no logarithm.
    unit
        Of the flux.
    scale
        What a flux of 1 is where no unit says it.
    """

    what: str
    to_flux: Callable[[NDArray[Any]], NDArray[np.float64]]
    from_flux: Callable[[NDArray[Any]], NDArray[np.float64]] | None
    unit: str
    scale: str = ""

    def note(self, hdu: HDU) -> str:
        """What is done about it."""
        after = f"it is written so (BUNIT {self.unit!r}), for it may be negative"
        if self.from_flux is not None:
            after = "it is written as such again"
        return f"the pixels of HDU {hdu} are {self.what}, taken as linear flux; {after}"


#: BUNIT in lower case to the base of the exponent that makes flux of it, and the flux's unit; where
#: none has a name it is 1, which astropy takes for one, too, and what that is stands beside it.
_LOGARITHMS: tuple[tuple[str, float, str], ...] = (
    (r"(?:ab[ _-]?)mag(?:s|nitudes?)?|mag(?:s|nitudes?)?[ _]?\(?ab\)?", 10**-0.4, "maggy"),
    (
        r"(?:[a-z]+[ _-])?mag(?:s|nitudes?)?(?:[ _]?\(\w+\))?|(?:st|vega)mag",
        10**-0.4,
        "1",
    ),
    (r"(?:dex|log(?:10)?)(?: *[(\[](?P<unit>.*)[)\]])?", 10.0, ""),
    (r"ln(?: *[(\[](?P<unit>.*)[)\]])?", float(np.e), ""),
    (r"db(?: *[(\[](?P<unit>.*)[)\]])?", 10**0.1, ""),
)
_ASINH = re.compile(r"luptitude|asinh", re.IGNORECASE)
_PER_AREA = r"(?: */ *| +)(?:sq[. ]*arcsec|arcsec *(?:\^|\*\*)? *-?2|arcsec2)"


def form_of(file: FitsFile, hdu: HDU) -> Form | None:
    """What the headers say of the pixels of an HDU; None where they are linear.

    Raises
    ------
    InputError
        When they are asinh magnitudes whose softening is not stated.
    """
    unit = text_card(hdu.header, "BUNIT")
    headers = hdu.header, file.hdus[0].header
    asinh = asinh_form(*headers)
    if asinh is None and (_ASINH.search(unit) or any("BSOFTEN" in each for each in headers)):
        raise file.refuse(
            f"the pixels of HDU {hdu} are asinh magnitudes of unknown softening",
            "state it in BSOFTEN and BOFFSET, or convert them to linear flux",
        )
    return asinh or _logarithm(unit)


def asinh_form(*headers: Header) -> Form | None:
    """The asinh magnitudes that the header of an image, or else that of its file, tells of.

    Pan-STARRS stacks hold v = a asinh((f − BOFFSET) / 2 BSOFTEN) with a = 2.5/ln 10 (Waters et
    al. 2020, ApJS 251, 4, doi:10.3847/1538-4365/abb82b).
    """
    for header in headers:
        softening, offset = (_number(header, card) for card in ("BSOFTEN", "BOFFSET"))
        if softening > 0 and np.isfinite(softening + offset):
            unit = text_card(headers[0], "BUNIT")
            # What is no unit of flux is the pixels'; nothing says what the flux is counted in.
            linear = not (_ASINH.search(unit) or _logarithm(unit))
            return _asinh(softening, offset, unit if linear else "")
    return None


def _number(header: Header, keyword: str) -> float:
    value = card_value(header, keyword)
    return float(value) if isinstance(value, (int, float)) else np.nan


def _asinh(softening: float, offset: float, unit: str) -> Form:
    double = 2.0 * softening
    return Form(
        f"asinh magnitudes (BSOFTEN {softening:g}, BOFFSET {offset:g})",
        lambda pixels: offset + double * np.sinh(np.asarray(pixels, dtype=np.float64) / POGSON),
        lambda flux: POGSON * np.arcsinh((np.asarray(flux, dtype=np.float64) - offset) / double),
        unit,
        "linear flux: BOFFSET + 2 BSOFTEN sinh(image / 1.0857)",
    )


def scale_of_flux(header: Header, primary: Header) -> str:
    """What a flux of 1 is under an image whose header tells of other pixels; empty where known."""
    form = asinh_form(header, primary) or _logarithm(text_card(header, "BUNIT"))
    return form.scale if form else ""


def _logarithm(unit: str) -> Form | None:
    for pattern, base, flux in _LOGARITHMS:
        match = re.fullmatch(f"(?:{pattern})(?P<area>{_PER_AREA})?", unit.lower())
        if match:
            inner = unit[slice(*match.span("unit"))] if "unit" in match.groupdict() else ""
            area = "/arcsec2" if match["area"] else ""
            named = inner or flux or "1"
            scale = f"flux at 0 {unit} of the input" if named == "1" else ""
            return Form(
                f"logarithmic (BUNIT {unit!r})",
                lambda pixels, base=base: np.power(base, np.asarray(pixels, dtype=np.float64)),
                None,
                named + area,
                scale,
            )
    return None

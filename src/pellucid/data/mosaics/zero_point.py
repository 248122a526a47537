"""The AB zero point that a header states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pellucid.fits import text_card
from pellucid.quiet import quiet

#: Cards that hold the zero point itself.
CARDS = ("MAGZERO", "MAGZPT", "ZEROPOINT", "ZP", "PHOTZP")


def zero_point_of(headers: Sequence[Any]) -> float | None:
    """AB magnitude of one unit of flux; None where no card tells.

    HST's PHOTFLAM and PHOTPLAM give −2.5 log₁₀ PHOTFLAM − 5 log₁₀ PHOTPLAM − 2.408 for electrons
    per second (ACS Data Handbook, 5.1), FLUXMAG0 gives 2.5 log₁₀ FLUXMAG0. The headers are the
    image's own and those it inherits from, in this order.
    """
    flam, plam, whole = (_number(headers, card) for card in ("PHOTFLAM", "PHOTPLAM", "FLUXMAG0"))
    if flam and plam and min(flam, plam) > 0:
        value = -2.5 * math.log10(flam) - 5.0 * math.log10(plam) - 2.408
        unit = next(filter(None, (text_card(header, "BUNIT") for header in headers)), "")
        exposure = _number(headers, "EXPTIME")
        if unit.upper() in ("ELECTRONS", "COUNTS") and exposure and exposure > 0:
            value += 2.5 * math.log10(exposure)
        return value
    stated = [value for card in CARDS if (value := _number(headers, card)) is not None]
    if stated:
        return stated[0]
    return 2.5 * math.log10(whole) if whole and whole > 0 else None


def _number(headers: Sequence[Any], card: str) -> float | None:
    for header in headers:
        with quiet():
            value = header.get(card)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    return None

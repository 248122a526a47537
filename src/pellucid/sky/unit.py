"""Units of flux as headers spell them, and the factor between two."""

from __future__ import annotations

import re

import numpy as np

#: In lower case, and what astropy calls it.
SPELLINGS = {
    **dict.fromkeys(("nanomaggy", "nanomaggies", "nmgy", "nmaggy"), "nmgy"),
    **dict.fromkeys(("maggy", "maggies", "mgy"), "mgy"),
    **dict.fromkeys(("electrons", "e-", "e"), "electron"),
    **dict.fromkeys(("counts", "count", "cts"), "ct"),
    **dict.fromkeys(("dn", "adus", "du"), "adu"),
    **dict.fromkeys(("sec", "second", "seconds"), "s"),
}
_WORD = re.compile(r"[A-Za-z]+-?(?![A-Za-z0-9])|[A-Za-z]+")


def factor_between(unit: str, other: str) -> float | None:
    """What flux in ``unit`` is multiplied by to be in ``other``; None where these are unlike.

    Parameters
    ----------
    unit, other
        As BUNIT has them: free text.
    """
    from astropy import units

    if unit.split() == other.split() or unit.strip().lower() == other.strip().lower():
        return 1.0
    zero = units.zero_point_flux(units.Quantity(3631.0, "Jy"))  # of AB magnitudes, as maggies have
    try:
        ours, theirs = (units.Unit(_spelled(text)) for text in (unit, other))
        return float(np.asarray(ours.to(theirs, equivalencies=zero)))
    except (ValueError, TypeError, units.UnitConversionError):
        return None


def power_of(unit: str, power: int) -> str:
    """A power of a unit, as text that astropy reads where it reads the unit."""
    from astropy import units

    if power == 1:
        return unit
    try:
        return (units.Unit(unit) ** power).to_string()
    except (ValueError, TypeError):
        return f"({unit})**{power}"


def _spelled(text: str) -> str:
    return _WORD.sub(lambda word: SPELLINGS.get(word[0].lower(), word[0]), text)

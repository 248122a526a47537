"""One short name for a band, under whatever name a survey, a camera or a filter wheel gives it."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: With what may follow a letter: i2 (HSC), gp and zs (LCO), g' and i+; and names of other kinds.
_BAND = re.compile(
    r"([ugrizy])(?:2|p|'|\+|prime|band)?|(z)s|(j|h|ks?|w[1-4]|vis|[nf]uv|nb\d+|f\d{3,4}[a-z]{1,2}\d?)"
)
#: Glued to what takes or publishes the images: sdssg, HSCi, ps1z, gMP9401.
_GLUED = re.compile(
    r"(?:sdss|sloan|hsc|decam|des|decals|lsst|ps1|kids|mp|megacam)([ugrizy])2?"
    r"|([ugrizy])(?:mp\d{4}|sdss|sloan)"
)
#: Bands of these systems have letters in common with SDSS's, and lie elsewhere in the spectrum.
_OTHER_SYSTEMS = {"johnson", "cousins", "bessel", "bessell", "bess", "kron", "gaia", "tycho"}
_WORDS = re.compile(r"[a-z0-9'+]+")


def short_name(band: str) -> str:
    """The short name of a band: ``i`` for ``HSC_I``, ``i2``, ``SDSS i'`` or ``i.MP9702``.

    A name that tells of no band, of two, or of another system (``Johnson R``) stays as it is, in
    small letters.
    """
    name = band.strip().lower()
    words = _WORDS.findall(name)
    if not _OTHER_SYSTEMS.isdisjoint(words):
        return name
    found = set()
    for word in words:
        match = _BAND.fullmatch(word) or _GLUED.fullmatch(word)
        if match:
            found.add(next(filter(None, match.groups())))
    return found.pop() if len(found) == 1 else name


def band_in_words(name: str) -> str:
    """What a sentence calls a band: ``band g``, and ``band1`` one that has no other name."""
    return name if re.fullmatch(r"band\d+", name) else f"band {name}"


def find_bands(wanted: Sequence[str], bands: Sequence[str]) -> list[int] | None:
    """The place among ``bands`` of each one that is wanted; None where one is absent or twofold.

    Names are compared as they are, without regard to capitals, and last by their short ones.
    """
    for key_of in (str, str.lower, short_name):
        own, keys = [key_of(name) for name in bands], [key_of(name) for name in wanted]
        if len(set(own)) == len(own) and set(keys) <= set(own):
            return [own.index(key) for key in keys]
    return None

"""Bands by their names: where in the spectrum they lie."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Nanometres, of the names that surveys and cameras give.
_WAVELENGTHS = {
    "fuv": 154,
    "nuv": 230,
    "u": 357,
    "b": 440,
    "g": 477,
    "v": 550,
    "r": 623,
    "i": 763,
    "vis": 715,
    "z": 905,
    "y": 1020,
    "j": 1250,
    "h": 1640,
    "k": 2190,
    "ks": 2150,
    "w1": 3350,
    "w2": 4600,
    "w3": 11600,
    "w4": 22100,
    "ch1": 3550,
    "ch2": 4490,
    "blue": 460,
    "green": 530,
    "red": 650,
    "ha": 656,
    "halpha": 656,
    "oiii": 501,
    "sii": 672,
}
_CAMERA = {"r": 650.0, "g": 530.0, "b": 460.0}
_SPACE = re.compile(r"f(\d{3,4})(?:w2?|m|n|lp|x)\d?")
#: HST's numbers are nanometres, but tens of them in the infrared, as are all of JWST's.
_JWST = {250, 277, 300, 322, 323, 335, 356, 360, 405, 430, 444, 460, 466, 470, 480, 560, 770}


def wavelength(band: str) -> float | None:
    """Nanometres of a band such as ``g``, ``HSC_I``, ``i2``, ``DECam r`` or ``F814W``."""
    for word in re.split(r"[\s_.,:/()'-]+", band.lower()):
        if word in _WAVELENGTHS or word.rstrip("2") in _WAVELENGTHS:
            return float(_WAVELENGTHS.get(word) or _WAVELENGTHS[word.rstrip("2")])
        if match := _SPACE.fullmatch(word):
            number = int(match[1])
            tens = number < 200 or number >= 1000 or number in _JWST
            return number * (10.0 if tens else 1.0)
    return None


def by_wavelength(bands: Sequence[str]) -> list[int]:
    """The places of the bands from blue to red; as they stand where one is not known."""
    names = [band.lower() for band in bands]
    # Beside a blue channel, R and G are a camera's.
    found = [_CAMERA[n] if set(names) == set(_CAMERA) else wavelength(n) for n in names]
    order = list(range(len(bands)))
    if any(value is None for value in found):
        return order
    return sorted(order, key=lambda k: found[k] or 0.0)

"""What the bits of a mask mean, by pipeline: which are bad, and which only inform.

A pixel is bad where it does not measure the sky: nothing was recorded, the detector is at fault
or saturated, or the light is a cosmic ray's, a satellite's or a bleed trail's. What a pipeline
notes of good data (an object was detected, a bright star is near, the PSF is not exact, a value was
mended) is information.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import UsageError
from pellucid.fits.cards import card_value, text_card
from pellucid.fits.file import FitsFile
from pellucid.fits.hdu import HDU
from pellucid.sky.band_names import short_name


@dataclass(frozen=True)
class Flags:
    """The flags of one pipeline.

    ``known_by`` are the cards (of the mask or of the primary header) that show it, as regular
    expressions; any of the sets will do. ``bits`` are names and values, ``bad`` those that are bad.
    ``codes`` says that a pixel holds one number and not a sum of bits.
    """

    name: str
    known_by: tuple[Mapping[str, str], ...]
    bits: Mapping[str, int]
    bad: frozenset[str]
    codes: bool = False


def _bits(names: str) -> dict[str, int]:
    """Bits in their order from 1 up."""
    return {name: 1 << k for k, name in enumerate(names.split())}


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_HST = (
    "DECODING_ERROR DATA_MISSING BAD_PIXEL OCCULTED HOT UNSTABLE WARM BAD_REFERENCE FULL_WELL "
    "BAD_FLAT CHARGE_TRAP AD_SATURATION COSMIC_RAY CR_REJECTED GHOST"
)
#: The pipelines whose flags do not name themselves.
PIPELINES = (
    # jwst.datamodels.dqflags: DO_NOT_USE sums up the rest; a jump in a ramp was fitted around.
    Flags(
        "JWST",
        ({"TELESCOP": "JWST"}, {"EXTNAME": "DQ", "BZERO": r"2147483648(\.0*)?"}),
        _bits(
            "DO_NOT_USE SATURATED JUMP_DET DROPOUT OUTLIER PERSISTENCE AD_FLOOR CHARGELOSS "
            "UNRELIABLE_ERROR NON_SCIENCE DEAD HOT WARM LOW_QE RC TELEGRAPH NONLINEAR "
            "BAD_REF_PIXEL NO_FLAT_FIELD NO_GAIN_VALUE NO_LIN_CORR NO_SAT_CHECK UNRELIABLE_BIAS "
            "UNRELIABLE_DARK UNRELIABLE_SLOPE UNRELIABLE_FLAT OPEN ADJ_OPEN FLUX_ESTIMATED "
            "MSA_FAILED_OPEN OTHER_BAD_PIXEL REFERENCE_PIXEL"
        ),
        _set("DO_NOT_USE"),
    ),
    # WFC3 Data Handbook, table 3.3: in the infrared a ramp gets over cosmic rays (8192) and a
    # signal in the zeroth read (2048); blobs (512) are flat-fielded.
    Flags(
        "HST WFC3/IR",
        ({"TELESCOP": "HST", "DETECTOR": "IR"},),
        _bits(_HST),
        _set(
            "DECODING_ERROR DATA_MISSING BAD_PIXEL OCCULTED HOT UNSTABLE BAD_REFERENCE FULL_WELL "
            "COSMIC_RAY GHOST"
        ),
    ),
    # ACS and WFC3/UVIS Data Handbooks: warm (64) and stable hot pixels (32) are calibrated.
    Flags(
        "HST",
        ({"TELESCOP": "HST"},),
        _bits(_HST),
        _set(
            "DECODING_ERROR DATA_MISSING BAD_PIXEL OCCULTED HOT BAD_REFERENCE FULL_WELL BAD_FLAT "
            "CHARGE_TRAP AD_SATURATION COSMIC_RAY CR_REJECTED GHOST"
        ),
    ),
    # NOIRLab DECam Data Handbook. Code 7, a transient, is set in the cores of galaxies as well.
    Flags(
        "DECam Community Pipeline",
        ({"PRODTYPE": "dqmask"},),
        {
            "BAD": 1,
            "NO_VALUE": 2,
            "SATURATED": 3,
            "BLEED": 4,
            "COSMIC_RAY": 5,
            "LOW_WEIGHT": 6,
            "TRANSIENT": 7,
            "STREAK": 8,
        },
        _set("BAD NO_VALUE SATURATED BLEED COSMIC_RAY LOW_WEIGHT STREAK"),
        codes=True,
    ),
    # Morganson et al. 2018, PASP 130, 074501, table 3. Mended (INTERP, FIXED), near something
    # (STAR, NEAREDGE) or suspect pixels hold data.
    Flags(
        "DES",
        ({"DES_EXT": ".+"}, {"EXTNAME": "MSK"}, {"INSTRUME": "DECAM", "FILETYPE": ".+"}),
        _bits(
            "BPM SATURATE INTERP BADAMP CRAY STAR TRAIL EDGEBLEED SSXTALK EDGE STREAK SUSPECT "
            "FIXED NEAREDGE TAPEBUMP"
        ),
        _set("BPM SATURATE BADAMP CRAY TRAIL EDGEBLEED EDGE STREAK"),
    ),
    # legacysurvey.org/dr10/bitmasks: ALLMASK is set where each exposure has a bad pixel.
    Flags(
        "Legacy Surveys",
        ({"IMTYPE": "maskbits"}, {"EXTNAME": "MASKBITS"}),
        _bits(
            "NPRIMARY BRIGHT SATUR_G SATUR_R SATUR_Z ALLMASK_G ALLMASK_R ALLMASK_Z WISEM1 WISEM2 "
            "BAILOUT MEDIUM GALAXY CLUSTER SATUR_I ALLMASK_I SUB_BLOB"
        ),
        _set("SATUR_G SATUR_R SATUR_I SATUR_Z ALLMASK_G ALLMASK_R ALLMASK_I ALLMASK_Z"),
    ),
    # Euclid's Data Product Description, VIS flag map: INVALID sums up what must not be used.
    Flags(
        "Euclid VIS",
        ({"INSTRUME": "VIS"},),
        _bits(
            "INVALID HOT COLD SAT COSMIC GHOST QUADEDGE BAD_COLUMN BAD_CLUSTER CR_REGION BIT_10 "
            "BIT_11 OVRCOL EXTOBJ SCATLIGHT CHARINJ BIT_16 SATXTALKGHOST STARSIGNAL SATURATEDSTAR "
            "CTICORRECTION ADCMAX NO_DATA STITCHBLOCK OBJECTS"
        ),
        _set("INVALID"),
    ),
    Flags(
        "Euclid",
        ({"TELESCOP": "EUCLID"}, {"INSTRUME": "NISP"}),
        {"INVALID": 1},
        _set("INVALID"),
    ),
    # The S_MASKTYPE table of each fpM file. A bad column has no flag but that it was filled.
    Flags(
        "SDSS",
        ({"NPLANE": ".+", "MASKROWS": ".+"},),
        _bits(
            "INTERP SATUR NOTCHECKED OBJECT BRIGHTOBJECT BINOBJECT CATOBJECT SUBTRACTED GHOST CR"
        ),
        _set("INTERP SATUR CR"),
    ),
    # DRAGONS: a value is there and nearly right.
    Flags(
        "Gemini",
        ({"TELESCOP": "GEMINI.*|.*GEMINI"},),
        _bits("BAD_PIXEL NON_LINEAR SATURATED COSMIC_RAY NO_DATA OVERLAP UNILLUMINATED"),
        _set("BAD_PIXEL SATURATED COSMIC_RAY NO_DATA UNILLUMINATED"),
    ),
)
#: Of masks that name their bits, as lsst.afw (HSC, LSST) and Pan-STARRS do, these are bad. EDGE is
#: where objects are not searched for, its data are good; INTRP has been mended, and what made
#: that necessary has a bit of its own.
NAMED_BAD = _set(
    "BAD SAT SATURATED CR NO_DATA NODATA UNMASKEDNAN STREAK BLANK DETECTOR FLAT DARK CTE LOW "
    "CONV.BAD BADCONV"
)


#: Bands whose letter may end a flag's name.
_LETTERS = frozenset("ugrizy")


def bad_pixels(
    values: NDArray[np.generic],
    hdu: HDU,
    file: FitsFile,
    bands: Sequence[str | None] = (),
    stated: str | int | None = None,
) -> tuple[NDArray[np.bool_], str]:
    """The bad pixels of a mask, and by whose rule.

    Parameters
    ----------
    values
        The mask's pixels, shape (y, x), (1, y, x) or (band, y, x), any type.
    hdu, file
        Where it comes from: the cards say which pipeline wrote it.
    bands
        Of the image, where they are known: a flag that is named for one of them, such as SATUR_G,
        says nothing of the others.
    stated
        The bits that are bad, by names or values ("SAT,CR", "1,4", "~4", "all", "none"), in place
        of the table's.
    """
    if text_card(hdu.header, "PLCROLE") == "MASK":
        return values != 0, "never restored"
    if text_card(hdu.header, "HDUCLAS3") == "MASKONE":  # 1 is good there
        values = np.asarray(values == 0)
    numbers = np.nan_to_num(values, nan=1).astype(np.int64)
    flags = _flags_of(hdu, file)
    numbers = _of_bands(numbers, flags, bands)
    if stated is not None:
        return _stated(numbers, flags, str(stated)), "--bad-bits"
    if flags is None:
        # Real numbers below 1 are no sums of bits.
        return values.astype(np.float64) != 0, "any flag"
    bad = [value for name, value in flags.bits.items() if name in flags.bad]
    return _match(numbers, bad, flags.codes), flags.name


def _of_bands(
    numbers: NDArray[np.int64], flags: Flags | None, bands: Sequence[str | None]
) -> NDArray[np.int64]:
    """The flags without those of other bands, a plane a band; as they are where none is a band's.

    Parameters
    ----------
    numbers
        Shape (y, x), (1, y, x) or (band, y, x).
    """
    of_band: dict[str, int] = {}
    for name, value in {} if flags is None or flags.codes else flags.bits.items():
        letter = name.rpartition("_")[2].lower()
        if "_" in name and letter in _LETTERS:
            of_band[letter] = of_band.get(letter, 0) | value
    known = [short_name(band or "") for band in bands]
    if not of_band or not set(known) & _LETTERS:
        return numbers
    others = [
        sum(value for letter, value in of_band.items() if band in _LETTERS and letter != band)
        for band in known
    ]
    return numbers & ~np.array(others, dtype=np.int64)[:, None, None]


def _match(numbers: NDArray[np.int64], bad: list[int], codes: bool) -> NDArray[np.bool_]:
    if codes:
        return np.isin(numbers, bad)
    return (numbers & int(np.bitwise_or.reduce(bad or [0]))) != 0


def _flags_of(hdu: HDU, file: FitsFile) -> Flags | None:
    named = _named(hdu)
    if named:
        return Flags("its own cards", (), named, NAMED_BAD)
    headers = (hdu.header, file.hdus[0].header)

    def shows(keyword: str, pattern: str) -> bool:
        texts = (str(card_value(header, keyword) or "").strip() for header in headers)
        text = next(filter(None, texts), "")
        return re.fullmatch(pattern, text, re.IGNORECASE) is not None

    for flags in PIPELINES:
        if any(all(shows(*card) for card in cards.items()) for cards in flags.known_by):
            return flags
    return None


def _named(hdu: HDU) -> dict[str, int]:
    """The bits that a mask's own cards name: MP_SAT = 1 (lsst.afw), MSKNAM00 with MSKVAL00."""
    bits = {}
    for keyword in hdu.header:
        value = card_value(hdu.header, keyword)
        if keyword.startswith("MP_") and isinstance(value, int) and 0 <= value < 63:
            bits[keyword[3:]] = 1 << value
        elif keyword.startswith("MSKNAM") and isinstance(value, str):
            number = card_value(hdu.header, f"MSKVAL{keyword[6:]}")
            if isinstance(number, int):
                bits[value.strip().upper().removeprefix("MASK.")] = number
    return bits


def _stated(numbers: NDArray[np.int64], flags: Flags | None, text: str) -> NDArray[np.bool_]:
    names = {} if flags is None else {name.upper(): value for name, value in flags.bits.items()}
    but = text.strip().startswith("~")
    words = re.split(r"[\s,+]+", text.strip().lstrip("~").upper())
    if words == ["ALL"]:
        return numbers != 0
    values = []
    for word in [] if words in (["NONE"], ["0"]) else words:
        if not word.isdigit() and word.removeprefix("MP_") not in names:
            known = f"its flags are {', '.join(names)}" if names else "its flags have no names"
            raise UsageError(f"--bad-bits {text!r}: {word} is no number, and {known}")
        values.append(int(word) if word.isdigit() else names[word.removeprefix("MP_")])
    codes = flags is not None and flags.codes
    if not but:
        return _match(numbers, values, codes)
    if codes:
        return (numbers != 0) & ~np.isin(numbers, values)
    return (numbers & ~int(np.bitwise_or.reduce(values or [0]))) != 0

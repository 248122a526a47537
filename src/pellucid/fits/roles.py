"""What an HDU is for: a table from what its header calls it to its role."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from pellucid.fits.bands import filter_name
from pellucid.fits.cards import card_value, text_card
from pellucid.fits.hdu import HDU
from pellucid.sky.band_names import short_name

if TYPE_CHECKING:
    from astropy.io.fits import Header

Role = Literal[
    "image",
    "error",
    "variance",
    "inverse variance",
    "weight",
    "mask",
    "psf",
    "model",
    "residual",
    "other",
    "table",
    "header",
]

#: What the words of a name say, the strongest first: FLUX_ERR is an error, PSF_IMAGE a psf.
WORDS: dict[Role, str] = {
    "psf": "PSF PRF LSF OVERSAMP KERNEL",
    "mask": "DQ DQMASK MASK MASKS MSK FLG FLAG FLAGS BADPIX BPM QUAL QUALITY BITMASK MASKBITS "
    "UNRESTORED",
    "error": "ERR ERROR ERRORS UNC UNCERT UNCERTAINTY SIGMA STD STDEV STDDEV RMS NOISE",
    "variance": "VAR VARIANCE",
    "inverse variance": "IVAR INVVAR INVVARIANCE WGT",
    "weight": "WHT WEIGHT WEIGHTS WT CONFIDENCE CONF",
    "residual": "RESIDUAL RESIDUALS RESID DIFF DIFFERENCE CHI CHISQ",
    "model": "MODEL MODELS EXPECTED TEMPLATE SUBCOMPS",
    "other": "AREA SAMP TIME CON CTX CONTEXT SEG SEGM SEGMAP SEGMENTATION EXP EXPMAP EXPOSURE "
    "EXPTIME NEXP COV COVERAGE DEPTH GALDEPTH BKG BKGD BACKGROUND MINIBACKGROUND BACK "
    "FLAT BIAS DARK DOUBT APERTURES OBJECTS WAVELENGTH BLOBS BLOBMAP",
    "image": "SCI SCIENCE IMAGE IMAGES IMG DATA FLUX BGSUB INPUT OBSERVED SIGNAL COADD",
}
_ROLE_OF_WORD: dict[str, Role] = {
    word: role for role, words in WORDS.items() for word in words.split()
}
_STRENGTH = tuple(WORDS)
# A name may say that it is a map of something in the same word.
_ENDINGS = ("MAP", "MAPS", "IMAGE", "IMG", "IM", "ARRAY", "PLANE", "DATA")

#: Cards whose whole value says it.
VALUES: dict[str, dict[str, Role]] = {
    # this program's restorations: what is of the input's pixels says nothing of the restored ones
    "PLCROLE": {
        "INPUT": "other",
        "MASK": "mask",
        **dict.fromkeys(("SAMPLE", "RANGE95", "CHI2"), "other"),
    },
    # astropy's CCDData
    "UTYPE": {
        "STDDEVUNCERTAINTY": "error",
        "VARIANCEUNCERTAINTY": "variance",
        "INVERSEVARIANCE": "inverse variance",
    },
    # ESO's data products
    "HDUCLAS3": {
        "MSE": "variance",
        "RMSE": "error",
        "INVMSE": "inverse variance",
        **dict.fromkeys(("MASKZERO", "MASKONE", "FLAG32BIT", "FLAG16BIT"), "mask"),
    },
    "HDUCLAS2": {"DATA": "image", "ERROR": "error", "QUALITY": "mask"},
    "DES_EXT": {"WEIGHT": "inverse variance"},
    # GALFIT's blocks
    "OBJECT": {"MODEL": "model", "RESIDUAL MAP": "residual", "RESIDUAL": "residual"},
}
#: Cards whose words say it, the strongest first. Pipelines: old lsst.afw, DES, the Legacy Surveys,
#: NOIRLab.
NAMING_CARDS = ("EXTTYPE", "DES_EXT", "IMTYPE", "PRODTYPE", "EXTNAME")
# What the programs call an HDU that nobody named.
NAMELESS = ("", "PRIMARY", "COMPRESSED_IMAGE", "COMPRESSED IMAGE")
_BAND_WORD = re.compile(
    r"[UGRIZYVBJHKLMN]|[UGRIZY]2|F\d{3,4}[A-Z]{1,2}\d?|KS|[FN]UV|UV[WM]\d|VIS|W[1-4]|NB\d+|"
    r"I[ABR]\d+|IRAC\d|MIPS\d+|PACS\d+|SPIRE\d+|CH\d|\d+(UM|MICRON)|HA|HALPHA|HB|HBETA|"
    r"OI{1,3}|SII|NII|LUM|L|RED|GREEN|BLUE|CLEAR"
)


#: Card of this program's planes: the name and the EXTVER of the band that they are of.
OF = "PLCOF"


class Uncertainty(NamedTuple):
    """How a companion of this role becomes the variance of a band, and is made of it.

    ``power`` is that of the flux's unit that it is in.
    """

    to_variance: np.ufunc
    from_variance: np.ufunc
    power: int


UNCERTAINTIES: dict[str, Uncertainty] = {
    "error": Uncertainty(np.square, np.sqrt, 1),
    "variance": Uncertainty(np.positive, np.positive, 2),
    "inverse variance": Uncertainty(np.reciprocal, np.reciprocal, -2),
}
#: Of a variance that is given in parts.
PARTS = frozenset(("POISSON", "RNOISE", "FLAT"))
#: What is read beside a band.
COMPANIONS = (*UNCERTAINTIES, "weight", "mask")


def told_role(hdu: HDU) -> tuple[Role | None, str]:
    """What an HDU's header says that it is for, and which card; None where nothing does.

    A plane of which nothing is said may be an image: what else the file holds decides.
    """
    if hdu.kind == "table":
        return "table", "a table"
    if not hdu.shape and hdu.number == 0:
        return "header", "no pixels"
    for keyword, values in VALUES.items():
        text = text_card(hdu.header, keyword).upper()
        if text in values:
            return _shaped(hdu, values[text], f"{keyword} = {text}")
    for keyword in NAMING_CARDS:
        text = text_card(hdu.header, keyword).upper()
        role = role_of_name(text)
        if role is not None:
            return _shaped(hdu, role, f"{keyword} = {text}")
    if any(card.startswith("MP_") for card in hdu.header):
        return _shaped(hdu, "mask", "its MP_ cards name bits")
    if not hdu.is_plane_or_cube:
        return "other", f"{len(hdu.shape)} axes" if hdu.kind == "image" else f"{hdu.kind} HDU"
    return None, ""


def _shaped(hdu: HDU, role: Role, why: str) -> tuple[Role, str]:
    """A calibration vector is no image, whatever its name."""
    if role in ("image", *COMPANIONS) and not hdu.is_plane_or_cube:
        return "other", f"{why}, but {len(hdu.shape)} axes"
    return role, why


def role_of_name(name: str) -> Role | None:
    """The role that a name's words tell, such as ``DET11.SCI`` or ``VAR_POISSON``; or None."""
    if name.upper() in NAMELESS:
        return None
    roles = {_ROLE_OF_WORD.get(_stem(word)) for word in words_of(name)}
    if "PSF" in name.upper():
        return "psf"
    return next((role for role in _STRENGTH if role in roles), None)


def words_of(name: str) -> list[str]:
    """The words of a name, in capitals."""
    return [word for word in re.split(r"[^A-Z0-9]+", name.upper()) if word]


def rest_of_name(name: str) -> tuple[str, ...]:
    """The words that say nothing of a role: a band and its companions have these in common."""
    if name.upper() in NAMELESS:
        return ()
    return tuple(word for word in words_of(name) if _stem(word) not in _ROLE_OF_WORD)


def bands_among(names: Sequence[str], header: Header) -> list[str]:
    """The names of a cube's planes; where some are no bands, an IMAGE's is its filter's, or band1.

    ``header`` is the cube's.
    """
    roles = [role_of_name(name) for name in names]
    images = [k for k, role in enumerate(roles) if role in (None, "image")]
    found = list(names)
    for place, k in enumerate(images if len(images) < len(names) else ()):
        if roles[k] == "image":
            named = "_".join(rest_of_name(names[k]))
            told = filter_name(header) if len(images) == 1 else ""
            found[k] = named or (told if role_of_name(told) is None else "") or f"band{place + 1}"
    return found


def called(header: Header) -> str:
    """The name and the EXTVER of an HDU, as ``PLCOF`` has them."""
    return f"{text_card(header, 'EXTNAME').upper()},{card_value(header, 'EXTVER') or 1}"


def says_band(hdu: HDU) -> bool:
    """Whether the header or the name of a plane tells which band it shows."""
    if filter_name(hdu.header):
        return True
    return any(_BAND_WORD.fullmatch(word) for word in rest_of_name(hdu.name))


def is_band_word(word: str) -> bool:
    """Whether a word, in capitals or not, is one that names a band: ``g``, ``F814W``, ``Ks``."""
    return bool(_BAND_WORD.fullmatch(word.upper())) or short_name(word) != word.lower()


def _stem(word: str) -> str:
    """A word of the table in it: without a number, and without what says that it is a map."""
    for form in (word, word.rstrip("0123456789")):
        for ending in ("", *_ENDINGS):
            stem = form.removesuffix(ending)
            if stem in _ROLE_OF_WORD:
                return stem
    return word

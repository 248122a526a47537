"""Which flags are bad, by what each pipeline means with them."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from fits_files import noise, save
from numpy.testing import assert_array_equal

from pellucid.errors import UsageError
from pellucid.fits import read_image

BITS = 16
#: One bit a column; the first row has none.
LADDER = np.stack([np.zeros(BITS, "i4"), 1 << np.arange(BITS, dtype="i4")])


def flagged(path, primary, extname, kind="i2", values=LADDER, cards=None):
    """An image with a mask, as a pipeline with these cards in its primary header writes it."""
    hdus = [
        fits.PrimaryHDU(header=fits.Header(primary)),
        fits.ImageHDU(noise(*values.shape), name="SCI"),
        fits.ImageHDU(values.astype(kind), fits.Header(cards or {}), name=extname),
    ]
    return save(path / "a.fits", *hdus)


def bad_bits(image) -> set[int]:
    assert not image.mask[0, 0].any()
    return {1 << int(k) for k in np.flatnonzero(image.mask[0, 1])}


LSST = [
    "BAD",
    "SAT",
    "INTRP",
    "CR",
    "EDGE",
    "DETECTED",
    "DETECTED_NEGATIVE",
    "SUSPECT",
    "NO_DATA",
    "BRIGHT_OBJECT",
]
LSST += ["CLIPPED", "INEXACT_PSF", "REJECTED", "SENSOR_EDGE", "STREAK"]
PANSTARRS = [
    "DETECTOR",
    "FLAT",
    "DARK",
    "BLANK",
    "CTE",
    "SAT",
    "LOW",
    "SUSPECT",
    "CR",
    "SPIKE",
    "GHOST",
    "STREAK",
    "STARCORE",
]
RULES = {
    "JWST": ({"TELESCOP": "JWST"}, "DQ", "u4", {}, {1}),
    "JWST by its unsigned DQ": ({}, "DQ", "u4", {}, {1}),
    "HST ACS": (
        {"TELESCOP": "HST", "INSTRUME": "ACS", "DETECTOR": "WFC"},
        "DQ",
        "i2",
        {},
        {1, 2, 4, 8, 16, 128, 256, 512, 1024, 2048, 4096, 8192, 16384},
    ),
    "HST WFC3/IR": (
        {"TELESCOP": "HST", "INSTRUME": "WFC3", "DETECTOR": "IR"},
        "DQ",
        "i2",
        {},
        {1, 2, 4, 8, 16, 32, 128, 256, 4096, 16384},
    ),
    "DES": ({}, "MSK", "i4", {}, {1, 2, 8, 16, 64, 128, 512, 1024}),
    "Legacy Surveys": ({}, "MASKBITS", "i4", {}, {4, 8, 16, 32, 64, 128, 16384, 32768}),
    "Euclid": ({"TELESCOP": "EUCLID"}, "3-4.E.FLG", "i4", {}, {1}),
    "Gemini": ({"TELESCOP": "Gemini-North"}, "DQ", "i4", {}, {1, 4, 8, 16, 64}),
    "HSC and LSST": (
        {},
        "MASK",
        "i4",
        {f"HIERARCH MP_{name}": bit for bit, name in enumerate(LSST)},
        {1 << LSST.index(name) for name in ("BAD", "SAT", "CR", "NO_DATA", "STREAK")},
    ),
    "Pan-STARRS": (
        {},
        "MASK",
        "i4",
        {f"MSKNAM{k:02d}": name for k, name in enumerate(PANSTARRS)}
        | {f"MSKVAL{k:02d}": 1 << k for k in range(len(PANSTARRS))},
        {
            1 << k
            for k, name in enumerate(PANSTARRS)
            if name not in ("SUSPECT", "SPIKE", "GHOST", "STARCORE")
        },
    ),
    "a pipeline that is not known": ({}, "MASK", "i4", {}, {1 << k for k in range(BITS)}),
}


@pytest.mark.parametrize("name", RULES)
def test_what_is_bad_and_what_is_information(tmp_path, name):
    primary, extname, kind, cards, bad = RULES[name]
    values = LADDER & 32767 if kind == "i2" else LADDER
    image = read_image(flagged(tmp_path, primary, extname, kind, values, cards))
    assert bad_bits(image) == bad
    assert any("flagged in 2" in note for note in image.notes)


def test_codes_are_no_sums_of_bits(tmp_path):
    codes = np.tile(np.arange(9), (2, 1))
    path = flagged(tmp_path, {}, "S4", "i4", codes, {"PRODTYPE": "dqmask"})
    assert_array_equal(np.flatnonzero(read_image(path).mask[0, 0]), [1, 2, 3, 4, 5, 6, 8])
    assert_array_equal(np.flatnonzero(read_image(path, bad_bits="7").mask[0, 0]), [7])
    assert_array_equal(np.flatnonzero(read_image(path, bad_bits="~7,8").mask[0, 0]), range(1, 7))


@pytest.mark.parametrize(
    ("said", "bad"),
    [
        ("4", {4}),
        (6, {2, 4}),
        ("1,4", {1, 4}),
        ("SATURATED, jump_det", {2, 4}),
        ("~4", {1 << k for k in range(BITS)} - {4}),
        ("all", {1 << k for k in range(BITS)}),
        ("none", set()),
    ],
)
def test_the_user_says_what_is_bad(tmp_path, said, bad):
    path = flagged(tmp_path, {"TELESCOP": "JWST"}, "DQ", "u4")
    assert bad_bits(read_image(path, bad_bits=said)) == bad


def test_a_flag_that_is_not_known_lists_those_that_are(tmp_path):
    path = flagged(tmp_path, {}, "MASK", "i4", cards={"MP_BAD": 0, "MP_CR": 3})
    with pytest.raises(UsageError, match="SAT is no number, and its flags are BAD, CR"):
        read_image(path, bad_bits="SAT")
    with pytest.raises(UsageError, match="none of its planes is a mask"):
        read_image(save(tmp_path / "b.fits", fits.PrimaryHDU(noise(4, 5))), bad_bits="1")


def test_a_mask_in_which_1_is_good(tmp_path):
    cards = {"HDUCLAS2": "QUALITY", "HDUCLAS3": "MASKONE"}
    good = np.ones((2, 5), "u1")
    good[1, 3] = 0
    image = read_image(flagged(tmp_path, {}, "Q", "u1", good, cards))
    assert_array_equal(image.mask[0], good == 0)


def test_a_boolean_mask_of_real_numbers(tmp_path):
    values = np.zeros((2, 5))
    values[1, 2] = 0.5
    image = read_image(flagged(tmp_path, {}, "MASK", "f4", values))
    assert_array_equal(image.mask[0], values > 0)


LEGACY = {"SATUR_G": 4, "SATUR_R": 8, "SATUR_Z": 16, "ALLMASK_G": 32, "ALLMASK_R": 64}
LEGACY |= {"ALLMASK_Z": 128, "SATUR_I": 1 << 14, "ALLMASK_I": 1 << 15}


def maskbits(path, count: int, cards: dict, **options) -> list[set[int]]:
    """The bits that are bad in each plane of a cube with a mask of all bits."""
    hdus = [
        fits.PrimaryHDU(noise(count, *LADDER.shape), fits.Header(cards)),
        fits.ImageHDU(LADDER.astype("i4"), name="MASKBITS"),
    ]
    image = read_image(save(path / "a.fits", *hdus), **options)
    return [{1 << int(k) for k in np.flatnonzero(plane[1])} for plane in image.mask]


def of(letters: str) -> set[int]:
    return {value for name, value in LEGACY.items() if name[-1].lower() in letters}


def test_the_flag_of_a_band_says_nothing_of_the_others(tmp_path):
    assert maskbits(tmp_path, 3, {"BANDS": "grz"}) == [of("g"), of("r"), of("z")]


@pytest.mark.parametrize(
    ("cards", "options", "wanted"),
    [
        ({}, {"bands": ("g", "DECam z")}, ["g", "z"]),  # as the user names them
        ({"BAND1": "DECam r", "BAND2": "g"}, {"bands": ("g",)}, ["g"]),
        ({"BAND1": "u", "BAND2": "W1"}, {}, ["", "griz"]),  # W1 is no letter of a flag
        ({}, {}, ["griz", "griz"]),
        ({"BANDS": "gr"}, {"bad_bits": "SATUR_G,ALLMASK_R,64"}, ["", ""]),
    ],
)
def test_which_band_it_is_may_not_be_known(tmp_path, cards, options, wanted):
    found = maskbits(tmp_path, 2, cards, **options)
    if "bad_bits" in options:
        assert found == [{4}, {64}]
    else:
        assert found == [of(letters) for letters in wanted]


def test_the_flags_of_a_band_for_a_file_of_one_band(tmp_path):
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(noise(*LADDER.shape), fits.Header({"FILTER": "z"}), name="IMAGE"),
        fits.ImageHDU(LADDER, name="MASKBITS"),
    ]
    assert bad_bits(read_image(save(tmp_path / "a.fits", *hdus))) == of("z")

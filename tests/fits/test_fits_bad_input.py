"""Each kind of damaged FITS gives one line: the file, the fault, what would work."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fits_files import GOOD, raw_header, refused, save
from numpy.testing import assert_array_equal

from pellucid.errors import InputError
from pellucid.fits import check_sums, read_image, write_image


def test_not_found(tmp_path):
    refused(tmp_path / "a.fits", match="not found")


def test_a_folder(tmp_path):
    refused(tmp_path, match="cannot be read")


def test_no_permission(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(GOOD))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    refused(path, match="cannot be read")


def test_empty_file(tmp_path):
    (tmp_path / "a.fits").touch()
    refused(tmp_path / "a.fits", match="empty")


@pytest.mark.parametrize(
    "content", [b"hello", b"\x89PNG\r\n\x1a\n" + bytes(3000), b"SIMPLE", bytes(9000)]
)
def test_not_fits(tmp_path, content):
    (tmp_path / "a.fits").write_bytes(content)
    refused(tmp_path / "a.fits", match="not a FITS file")


def test_gzip_of_something_else(tmp_path):
    (tmp_path / "a.fits.gz").write_bytes(gzip.compress(b"hello" * 1000))
    refused(tmp_path / "a.fits.gz", match="not a FITS file")


@pytest.mark.parametrize("kept", [2880 + 79, 2880 + 1, 2880])
def test_truncated_data(tmp_path, kept):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(GOOD))
    path.write_bytes(path.read_bytes()[:kept])
    refused(path, match="truncated: HDU 0 promises 80 bytes of data, the file has")


def test_missing_padding_is_no_fault(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(GOOD))
    path.write_bytes(path.read_bytes()[: 2880 + 80])
    assert_array_equal(read_image(path).flux[0], GOOD)


def test_truncated_last_extension(tmp_path):
    path = save(tmp_path / "a.fits", fits.ImageHDU(GOOD), fits.ImageHDU(GOOD))
    path.write_bytes(path.read_bytes()[:-2850])
    refused(path, match="truncated: HDU 2")


def test_truncated_header(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(GOOD))
    path.write_bytes(path.read_bytes()[:400])
    refused(path, match=r"header of HDU 0 is broken or cut off \(Empty or corrupt FITS file\)")


def test_truncated_header_of_an_extension(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(GOOD), fits.ImageHDU(GOOD))
    path.write_bytes(path.read_bytes()[: 2 * 2880 + 400])
    refused(path, match="header of HDU 1 is broken or cut off")


def test_header_that_promises_more_than_there_is(tmp_path):
    path = tmp_path / "a.fits"
    path.write_bytes(raw_header(BITPIX=-32, NAXIS=2, NAXIS1=30000, NAXIS2=30000) + bytes(2880))
    refused(path, match="truncated: HDU 0 promises 3600000000 bytes of data, the file has 2880")


def test_header_that_promises_more_than_any_machine_has(tmp_path):
    path = tmp_path / "a.fits"
    path.write_bytes(raw_header(BITPIX=-64, NAXIS=2, NAXIS1=10**9, NAXIS2=10**9))
    refused(path, match="header of HDU 0 is broken or cut off .*Invalid argument")


@pytest.mark.parametrize(
    ("cards", "match"),
    [
        ({"BITPIX": 17, "NAXIS": 2, "NAXIS1": 4, "NAXIS2": 5}, "BITPIX is 17"),
        ({"BITPIX": 8, "NAXIS": 2, "NAXIS1": -4, "NAXIS2": 5}, "negative size"),
        ({"BITPIX": 8, "NAXIS": 2, "NAXIS1": 4}, "header of HDU 0 is broken .*NAXIS2"),
        ({"BITPIX": 8, "NAXIS": 2, "NAXIS1": "'four'", "NAXIS2": 5}, "header of HDU 0 is broken"),
        ({"BITPIX": 8, "NAXIS": 2, "NAXIS1": 1.5, "NAXIS2": 5}, "header of HDU 0 is broken"),
        ({"NAXIS": 0}, "header of HDU 0 is broken"),
        ({"BITPIX": 8, "NAXIS": 2, "NAXIS1": 0, "NAXIS2": 5}, "zero-length axis"),
    ],
)
def test_broken_structure(tmp_path, cards, match):
    path = tmp_path / "a.fits"
    path.write_bytes(raw_header(**cards) + bytes(2880))
    refused(path, match=match)


def test_gzip_bomb_behind_a_small_image(tmp_path):
    path = save(tmp_path / "b.fits", fits.PrimaryHDU(GOOD))
    target = tmp_path / "a.fits.gz"
    target.write_bytes(gzip.compress(path.read_bytes() + bytes(50_000_000)))
    refused(target, match="expands beyond what its headers promise")


def test_gzip_bomb_in_a_header(tmp_path):
    # A header without END is read to a limit, not to the end of what unpacks.
    target = tmp_path / "a.fits.gz"
    target.write_bytes(gzip.compress(b"SIMPLE  =                    T".ljust(80) * 500_000))
    refused(target, match="no END")


def test_gzip_that_promises_too_much(tmp_path):
    target = tmp_path / "a.fits.gz"
    header = raw_header(BITPIX=-64, NAXIS=2, NAXIS1=10**5, NAXIS2=10**5)
    target.write_bytes(gzip.compress(header + bytes(10**6)))
    refused(target, match="has 75 GiB of data")


def test_truncated_gzip(tmp_path):
    data = np.random.default_rng(1).normal(size=(50, 50))
    path = save(tmp_path / "a.fits.gz", fits.PrimaryHDU(data))
    path.write_bytes(path.read_bytes()[:-3000])
    refused(path, match="gzip data is cut off")


def test_damaged_gzip(tmp_path):
    data = np.random.default_rng(1).normal(size=(50, 50))
    path = save(tmp_path / "a.fits.gz", fits.PrimaryHDU(data))
    raw = bytearray(path.read_bytes())
    raw[-4:] = b"\0\0\0\0"  # the length at the end
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)
    refused(path, match="gzip data is damaged")


def test_gzip_of_truncated_data(tmp_path):
    path = save(tmp_path / "b.fits", fits.PrimaryHDU(GOOD))
    target = tmp_path / "a.fits.gz"
    target.write_bytes(gzip.compress(path.read_bytes()[: 2880 + 40]))
    refused(target, match="truncated: HDU 0 promises 80 bytes of data, the file has 40")


def compressed(path: Path) -> Path:
    data = np.random.default_rng(1).integers(0, 1000, (40, 50)).astype("i4")
    return save(path, fits.CompImageHDU(data, compression_type="RICE_1"))


def test_tiles_that_expand_to_too_much(tmp_path):
    path = compressed(tmp_path / "a.fits.fz")
    with fits.open(path, mode="update", disable_image_compression=True) as hdus:
        hdus[1].header["ZNAXIS1"] = hdus[1].header["ZTILE1"] = 2**31
    refused(path, match="HDU 1 .* has 320 GiB of data")


def test_tiles_that_are_missing(tmp_path):
    path = compressed(tmp_path / "a.fits.fz")
    with fits.open(path, mode="update", disable_image_compression=True) as hdus:
        hdus[1].header["ZNAXIS2"] = 4000
    refused(path, match="HDU 1 .* cannot be decoded .*40 is out of bounds")


def test_tiles_that_cannot_be_decoded(tmp_path):
    data = np.random.default_rng(1).normal(size=(40, 50)).astype("f4")
    hdu = fits.CompImageHDU(data, compression_type="GZIP_1", quantize_level=0.0)
    path = save(tmp_path / "a.fits.fz", hdu)
    raw = bytearray(path.read_bytes())
    with fits.open(path, disable_image_compression=True) as hdus:
        start = hdus[1].fileinfo()["datLoc"] + hdus[1].data.nbytes  # the heap
    raw[start : start + 2000] = bytes(2000)
    path.write_bytes(raw)
    refused(path, match="HDU 1 .* cannot be decoded")


@pytest.mark.parametrize("junk", [b"junk", b" " * 2880, b"x" * 5760, raw_header(BITPIX=8)])
def test_what_stands_behind_the_last_hdu_is_no_fault(tmp_path, junk):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(GOOD))
    whole = path.read_bytes()
    for content in (whole + junk, gzip.compress(whole + junk[:2880])):
        path.write_bytes(content)
        assert_array_equal(read_image(path).flux[0], GOOD)
        check_sums(path)


@pytest.mark.parametrize(
    "card", ["FILTER  = 'r", 'BUNIT   = "Jy"', "PIXSCALE= 1 2 3", "ILL#GAL = 3"]
)
def test_a_card_of_which_nothing_can_be_made_says_nothing(tmp_path, card):
    path = tmp_path / "a.fits"
    header = raw_header(BITPIX=-32, NAXIS=2, NAXIS1=5, NAXIS2=4)
    path.write_bytes(
        header.replace(b"END".ljust(80), card.encode().ljust(80) + b"END".ljust(80))[:2880]
        + GOOD.astype(">f4").tobytes()
    )
    image = read_image(path)
    assert (image.bands, image.unit, image.pixel_scale) == (("band1",), None, None)
    assert_array_equal(read_image(write_image(image, tmp_path / "b.fits")).flux[0], GOOD)


def test_odd_headers_raise_no_warning(tmp_path):
    """Warnings are errors in these tests: astropy's remarks must not come through."""
    lines = [
        "SIMPLE  =                    T",
        "BITPIX  =                  -32",
        "NAXIS   =                    2",
        "NAXIS1  =                    5",
        "NAXIS2  =                    4",
        "BLANK   =                   -1",
        "BUNIT   = nanomaggies, unquoted",
        "lower   =                    1",
        "RADECSYS= 'FK5'",
        "DATE-OBS= '31/12/99'",
        "CTYPE1  = 'RA---TAN'",
        "CTYPE2  = 'DEC--TAN'",
        "CRVAL1  =                150.0",
        "CRVAL2  =                  2.0",
        "CRPIX1  =                  3.0",
        "CRPIX2  =                  2.5",
        "CDELT1  =                -1E-4",
        "CDELT2  =                 1E-4",
        "A_ORDER =                    2",
        "A_0_2   =                1E-09",
        "B_ORDER =                    2",
        "OBSERVER= 'J\xe9r\xf4me'",
    ]
    header = "".join(line.ljust(80) for line in [*lines, "END"]).ljust(2880).encode("latin1")
    (tmp_path / "a.fits").write_bytes(header + GOOD.astype(">f4").tobytes() + b"junk")
    image = read_image(tmp_path / "a.fits")
    assert_array_equal(image.flux[0], GOOD)
    assert image.pixel_scale == pytest.approx(0.36, rel=1e-6)


@pytest.mark.parametrize("cards", [("NAXIS   = 99999999999999999999999999999999999999",),
                                   ("NAXIS   =                    2", "NAXIS   = 900000000"),
                                   ("NAXIS   =                 1000",),
                                   ("TFIELDS = 99999999999999999999",)])  # fmt: skip
@pytest.mark.parametrize("second", [False, True])
def test_more_axes_or_fields_than_fits_has_are_not_counted(tmp_path, cards, second):
    """astropy counts them one by one, for as long as it takes."""
    first = "XTENSION= 'IMAGE   '" if second else "SIMPLE  =                    T"
    lines = [first, "BITPIX  =                  -32", *cards, "PCOUNT  = 0", "GCOUNT  = 1", "END"]
    header = "".join(line.ljust(80) for line in lines).ljust(2880).encode()
    path = tmp_path / "a.fits"
    fits.PrimaryHDU().writeto(path)
    path.write_bytes(path.read_bytes() * second + header + bytes(2880))
    with pytest.raises(InputError, match=r"a\.fits: .*more (axes|fields) than FITS has"):
        read_image(path)


@pytest.mark.filterwarnings("always")
def test_odd_cards_of_a_damaged_packing_are_not_remarked_on(tmp_path, recwarn):
    """What astropy would say of them has control characters in it."""
    plain = io.BytesIO()
    fits.PrimaryHDU(np.ones((9, 9), "f4")).writeto(plain)
    odd = b"ize be \x1b[31m=  no card"
    content = plain.getvalue().replace(b"EXTEND  =                    T", odd.ljust(30))
    assert odd in content
    packed = bytearray(gzip.compress(content))
    packed[-6] ^= 1  # of the CRC
    (tmp_path / "a.fits.gz").write_bytes(packed)
    with pytest.raises(InputError, match="damaged"):
        read_image(tmp_path / "a.fits.gz")
    assert not recwarn.list

"""Each kind of bad FITS gives one line: the file, the fault, what would work."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_array_equal

from pellucid.errors import InputError, UsageError
from pellucid.fits import check_sums, read_image, write_image

GOOD = np.arange(20, dtype="f4").reshape(4, 5)


def wcs_header(shift: float = 0.0, **cards) -> fits.Header:
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = 150.0, 2.0
    header["CRPIX1"], header["CRPIX2"] = 5.0 + shift, 6.0
    header["CDELT1"], header["CDELT2"] = -1e-4, 1e-4
    header.update(cards)
    return header


def save(path: Path, *hdus) -> Path:
    first = hdus[0] if isinstance(hdus[0], fits.PrimaryHDU) else fits.PrimaryHDU()
    fits.HDUList([first, *(h for h in hdus if h is not first)]).writeto(path)
    return path


def raw_header(**cards: object) -> bytes:
    """A primary header written by hand, so that it may lie."""

    lines = [f"{'SIMPLE':8}= {'T':>20}"]
    lines += [f"{key:8}= {value:>20}" for key, value in cards.items()]
    return "".join(line.ljust(80) for line in [*lines, "END"]).ljust(2880).encode()


def refused(*paths: Path, match: str, error: type[Exception] = InputError, **options) -> str:
    """The error's text, after checking that it is one line and names each file."""
    with pytest.raises(error, match=match) as caught:
        read_image(*paths, **options)
    text = str(caught.value)
    assert "\n" not in text
    for path in paths:
        assert str(path) in text
    assert ";" in text, "says what would work"
    assert getattr(caught.value, "exit_code", None) == 3
    return text


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


@pytest.mark.parametrize("hdu", [5, -1, "7", "NOPE", "SCI,9"])
def test_wrong_hdu_lists_those_there_are(tmp_path, hdu):
    path = save(tmp_path / "a.fits", fits.ImageHDU(GOOD, name="SCI"))
    text = refused(path, match="has no HDU", hdu=hdu)
    assert "0 PRIMARY (image, empty), 1 SCI (image, 4×5)" in text


def test_chosen_hdu_is_empty(tmp_path):
    path = save(tmp_path / "a.fits", fits.ImageHDU(GOOD, name="SCI"))
    refused(path, match="HDU 0 PRIMARY .* has no pixels", hdu=0)


def test_chosen_hdu_is_a_table(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("z", "C", array=np.ones(3, "c8"))])
    path = save(tmp_path / "a.fits", fits.ImageHDU(GOOD, name="SCI"), table)
    refused(path, match="HDU 2 .*table.* is no image", hdu=2)


def test_only_a_table(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("mag", "E", array=np.ones(3))])
    refused(save(tmp_path / "a.fits", table), match="holds no image")


def test_no_data_at_all(tmp_path):
    refused(save(tmp_path / "a.fits", fits.PrimaryHDU()), match="holds no image")


def test_random_groups(tmp_path):
    data = fits.GroupData(
        np.ones((3, 4, 5), "f4"), bitpix=-32, parnames=["u"], pardata=[np.ones(3)]
    )
    path = tmp_path / "a.fits"
    fits.HDUList([fits.GroupsHDU(data)]).writeto(path)
    refused(path, match="holds no image")
    refused(path, match="random groups.* is no image", hdu=0)


@pytest.mark.parametrize(
    ("shape", "words"), [((7,), "has 1 axis"), ((1, 1, 4, 5), "1×1×4×5.* has 4 axes")]
)
@pytest.mark.parametrize("hdu", [None, 0])
def test_wrong_number_of_axes(tmp_path, shape, words, hdu):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(np.ones(shape)))
    text = refused(path, match=words, hdu=hdu)
    assert "an image has (y, x) or (band, y, x)" in text


def test_all_nan(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(np.full((4, 5), np.nan)))
    refused(path, match="no finite pixel")


def test_one_band_all_nan(tmp_path):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(np.stack([GOOD, GOOD * np.nan])))
    refused(path, match="plane 2 of HDU 0 .* no finite pixel")


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 1e300])
def test_infinities(tmp_path, bad):
    data = GOOD.astype("f8")
    data[0, :3] = bad
    refused(save(tmp_path / "a.fits", fits.PrimaryHDU(data)), match="3 infinite pixels")


def test_mismatched_shapes(tmp_path):
    first = save(tmp_path / "g.fits", fits.PrimaryHDU(GOOD))
    second = save(tmp_path / "r.fits", fits.PrimaryHDU(GOOD.T.copy()))
    refused(first, second, match="different shapes \\(4×5 and 5×4\\)")


def test_mismatched_wcs(tmp_path):
    first = save(tmp_path / "g.fits", fits.PrimaryHDU(GOOD, wcs_header()))
    second = save(tmp_path / "r.fits", fits.PrimaryHDU(GOOD, wcs_header(0.3)))
    refused(first, second, match="different sky \\(0.3 pixels apart\\)")


def test_mismatched_wcs_behind_a_band_without_one(tmp_path):
    paths = [
        save(tmp_path / f"{band}.fits", fits.PrimaryHDU(GOOD, header))
        for band, header in (("g", None), ("r", wcs_header()), ("i", wcs_header(2)))
    ]
    with pytest.raises(InputError, match=r"r\.fits.* and .*i\.fits.*different sky"):
        read_image(*paths)


def test_two_chips_are_not_two_bands(tmp_path):
    chips = [fits.ImageHDU(GOOD, wcs_header(9.0 * k), name="SCI", ver=k + 1) for k in range(2)]
    path = save(tmp_path / "a.fits", *chips)
    refused(path, match="different sky \\(9.0 pixels apart\\).*--hdu")
    assert read_image(path, hdu="SCI,2").shape == (1, 4, 5)


def test_mismatched_units(tmp_path):
    first = save(tmp_path / "g.fits", fits.PrimaryHDU(GOOD, fits.Header({"BUNIT": "nanomaggy"})))
    second = save(tmp_path / "r.fits", fits.PrimaryHDU(GOOD, fits.Header({"BUNIT": "adu"})))
    refused(first, second, match="different units \\(nanomaggy and adu\\)")


def test_broken_wcs(tmp_path):
    header = wcs_header(CDELT1=0.0, CDELT2=0.0)
    refused(save(tmp_path / "a.fits", fits.PrimaryHDU(GOOD, header)), match="WCS of HDU 0")


def test_duplicate_bands(tmp_path):
    paths = [
        save(tmp_path / f"{k}.fits", fits.PrimaryHDU(GOOD, fits.Header({"FILTER": "r"})))
        for k in range(2)
    ]
    refused(*paths, match="both band r.*--bands")
    assert read_image(*paths, bands=("r", "i")).bands == ("r", "i")
    with pytest.raises(InputError, match="both band r"):
        read_image(*paths, bands=("r", "r"))


@pytest.mark.parametrize("bands", [("g",), ("g", "r", "i"), ()])
def test_wrong_number_of_band_names(tmp_path, bands):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(np.stack([GOOD, GOOD])))
    refused(path, match=f"{len(bands)} band names .* for 2 bands", bands=bands)


def test_several_files_of_several_bands(tmp_path):
    cube = save(tmp_path / "a.fits", fits.PrimaryHDU(np.stack([GOOD, GOOD])))
    one = save(tmp_path / "b.fits", fits.PrimaryHDU(GOOD))
    with pytest.raises(InputError, match=r"a\.fits: holds 2 bands"):
        read_image(cube, one)


def test_no_file_is_a_usage_error():
    with pytest.raises(UsageError, match="no file"):
        read_image()


@pytest.mark.parametrize("junk", [b"junk", b" " * 2880, b"x" * 5760, raw_header(BITPIX=8)])
def test_what_stands_behind_the_last_hdu_is_no_fault(tmp_path, junk):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(GOOD))
    whole = path.read_bytes()
    for content in (whole + junk, gzip.compress(whole + junk[:2880])):
        path.write_bytes(content)
        assert_array_equal(read_image(path).flux[0], GOOD)
        check_sums(path)


@pytest.mark.parametrize("card", ["FILTER  = 'r", 'BUNIT   = "Jy"', "PIXSCALE= 1 2 3"])
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

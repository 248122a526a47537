"""What is no FITS: TIFF and XISF are read, other formats are named with the tool that converts."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from astropy.io import fits
from fits_files import noise, refused
from xisf import XISF

from pellucid.cli import main
from pellucid.errors import UsageError
from pellucid.fits import read_image, write_image

DTYPES = ("uint16", "uint32", "float32", "float64")


def stack(dtype: str, *shape: int) -> np.ndarray:
    """Pixels of a stack in the range of its type, each another."""
    values = np.random.default_rng(2).uniform(0.0, 1.0, shape)
    top = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1.0
    return (values * top).astype(dtype)


@pytest.mark.parametrize("dtype", [*DTYPES, "float16", "int16"])
def test_a_grey_tiff_is_read_from_the_bottom_up(tmp_path, dtype):
    pixels = stack("uint16", 4, 5).astype("i4") // 4 if dtype == "int16" else stack(dtype, 4, 5)
    tifffile.imwrite(tmp_path / "a-r.tif", pixels.astype(dtype))
    image = read_image(tmp_path / "a-r.tif")
    np.testing.assert_array_equal(image.flux[0], pixels.astype(dtype)[::-1].astype("f4"))
    assert image.bands == ("r",)
    assert any("linear" in note for note in image.notes)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_colour_tiff_has_red_green_and_blue(tmp_path, dtype, planar):
    pixels = stack(dtype, 4, 5, 3)
    stored = pixels if planar == "contig" else np.moveaxis(pixels, -1, 0)
    tifffile.imwrite(
        tmp_path / "a.tiff", stored, photometric="rgb", planarconfig=planar, compression="zlib"
    )
    image = read_image(tmp_path / "a.tiff")
    assert image.bands == ("R", "G", "B")
    np.testing.assert_array_equal(image.flux, np.moveaxis(pixels, -1, 0)[:, ::-1].astype("f4"))
    write_image(image, tmp_path / "b.fits")
    assert fits.getheader(tmp_path / "b.fits")["CTYPE3"] == "RGB"
    np.testing.assert_array_equal(read_image(tmp_path / "b.fits").flux, image.flux)


def test_a_tiff_may_hold_transparency_and_cards(tmp_path):
    header = fits.Header({"SIMPLE": True, "OBJECT": "M 51", "XPIXSZ": 2.9, "FOCALLEN": 250.0})
    pixels = stack("uint16", 4, 5, 4)
    tifffile.imwrite(
        tmp_path / "a.tif",
        pixels,
        photometric="rgb",
        extrasamples=["unassalpha"],
        description=header.tostring(sep="\n"),
        metadata=None,
    )
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.flux, np.moveaxis(pixels[..., :3], -1, 0)[:, ::-1])
    assert image.header["OBJECT"] == "M 51"
    assert image.pixel_scale == pytest.approx(2.3927, rel=1e-4)


def test_an_8_bit_tiff_is_a_picture(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.ones((4, 5), "u1"))
    refused(tmp_path / "a.tif", match="8 bits a pixel.*PNG")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("codec", [None, "zlib", "lz4hc", "zstd"])
@pytest.mark.parametrize("count", [1, 3])
def test_xisf_is_read_with_its_keywords(tmp_path, dtype, codec, count):
    pixels = stack(dtype, 12, 15, count)
    keywords = {
        "OBJECT": [{"value": "'M 51'", "comment": "what"}],
        "EXPTIME": [{"value": "30.5", "comment": "[s]"}],
        "PIXSCALE": [{"value": "1.25", "comment": ""}],
        "ROWORDER": [{"value": "'TOP-DOWN'", "comment": ""}],
        "HISTORY": [{"value": "", "comment": "Integration"}],
        "BITPIX": [{"value": "8", "comment": "of something else"}],
        "NOT A KEYWORD": [{"value": "1", "comment": ""}],
    }
    metadata = {"FITSKeywords": keywords, "XISFProperties": {}}
    XISF.write(
        str(tmp_path / "a.xisf"), pixels, image_metadata=metadata, codec=codec, shuffle=bool(codec)
    )
    image = read_image(tmp_path / "a.xisf")
    np.testing.assert_array_equal(image.flux, np.moveaxis(pixels, -1, 0)[:, ::-1].astype("f4"))
    assert image.bands == (("R", "G", "B") if count == 3 else ("band1",))
    assert image.header["OBJECT"] == "M 51"
    assert image.header["EXPTIME"] == 30.5
    assert image.pixel_scale == 1.25
    assert image.header["ROWORDER"] == "BOTTOM-UP", "as the rows stand now"
    assert not any("ROWORDER" in note for note in image.notes)
    write_image(image, tmp_path / "b.fits")
    assert fits.getheader(tmp_path / "b.fits")["BITPIX"] == -32


@pytest.mark.parametrize("name", ["a.tif", "a.xisf"])
def test_a_file_that_is_cut_off_is_refused(tmp_path, name):
    tifffile.imwrite(tmp_path / "a.tif", stack("uint16", 40, 50))
    XISF.write(str(tmp_path / "a.xisf"), stack("uint16", 40, 50, 1))
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:1500])
    refused(path, match="cannot be decoded")


def test_xisf_without_its_package_says_what_installs_it(tmp_path, monkeypatch):
    XISF.write(str(tmp_path / "a.xisf"), stack("uint16", 4, 5, 1))
    monkeypatch.setitem(__import__("sys").modules, "xisf", None)
    refused(tmp_path / "a.xisf", match=r"pip install 'pellucid\[xisf\]'")


@pytest.mark.parametrize(
    ("name", "start", "tool"),
    [
        ("a.cr2", b"II*\0\x10\0\0\0CR\x02\0", "Siril"),
        ("a.dng", b"II*\0\x08\0\0\0", "dcraw"),
        ("a.NEF", b"MM\0*\0\0\0\x08", "debayer"),
        ("a.cr3", b"\0\0\0\x18ftypcrx ", "debayer"),
        ("a.raf", b"FUJIFILMCCD-RAW 0201", "debayer"),
        ("a.fits.zst", b"\x28\xb5\x2f\xfd\x04\x58", "unzstd"),
        ("a.fits.Z", b"\x1f\x9d\x90", "uncompress"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "h5py"),
        ("a.asdf", b"#ASDF 1.0.0\n", "asdf"),
        ("a.npy", b"\x93NUMPY\x01\0", "writeto"),
        ("a.ser", b"LUCAM-RECORDER\0", "Siril"),
        ("a.fits", b"<!DOCTYPE html><html>", "web page"),
        ("b.fits", b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        ("c.fits", b"\x89PNG\r\n\x1a\n", "end its name in .png"),
        ("a.imh", b"imhv2\0", "wfits"),
        ("d.fits", b"something else", "SIMPLE = T"),
    ],
)
def test_what_is_not_read_is_named_with_its_tool(tmp_path, name, start, tool):
    (tmp_path / name).write_bytes(start + bytes(100))
    refused(tmp_path / name, match=tool)


@pytest.mark.parametrize("name", ["b.tif", "b.xisf", "b.fits.zst", "b.zip", "b.npy"])
def test_a_name_that_promises_another_format_is_refused_before_the_work(tmp_path, name, capsys):
    fits.writeto(tmp_path / "a.fits", noise(20, 20))
    words = [tmp_path / "a.fits", "--method", "wiener", "--psf", 2, "--output", tmp_path / name]
    assert main(["restore", *map(str, words)]) == 2
    assert "end its name in .fits" in capsys.readouterr().err
    with pytest.raises(UsageError, match=name):
        write_image(read_image(tmp_path / "a.fits"), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["a.fits"]


def test_an_array_of_one_axis_is_no_image(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", stack("uint16", 4, 5))
    monkeypatch.setattr(tifffile.TiffFile, "asarray", lambda self, **_: np.zeros(0, "u2"))
    assert "a.tif" in refused(tmp_path / "a.tif", match="an array of 1 axes")


def test_pages_that_form_a_ring_are_gone_round_once(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif", byteorder="<") as file:
        for number in range(3):
            page = np.arange(20, dtype="u2").reshape(4, 5) + number
            file.write(page, photometric="minisblack", contiguous=False)
    with tifffile.TiffFile(tmp_path / "a.tif") as opened:
        second, last = opened.pages[1].offset, opened.pages[2]
        end = last.offset + 2 + 12 * len(last.tags)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    assert content[end : end + 4] == bytes(4)  # nothing follows the last page
    content[end : end + 4] = second.to_bytes(4, "little")
    (tmp_path / "a.tif").write_bytes(content)
    image = read_image(tmp_path / "a.tif", pixel_scale=0.4)
    np.testing.assert_array_equal(image.flux[0, ::-1].ravel(), np.arange(20))

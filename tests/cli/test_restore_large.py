"""restore of an image that is too large for memory: from file to file, piece by piece."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_array_equal
from typed import INPUT, USAGE, strict

from pellucid import load_restorer, read_image, write_image
from pellucid.cli import main
from pellucid.deconvolution.settled import SETTLED
from pellucid.restoration import classical_pieces, pieces

PLANES = ("UNCERT", "RANGE95", "DOUBT", "CHI2")
SIDES = (2, 90, 110)


@pytest.fixture
def mosaic(tmp_path: Path) -> Path:
    """Two bands with noise, a source, a border, errors, flags, a table and a WCS."""
    rng = np.random.default_rng(5)
    flux = rng.normal(10.0, 1.0, SIDES).astype(">f4")
    y, x = np.mgrid[: SIDES[1], : SIDES[2]]
    flux += (80.0 * np.exp(-((y - 40) ** 2 + (x - 50) ** 2) / 40.0)).astype("f4")
    flux[:, :, 104:] = np.nan
    error = np.ones(SIDES, ">f4")
    flags = np.zeros(SIDES[1:], ">i2")
    flags[20:23, 60:64] = 1
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0}
    cards |= {"CRPIX1": 50.0, "CRPIX2": 50.0, "CDELT1": -0.4 / 3600, "CDELT2": 0.4 / 3600}
    cards |= {"BUNIT": "adu", "OBSERVER": "Hubble", "BAND1": "g", "BAND2": "r"}
    table = fits.BinTableHDU.from_columns([fits.Column("A", "J", array=[1, 2])], name="LOG")
    hdus = [
        fits.PrimaryHDU(flux, fits.Header(cards)),
        fits.ImageHDU(error, name="ERR"),
        fits.ImageHDU(flags, name="DQ"),
        table,
    ]
    path = tmp_path / "mosaic.fits"
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.mark.parametrize(
    ("form", "psf"),
    [(".fits", 1.3), (".fits", 2.4), (".fits", 4.4), (".fits.gz", 2.4), (".fits.fz", 2.4)],
)
def test_a_file_restored_by_pieces_has_the_bits_of_the_image_in_memory(
    psf, form, mosaic, tmp_path, monkeypatch, pellucid
):
    """On finer pixels, the image's own, and joined ones; plain, packed and tile-compressed."""
    source = mosaic
    if form == ".fits.gz":
        source = tmp_path / "packed.fits.gz"
        source.write_bytes(gzip.compress(mosaic.read_bytes()))
    elif form == ".fits.fz":
        source = tmp_path / "tiled.fits.fz"
        with fits.open(mosaic) as opened:
            tiled = fits.CompImageHDU(
                opened[0].data, opened[0].header, compression_type="GZIP_2", quantize_level=0.0
            )
            fits.HDUList([fits.PrimaryHDU(), tiled, *opened[1:]]).writeto(source)
    monkeypatch.setattr(pieces, "LARGE", 1)
    held = load_restorer("pellucid")(read_image(source), psf=psf)
    write_image(held, tmp_path / "held.fits")
    out = tmp_path / "out.fits"
    words = ["restore", source, "--model", "pellucid", "--psf", psf, "--output", out, "--json"]
    assert strict(pellucid(*words))["shape"] == list(held.image.shape)
    with fits.open(tmp_path / "held.fits") as expected, fits.open(out, checksum=True) as opened:
        for hdu in opened:
            assert hdu.verify_checksum() == hdu.verify_datasum() == 1
        first = next(k for k, hdu in enumerate(expected) if hdu.data is not None)
        for name in (first, *PLANES):
            assert_array_equal(opened[name].data, expected[name].data)
        assert opened["LOG"].data["A"].tolist() == [1, 2]
        header = opened[first].header
        assert header["OBSERVER"] == "Hubble"
        for keyword in ("PLCTYPE", "PLCMODEL", "PLCDOUBT", "PLCCHI1", "CRPIX1", "BUNIT"):
            assert header[keyword] == expected[first].header[keyword]
        assert any("not a measurement" in line for line in header["HISTORY"])
    again = read_image(out)
    assert_array_equal(again.flux, held.image.flux)
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith(".")) == []


def test_what_does_not_stream_is_restored_whole_and_says_so(mosaic, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pieces, "LARGE", 1)
    words = ["restore", mosaic, "--method", "blind", "--psf", 1.3, "--output", tmp_path / "o.fits"]
    assert main(list(map(str, words))) == 0
    assert "restored whole, in memory: blind" in capsys.readouterr().err


def test_a_picture_needs_the_whole_and_nothing_is_kept(mosaic, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pieces, "LARGE", 1)
    words = ["restore", mosaic, "--method", "wiener", "--psf", 1.3, "--output", tmp_path / "o.fits"]
    words += ["--png", tmp_path / "o.png", "--resume"]
    assert main(list(map(str, words))) == 0
    said = capsys.readouterr().err
    assert "in memory: --png and --regions show all of it; --resume keeps nothing of it" in said
    assert (tmp_path / "o.png").exists()


def test_a_large_image_goes_into_a_plain_file(mosaic, tmp_path, monkeypatch, refused):
    monkeypatch.setattr(pieces, "LARGE", 1)
    target = tmp_path / "out.fits.gz"
    words = ("restore", mosaic, "--model", "pellucid", "--psf", 1.3, "--output", target)
    assert ".fits file" in refused(USAGE, *words, naming=target)
    assert not target.exists()


@pytest.mark.parametrize("part", [(slice(None), slice(None)), (40, 30)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_result_without_numbers_is_no_file(part, value, mosaic, tmp_path, monkeypatch, capsys):
    """All of it, or one pixel where there is data: what was put into the file so far goes."""
    monkeypatch.setattr(pieces, "LARGE", 1)

    def settled(sample, stamp):
        def restored(plane, there):
            made = plane.copy()
            made[part] = value
            return made

        return restored

    monkeypatch.setitem(SETTLED, "wiener", settled)
    out = tmp_path / "out.fits"
    words = ["restore", mosaic, "--method", "wiener", "--psf", 1.3, "--output", out]
    assert main(list(map(str, words))) == INPUT
    line = f"{mosaic}: the restoration of it has values that are no numbers"
    assert line in capsys.readouterr().err.splitlines()[-1]
    assert [each.name for each in tmp_path.iterdir()] == [mosaic.name]
    out.write_bytes(b"old")
    assert main([*map(str, words), "--overwrite"]) == INPUT
    assert out.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2


ENDED = """
from pellucid.cli import run
from pellucid.restoration import classical_pieces, pieces
pieces.LARGE = 1
run()
"""


def test_an_end_on_demand_leaves_nothing(mosaic, tmp_path):
    """SIGTERM while pieces are put into the file: no output, no temporary file."""
    target = tmp_path / "out.fits"
    words = ["restore", mosaic, "--model", "pellucid", "--psf", "1.3", "--output", target]
    with subprocess.Popen([sys.executable, "-c", ENDED, *map(str, words)]) as process:
        for _ in range(600):
            if any(each.name.startswith(".pellucid-") for each in tmp_path.iterdir()):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    assert [each.name for each in tmp_path.iterdir()] == [mosaic.name]


class Killed(BaseException):
    """As a kill ends a run: nothing is tidied up."""


def test_what_was_killed_goes_on_with_resume(mosaic, tmp_path, monkeypatch, capsys):
    """At a piece, and while the totals are kept; all ends have the bits of an undisturbed run."""
    monkeypatch.setattr(pieces, "LARGE", 1)
    monkeypatch.setattr(classical_pieces, "CORE", 32)
    out = tmp_path / "out.fits"
    words = ["restore", mosaic, "--method", "wiener", "--psf", 1.3, "--output", out, "--resume"]
    words = list(map(str, words))
    assert main(words) == 0
    undisturbed = out.read_bytes()
    assert [each.name for each in tmp_path.glob("out*")] == ["out.fits"]
    out.unlink()

    made = list[int]()
    as_it_is, totals = pieces._restore_piece, pieces._keep_totals

    def piece(*given):
        made.append(1)
        if len(made) == 5:
            raise Killed
        return as_it_is(*given)

    def half(pieces_of, field, planes, before, after):
        totals(pieces_of, field, planes, before, after)
        raise Killed

    monkeypatch.setattr(pieces, "_restore_piece", piece)
    with pytest.raises(Killed):
        main(words)
    assert not out.exists()
    journal = tmp_path / "out.fits.part.jsonl"
    with journal.open("ab") as stream:  # a line that the kill cut off
        stream.write(b'{"step": "4", "su')
    capsys.readouterr()
    monkeypatch.setattr(pieces, "_keep_totals", half)
    with pytest.raises(Killed):
        main(words)
    assert "4 of its pieces were done before" in capsys.readouterr().err
    assert len(made) == 5 + 12 - 4
    monkeypatch.setattr(pieces, "_keep_totals", totals)
    assert main(words) == 0  # which pixels have their total is not known: all anew
    assert len(made) == 5 + 12 - 4 + 12
    assert out.read_bytes() == undisturbed
    assert [each.name for each in tmp_path.glob("out*")] == ["out.fits"]


def test_another_image_is_not_gone_on_with(mosaic, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pieces, "LARGE", 1)
    out, part = tmp_path / "out.fits", tmp_path / "out.fits.part"
    words = ["restore", mosaic, "--method", "wiener", "--output", out, "--resume", "--psf"]
    words = list(map(str, words))

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(pieces, "_keep_totals", killed)
        with pytest.raises(Killed):
            main([*words, "1.3"])
    before = part.read_bytes()
    assert main([*words, "1.4"]) == USAGE
    assert f"{part}: was begun with other options" in capsys.readouterr().err
    mosaic.touch()
    assert main([*words, "1.3"]) == USAGE
    assert f"{part}: was begun with other files" in capsys.readouterr().err
    assert part.read_bytes() == before
    words.remove("--resume")
    assert main([*words, "1.3"]) == 0
    assert f"{part} is what an earlier run left of it; --resume" in capsys.readouterr().err
    assert part.read_bytes() == before

"""Each bad image, PSF and model: its exit code, one line that names the file, and no trace left."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image
from typed import GOOD, INPUT, USAGE

from pellucid.cli import main
from pellucid.errors import InputError
from pellucid.networks.bundle import open_bundle
from pellucid.restoration import load_restorer
from pellucid.sky import SkyImage, gaussian_psf


def raw_header(**cards: object) -> bytes:
    lines = [f"{'SIMPLE':8}= {'T':>20}"]
    lines += [f"{key:8}= {value:>20}" for key, value in cards.items()]
    return "".join(line.ljust(80) for line in [*lines, "END"]).ljust(2880).encode()


# --- images ----------------------------------------------------------------------------------


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4000])


def promising(path: Path) -> None:
    path.write_bytes(raw_header(BITPIX=-32, NAXIS=2, NAXIS1=30000, NAXIS2=30000) + bytes(2880))


def zero_axis(path: Path) -> None:
    path.write_bytes(raw_header(BITPIX=-32, NAXIS=2, NAXIS1=0, NAXIS2=5))


def bomb(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes() + bytes(20_000_000)))


def holding(data: np.ndarray | None):
    def write(path: Path) -> None:
        fits.PrimaryHDU(data).writeto(path, overwrite=True)

    return write


DAMAGES = {
    "truncated": (truncated, "truncated"),
    "more promised than there": (promising, "truncated"),
    "zero-length axis": (zero_axis, "zero-length axis"),
    "gzip bomb": (bomb, "expands beyond"),
    "no image": (holding(None), "holds no image"),
    "1-D": (holding(np.ones(9, "f4")), "has 1 axis"),
    "4-D": (holding(np.ones((2, 3, 4, 5), "f4")), "has 4 axes"),
    "all NaN": (holding(GOOD * np.nan), "no finite pixel"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "text": (lambda path: path.write_text("my galaxy"), "not a FITS file"),
    "gone": (Path.unlink, "not found"),
}


@pytest.mark.parametrize("verb", ["restore", "degrade", "evaluate"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_file(refused, save, wiener, tmp_path, verb, damage):
    path = save("galaxy.fits")
    (tmp_path / "older.fits").write_bytes(path.read_bytes())
    spoil, words = DAMAGES[damage]
    spoil(path)
    more = {
        "restore": [path, *wiener],
        "degrade": [path, "--fwhm", "1", "--noise", "1", "--output", tmp_path / "out.fits"],
        "evaluate": ["--truth", tmp_path / "older.fits", "--restored", path],
    }[verb]
    assert words in refused(INPUT, verb, *more, naming=path)


@pytest.mark.parametrize("hdu", ["7", "SCI"])
def test_a_wrong_hdu(refused, save, wiener, hdu):
    path = save("galaxy.fits")
    said = refused(INPUT, "restore", path, *wiener, "--hdu", hdu, naming=path)
    assert f"has no HDU {hdu}" in said


def test_a_table_is_no_image(refused, save, wiener):
    table = fits.BinTableHDU.from_columns([fits.Column("mag", "E", array=np.ones(3))])
    path = save("galaxy.fits", GOOD, table)
    assert "is no image" in refused(INPUT, "restore", path, *wiener, "--hdu", "1", naming=path)


def test_bands_of_different_shapes(refused, save, wiener):
    one, two = save("g.fits"), save("r.fits", GOOD[:30])
    assert "different shapes" in refused(INPUT, "restore", one, two, *wiener, naming=two)


def test_bands_of_different_sky(refused, save, wiener):
    one, two = save("g.fits"), save("r.fits", CRPIX1=30.5)
    assert "different sky" in refused(INPUT, "restore", one, two, *wiener, naming=two)


def test_an_image_without_noise_has_no_scale(tiny_bundle):
    flat = SkyImage(np.ones((40, 40), "f4"), ("r",), unit="nanomaggy", pixel_scale=0.396)
    with pytest.raises(InputError, match="sky is constant"):
        load_restorer(tiny_bundle)(flat)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\x89PNG\r\n\x1a\n" + bytes(90), "png"), (b"", "png"), (b"GIF89a" + bytes(50), "PNG")],
)
def test_a_damaged_picture(refused, wiener, tmp_path, content, words):
    (tmp_path / "a.png").write_bytes(content)
    said = refused(INPUT, "restore", tmp_path / "a.png", *wiener, naming=tmp_path / "a.png")
    assert words in said


def test_a_truncated_picture(refused, wiener, tmp_path):

    path = tmp_path / "a.jpg"
    Image.fromarray((GOOD * 20).astype("u1")).resize((200, 200)).save(path)
    path.write_bytes(path.read_bytes()[:-500])
    assert "cannot be decoded" in refused(INPUT, "restore", path, *wiener, naming=path)


def test_a_picture_among_files(refused, save, wiener, tmp_path):
    picture = tmp_path / "a.png"
    refused(USAGE, "restore", picture, save("g.fits"), *wiener, naming=picture)


# --- PSF -------------------------------------------------------------------------------------

STAMP = gaussian_psf(1.2, 0.396).stamps[0]
SPOILT = STAMP.copy()
SPOILT[2, 2] = np.nan


@pytest.mark.parametrize(
    ("stamp", "words"),
    [
        (np.pad(STAMP, ((0, 8), (0, 8))), "off the centre"),
        (STAMP - 0.5 * STAMP.max(), "holds no flux|negative"),
        (np.where(np.eye(len(STAMP)) > 0, STAMP, -0.2 * STAMP), "holds no flux|negative"),
        (STAMP - 0.15 * STAMP.max() * np.eye(len(STAMP), k=3), "negative"),
        (SPOILT, "not finite"),
        (np.zeros_like(STAMP), "holds no flux"),
        (np.ones(9, "f4"), "no PSF stamp"),
    ],
)
def test_a_bad_psf(refused, save, tmp_path, stamp, words):
    import re

    path, psf = save("galaxy.fits"), save("psf.fits", stamp.astype("f4"))
    command = ["restore", path, "--method", "wiener", "--psf", psf]
    said = refused(INPUT, *command, "--output", tmp_path / "out.fits", naming=psf)
    assert re.search(words, said)


def test_a_missing_psf(refused, save, tmp_path):
    path, target = save("galaxy.fits"), tmp_path / "out.fits"
    command = ["restore", path, "--method", "wiener", "--output", target]
    assert "needs the PSF" in refused(INPUT, *command, naming=path)
    gone = tmp_path / "psf.fits"
    said = refused(INPUT, *command, "--psf", gone, naming=f"--psf {gone}")
    assert "not found" in said
    picture = tmp_path / "psf.png"
    Image.new("L", (9, 9)).save(picture)
    said = refused(INPUT, *command, "--psf", picture, naming=f"--psf {picture}")
    assert "a PNG picture; FITS is needed here" in said


@pytest.mark.parametrize("fwhm", ["0", "-1", "nan", "inf"])
def test_a_psf_of_impossible_width(refused, save, tmp_path, fwhm):
    path = save("galaxy.fits")
    command = ["restore", path, "--method", "wiener", "--output", tmp_path / "out.fits"]
    assert "above 0" in refused(USAGE, *command, "--psf", fwhm, naming=f"--psf {fwhm}")


def test_no_pixel_scale(refused, tmp_path):
    path = tmp_path / "galaxy.fits"
    fits.PrimaryHDU(GOOD).writeto(path)
    target = ["--output", tmp_path / "out.fits"]
    for command in (
        ["restore", path, "--method", "wiener", "--psf", "1.2"],
        ["degrade", path, "--fwhm", "1", "--noise", "1"],
    ):
        assert "--pixel-scale states it" in refused(INPUT, *command, *target, naming=path)


# --- models ----------------------------------------------------------------------------------


@pytest.fixture
def restore_with(tmp_path, bands_of):
    def words(model: object) -> list[object]:
        return ["restore", *bands_of, "--model", model, "--output", tmp_path / "out.fits"]

    return words


def test_a_bundle_for_other_bands(refused, restore_with, write_card_bundle, bands_of):
    bundle = write_card_bundle(bands=("J", "H"))
    said = refused(INPUT, *restore_with(bundle), naming=bands_of[0])
    assert "the image has bands g,r,i; model untrained takes J,H or one band alone" in said


def test_a_bundle_for_other_pixels(refused, restore_with, write_card_bundle, bands_of):
    bundle = write_card_bundle(pixel_scale=0.168)
    said = refused(INPUT, *restore_with(bundle), naming=bands_of[0])
    assert 'the image has 0.396" pixels, model untrained takes 0.168"' in said


@pytest.mark.parametrize("place", [0.1, 0.5, 0.999])
def test_a_damaged_bundle(refused, restore_with, tiny_bundle, tmp_path, place):
    content = bytearray(tiny_bundle.read_bytes())
    content[int(place * len(content))] ^= 1
    (tmp_path / "b.onnx").write_bytes(content)
    refused(INPUT, *restore_with(tmp_path / "b.onnx"), naming=tmp_path / "b.onnx")


def test_a_truncated_bundle(refused, restore_with, tiny_bundle, tmp_path):
    content = tiny_bundle.read_bytes()
    (tmp_path / "b.onnx").write_bytes(content[: len(content) // 2])
    refused(INPUT, *restore_with(tmp_path / "b.onnx"), naming=tmp_path / "b.onnx")


@pytest.mark.parametrize("content", [b"", b"weights", b"\x80\x04\x95pickle", b"pellucid_sha256"])
def test_what_is_no_bundle(refused, restore_with, tmp_path, content):
    (tmp_path / "b.onnx").write_bytes(content)
    said = refused(INPUT, *restore_with(tmp_path / "b.onnx"), naming=tmp_path / "b.onnx")
    assert "is no pellucid bundle" in said


def test_a_bundle_that_may_not_be_read(refused, restore_with, tiny_bundle, monkeypatch):
    read = Path.read_bytes

    def forbid(path: Path) -> bytes:
        if path == tiny_bundle:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", forbid)
    refused(INPUT, *restore_with(tiny_bundle), naming=tiny_bundle)


def test_an_unknown_model(refused, restore_with):
    said = refused(USAGE, *restore_with("galaxygan-moon"), naming=Path("galaxygan-moon"))
    assert "neither a bundle's file nor a shipped model" in said


def test_a_method_that_is_none(refused, save, tmp_path, tiny_bundle):
    target = ["--output", tmp_path / "out.fits"]
    path = save("galaxy.fits")
    refused(USAGE, "restore", path, "--method", "magic", *target, naming=Path("magic"))
    both = ["--method", "wiener", "--model", tiny_bundle]
    refused(USAGE, "restore", path, *both, *target, naming=tiny_bundle)


@pytest.mark.parametrize("bands", ["x", "g,,i", "g,g,i"])
def test_band_names_that_do_not_fit(bands_of, tmp_path, capsys, bands):
    words = ["restore", *bands_of, "--bands", bands, "--method", "wiener", "--psf", "1"]
    code = main([str(word) for word in [*words, "--output", tmp_path / "out.fits"]])
    assert code == (USAGE if ",," in bands else INPUT)
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out.fits").exists()


def test_the_good_bundle_is_good(tiny_bundle):
    """The damages above are damages of a file that is read without them."""
    assert open_bundle(tiny_bundle).card.name == "tiny"


@pytest.mark.parametrize("value", [0.0, -7.5])
def test_a_constant_is_no_image(refused, save, wiener, value):
    flux = np.full((40, 40), value, "f4")
    flux[:, 3] = np.nan
    path = save("r.fits", flux)
    assert f"constant ({value:g})" in refused(INPUT, "restore", path, *wiener, naming=path)


def test_a_few_pixels_are_no_image(refused, save, wiener):
    path = save("r.fits", GOOD[:7])
    words = [*wiener, "--force"]  # the psf is too wide for it, too
    assert "44 × 7 pixels are too few" in refused(INPUT, "restore", path, *words, naming=path)

"""Each bad input: its exit code, one line that names the file, and no trace left behind."""

from __future__ import annotations

import errno
import gzip
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from pellucid.cli import main
from pellucid.networks.bundle import open_bundle
from pellucid.sky import gaussian_psf

USAGE, INPUT, TEMPORARY = 2, 3, 75
GOOD = np.random.default_rng(0).normal(3, 1, (40, 44)).astype("f4")


@pytest.fixture
def refused(tmp_path, files_in, capsys):
    """Runs a command that must fail; returns the one line it says."""

    def run(code: int, *words: object, naming: Path | str) -> str:
        before = files_in(tmp_path)
        capsys.readouterr()
        assert main([str(word) for word in words]) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("pellucid: ")
        assert err.count("\n") == 1
        assert str(naming) in err
        assert files_in(tmp_path) == before, "nothing new, nothing changed, nothing half done"
        return err

    return run


@pytest.fixture
def wiener(tmp_path):
    """The words of a restoration into ``out.fits``, which is not there yet."""
    return ["--method", "wiener", "--psf", "1.2", "--output", tmp_path / "out.fits"]


@pytest.fixture
def save(tmp_path, sky_header):
    def write(name: str, data: np.ndarray | None = GOOD, *more: object, **cards: object) -> Path:
        primary = fits.PrimaryHDU(data, sky_header(**cards) if data is not None else None)
        fits.HDUList([primary, *more]).writeto(tmp_path / name)
        return tmp_path / name

    return write


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


INFINITE = GOOD.copy()
INFINITE[3, 4] = np.inf

DAMAGES = {
    "truncated": (truncated, "truncated"),
    "more promised than there": (promising, "truncated"),
    "zero-length axis": (zero_axis, "zero-length axis"),
    "gzip bomb": (bomb, "expands beyond"),
    "no image": (holding(None), "holds no image"),
    "1-D": (holding(np.ones(9, "f4")), "has 1 axis"),
    "4-D": (holding(np.ones((1, 1, 4, 5), "f4")), "has 4 axes"),
    "all NaN": (holding(GOOD * np.nan), "no finite pixel"),
    "infinite": (holding(INFINITE), "1 infinite pixels"),
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


def test_an_image_without_noise_has_no_scale(refused, save, tiny_bundle, tmp_path):
    path = save("r.fits", np.ones((40, 40), "f4"))
    words = ["--model", tiny_bundle, "--output", tmp_path / "out.fits"]
    assert "sky is constant" in refused(INPUT, "restore", path, *words, naming=path)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\x89PNG\r\n\x1a\n" + bytes(90), "png"), (b"", "png"), (b"GIF89a" + bytes(50), "PNG")],
)
def test_a_damaged_picture(refused, wiener, tmp_path, content, words):
    (tmp_path / "a.png").write_bytes(content)
    said = refused(INPUT, "restore", tmp_path / "a.png", *wiener, naming=tmp_path / "a.png")
    assert words in said


def test_a_truncated_picture(refused, wiener, tmp_path):
    from PIL import Image

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
    assert "not found" in refused(INPUT, *command, "--psf", gone, naming=gone)


@pytest.mark.parametrize("fwhm", ["0", "-1", "nan", "inf"])
def test_a_psf_of_impossible_width(refused, save, tmp_path, fwhm):
    path = save("galaxy.fits")
    command = ["restore", path, "--method", "wiener", "--output", tmp_path / "out.fits"]
    assert "above 0" in refused(USAGE, *command, "--psf", fwhm, naming=f"--psf {fwhm}")


def test_a_psf_of_other_pixels(refused, save, tmp_path):
    """What the file says of its own pixels is not overruled by the image's."""
    path, psf = save("galaxy.fits"), tmp_path / "psf.fits"
    fits.PrimaryHDU(STAMP, fits.Header({"PIXSCALE": 0.05})).writeto(psf)
    command = ["restore", path, "--method", "wiener", "--psf", psf]
    said = refused(INPUT, *command, "--output", tmp_path / "out.fits", naming=path)
    assert 'the PSF has 0.05" pixels, the image 0.396"' in said


def test_no_pixel_scale(refused, tmp_path):
    path = tmp_path / "galaxy.fits"
    fits.PrimaryHDU(GOOD).writeto(path)
    target = ["--output", tmp_path / "out.fits"]
    for command in (
        ["restore", path, "--method", "wiener", "--psf", "1.2"],
        ["degrade", path, "--fwhm", "1", "--noise", "1"],
    ):
        assert "--pixel-scale states it" in refused(INPUT, *command, *target, naming=path)


# --- outputs ---------------------------------------------------------------------------------


def test_an_existing_output_stays(refused, save, wiener, tmp_path):
    path, target = save("galaxy.fits"), tmp_path / "out.fits"
    target.write_bytes(b"older")
    assert "--overwrite" in refused(USAGE, "restore", path, *wiener, naming=target)
    degraded = ["degrade", path, "--fwhm", "1", "--noise", "1", "--output", target]
    refused(USAGE, *degraded, naming=target)
    folder = tmp_path / "folder"
    folder.mkdir()
    refused(USAGE, "pairs", "--sharp", folder, "--degrade", "", "-o", target, naming=target)
    report = ["evaluate", "--data", path, "--method", "wiener", "--report", target]
    refused(USAGE, *report, naming=target)


def test_an_existing_picture_stops_before_any_work(refused, save, wiener, tmp_path):
    picture = tmp_path / "out.png"
    picture.write_bytes(b"older")
    refused(USAGE, "restore", save("galaxy.fits"), *wiener, "--png", picture, naming=picture)


def test_an_output_folder_that_is_missing(refused, save, tmp_path):
    target = tmp_path / "none" / "out.fits"
    command = ["restore", save("galaxy.fits"), "--method", "wiener", "--psf", "1.2"]
    assert "does not exist" in refused(USAGE, *command, "--output", target, naming=target)
    assert "is a folder" in refused(USAGE, *command, "--output", tmp_path, naming=tmp_path)


def test_an_output_that_is_the_input(refused, save, tmp_path, monkeypatch):
    path = save("galaxy.fits")
    command = ["restore", path, "--method", "wiener", "--psf", "1.2", "--overwrite"]
    assert "is an input" in refused(USAGE, *command, "--output", path, naming=path)
    monkeypatch.chdir(tmp_path)
    refused(USAGE, *command, "--output", "galaxy.fits", naming=Path("galaxy.fits"))
    (tmp_path / "link.fits").symlink_to(path)
    refused(USAGE, *command, "--output", "link.fits", naming=Path("link.fits"))
    twice = [*command, "--output", "a.png", "--png", "a.png"]
    assert "named for two outputs" in refused(USAGE, *twice, naming=Path("a.png"))


@pytest.mark.parametrize("older", [None, b"older"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_fills_up(refused, save, wiener, tmp_path, monkeypatch, older, number):
    path, target = save("galaxy.fits"), tmp_path / "out.fits"
    if older:
        target.write_bytes(older)

    def full(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    said = refused(TEMPORARY, "restore", path, *wiener, "--overwrite", naming=target)
    assert ("disk is full" in said) == (number != errno.EIO)


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from pellucid.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("verb", "limit"),
    [
        *(("restore", 500), ("restore", 9000), ("degrade", 500), ("png", 500)),
        *(("pairs", 500), ("pairs", 5000), ("pairs", 100_000)),
    ],
)
def test_a_file_size_limit_in_the_midst_of_writing(
    run_python, save, galaxy_folder, wiener, tmp_path, files_in, verb, limit
):
    """The kernel itself refuses bytes, as a full disk does; the older file is untouched."""
    pytest.importorskip("resource")
    path, target = save("galaxy.fits"), tmp_path / "out.fits"
    target.write_bytes(b"older")
    picture = ["restore", path, "--method", "wiener", "--psf", "1.2", "--overwrite"]
    words = {
        "restore": ["restore", path, *wiener, "--overwrite"],
        "degrade": ["degrade", path, "--fwhm=1", "--noise=1", "-o", target, "--overwrite"],
        "png": [*picture, "--output", tmp_path / "out.png"],
        "pairs": ["pairs", "--sharp", galaxy_folder, "--degrade=fwhm=1", "-o", tmp_path / "p.h5"],
    }[verb]
    before = files_in(tmp_path)
    done = run_python("-c", LIMITED, limit, *words)
    assert done.returncode == TEMPORARY, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert str({"png": tmp_path / "out.png", "pairs": tmp_path / "p.h5"}.get(verb, target)) in (
        done.stderr
    )
    assert files_in(tmp_path) == before


def test_a_folder_that_cannot_be_written_to(refused, save, wiener, tmp_path, monkeypatch):
    def forbid(**options: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(options["dir"]))

    path = save("galaxy.fits")
    monkeypatch.setattr(tempfile, "mkstemp", forbid)
    said = refused(TEMPORARY, "restore", path, *wiener, naming=tmp_path / "out.fits")
    assert "cannot be written to" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(save, wiener, tmp_path, capsys):
    path = save("galaxy.fits")
    tmp_path.chmod(0o500)
    try:
        assert main([str(word) for word in ["restore", path, *wiener]]) == TEMPORARY
    finally:
        tmp_path.chmod(0o700)
    assert str(tmp_path / "out.fits") in capsys.readouterr().err


def test_a_picture_must_be_png(refused, save, wiener, tmp_path):
    path, target = save("galaxy.fits"), tmp_path / "out.jpg"
    refused(USAGE, "restore", path, *wiener, "--png", target, naming=target)
    command = ["restore", path, "--method", "wiener", "--psf", "1.2", "--output", target]
    refused(USAGE, *command, naming=target)


def test_a_report_must_be_html_or_markdown(refused, pair_store, tmp_path):
    page = tmp_path / "report.docx"
    words = ["evaluate", "--data", pair_store, "--method", "wiener", "--limit", "1"]
    refused(USAGE, *words, "--report", page, naming=page)


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


def test_samples_of_a_model_that_does_not_sample(refused, restore_with, tiny_bundle):
    words = [*restore_with(tiny_bundle), "--samples", "3"]
    assert "it does not sample" in refused(USAGE, *words, naming=Path("tiny"))


def test_a_bundle_of_other_bands_in_a_comparison(refused, pair_store, write_card_bundle):
    bundle = write_card_bundle(bands=("J", "H"))
    words = ["evaluate", "--data", pair_store, "--model", bundle, "--limit", "1"]
    refused(INPUT, *words, naming=pair_store)


# --- stores, folders, catalogues -------------------------------------------------------------


def hdf5(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file["something"] = 1


@pytest.mark.parametrize(
    "spoil",
    [Path.touch, lambda path: path.write_bytes(b"x" * 5000), hdf5, lambda path: None],
    ids=["empty", "noise", "other HDF5", "gone"],
)
@pytest.mark.parametrize("verb", ["evaluate", "train"])
def test_what_is_no_pair_store(refused, tmp_path, spoil, verb):
    path = tmp_path / "pairs.h5"
    spoil(path)
    more = ["--method", "wiener"] if verb == "evaluate" else ["-o", tmp_path / "run"]
    recipe = ["smoke"] if verb == "train" else []
    refused(INPUT, verb, *recipe, "--data", path, *more, naming=path)


def test_a_truncated_pair_store(refused, pair_store, tmp_path):
    path = tmp_path / "pairs.h5"
    path.write_bytes(pair_store.read_bytes()[:-9000])
    refused(INPUT, "evaluate", "--data", path, "--method", "wiener", naming=path)


def test_a_folder_without_galaxies(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    more = ["--degrade", "fwhm=1", "--output", tmp_path / "p.h5"]
    for folder in (tmp_path / "empty", tmp_path / "none"):
        refused(INPUT, "pairs", "--sharp", folder, *more, naming=folder)


@pytest.mark.parametrize("text", ["fwhm", "fwhm=wide", "blur=3", "noise=2 noise-estimate=guess"])
def test_a_degradation_that_cannot_be_read(refused, galaxy_folder, tmp_path, text):
    words = ["pairs", "--sharp", galaxy_folder, "--degrade", text, "-o", tmp_path / "p.h5"]
    refused(USAGE, *words, naming=Path(text.split()[0]))


@pytest.mark.parametrize(
    ("content", "more", "code"),
    [
        (None, [], INPUT),
        ("name,z\na,1\n", [], INPUT),
        ("id,z\na,1\n", ["--where", "redshift < 2"], INPUT),
        ("id,z\na,1\n", ["--where", "z about 2"], USAGE),
        ("id,z\na,1\n", ["--where", "id < 2"], USAGE),
    ],
)
def test_a_catalogue_that_does_not_fit(refused, galaxy_folder, tmp_path, content, more, code):
    table = tmp_path / "table.csv"
    if content:
        table.write_text(content)
    words = ["pairs", "--sharp", galaxy_folder, "--degrade", "fwhm=1", "--catalogue", table]
    naming = table if code == INPUT else Path(more[-1])
    refused(code, *words, *more, "--output", tmp_path / "p.h5", naming=naming)


def test_a_run_where_a_file_is(refused, tiny_recipe, pair_store, tmp_path):
    (tmp_path / "run").write_text("a file")
    words = ["train", tiny_recipe, "--data", pair_store, "--output", tmp_path / "run"]
    refused(USAGE, *words, naming=tmp_path / "run")


def test_a_demo_where_a_file_is(refused, tmp_path):
    (tmp_path / "demo").write_text("a file")
    refused(USAGE, "demo", "--output", tmp_path / "demo", naming=tmp_path / "demo")


def test_a_comparison_of_images_of_different_shape(refused, save):
    one, two = save("a.fits"), save("b.fits", GOOD[:30])
    refused(INPUT, "evaluate", "--truth", one, "--restored", two, naming=two)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--truth", "a.fits"],
        ["--truth", "a.fits", "--restored", "b.fits", "--data", "p.h5"],
    ],
)
def test_a_comparison_of_nothing(refused, words):
    refused(USAGE, "evaluate", *words, naming=Path("--truth"))


def test_a_comparison_without_restorers(refused, pair_store):
    refused(USAGE, "evaluate", "--data", pair_store, naming=Path("--method"))


@pytest.mark.parametrize("bands", ["g", "g,,i", "g,g,i"])
def test_band_names_that_do_not_fit(bands_of, tmp_path, capsys, bands):
    words = ["restore", *bands_of, "--bands", bands, "--method", "wiener", "--psf", "1"]
    code = main([str(word) for word in [*words, "--output", tmp_path / "out.fits"]])
    assert code == (USAGE if ",," in bands else INPUT)
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out.fits").exists()


def test_the_good_bundle_is_good(tiny_bundle):
    """The damages above are damages of a file that is read without them."""
    assert open_bundle(tiny_bundle).card.name == "tiny"

"""Each bad target, store and catalogue: its exit code, one line that names it, no trace left."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from typed import GOOD, INPUT, TEMPORARY, USAGE

from pellucid.cli import main

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
    degrade = ["degrade", tmp_path / "galaxy.fits", "--fwhm", 1, "--noise", 1, "-o", tmp_path]
    assert "is a folder" in refused(USAGE, *degrade, naming=tmp_path)


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
    path = save("galaxy.fits")
    plain = os.open

    def forbid(name: object, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(name))
        return plain(name, flags, *mode)

    monkeypatch.setattr(os, "open", forbid)
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


def test_a_bundle_of_other_bands_in_a_comparison(refused, pair_store, write_card_bundle):
    bundle = write_card_bundle(bands=("J", "H"))
    words = ["evaluate", "--data", pair_store, "--model", bundle, "--limit", "1"]
    refused(INPUT, *words, naming=pair_store)


@pytest.mark.parametrize("verb", ["restore", "degrade"])
@pytest.mark.parametrize("name", ["x.txt", "x.csv", "x.tif", "x.dat", "x.fits.zip"])
def test_a_name_that_is_none_of_fits_is_refused(refused, save, tmp_path, verb, name):
    how = ["--fwhm", "1", "--noise", "2"]
    if verb == "restore":
        how = ["--method", "wiener", "--psf", "1.2"]
    out = tmp_path / name
    said = refused(USAGE, verb, save("a.fits"), *how, "--output", out, naming=out)
    assert "end its name in .fits" in said

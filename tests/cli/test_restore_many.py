"""`pellucid restore` of many images into a folder, as a person uses it."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from cluster import PATIENCE, importing, wait_until
from typed import INPUT, TEMPORARY, USAGE, strict

import pellucid as package
from pellucid.cli import main
from pellucid.errors import TemporaryError
from pellucid.fits import read_image

WIENER = ("--method", "wiener", "--psf", "1.2")


@pytest.fixture
def cutouts(galaxy_folder, tmp_path) -> Path:
    """Four galaxies in bands of their own, <id>-g.fits and so on, and one in a cube."""
    folder = tmp_path / "cutouts"
    folder.mkdir()
    *some, cube = sorted(galaxy_folder.glob("*.fits"))[:5]
    for k, path in enumerate(some):
        flux, header = fits.getdata(path, header=True)
        for band, plane in zip("gri", flux, strict=True):
            header["FILTER"] = band
            fits.PrimaryHDU(plane, header).writeto(folder / f"n{k}-{band}.fits")
    shutil.copy(cube, folder / "cube.fits")
    return folder


@pytest.fixture
def many(capsys):
    """Runs a restoration into a folder; returns its exit code, its report and what it said."""

    def run(*words: object) -> tuple[int, dict, str]:
        capsys.readouterr()
        code = main(["restore", *map(str, words), "--json"])
        out, err = capsys.readouterr()
        return code, strict(out) if out else {}, err

    return run


def results(folder: Path) -> dict[str, bytes]:
    paths = sorted(folder.rglob("*.fits"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def table(folder: Path) -> Table:
    return Table.read(folder / "restored.ecsv")


def test_a_folder_becomes_a_folder_of_what_each_image_would_become(cutouts, many, tmp_path):
    out = tmp_path / "new" / "out"
    (cutouts / "notes.txt").touch()
    code, report, said = many(cutouts, *WIENER, "--output", out)
    assert code == 0
    assert (report["images"], report["done"], report["failed"], report["before"]) == (5, 5, 0, 0)
    assert "5 images in 13 files (4 of g,r,i), as n0-g.fits + n0-r.fits + n0-i.fits" in said
    assert "not taken: 1 of no kind that is read" in said
    assert list(results(out)) == ["cube.fits", "n0.fits", "n1.fits", "n2.fits", "n3.fits"]
    bands = [cutouts / f"n2-{band}.fits" for band in "gri"]
    assert main(["restore", *map(str, bands), *WIENER, "-o", str(tmp_path / "one.fits")]) == 0
    one, same = read_image(tmp_path / "one.fits"), read_image(out / "n2.fits")
    np.testing.assert_array_equal(one.flux, same.flux)
    assert same.bands == one.bands == ("g", "r", "i")
    history = "".join(map(str, fits.getheader(out / "n2.fits", 1)["HISTORY"]))
    words = "restore n2-g.fits n2-r.fits n2-i.fits --method wiener --psf 1.2 --output n2.fits"
    assert words in history


def test_the_table_tells_of_each(cutouts, many, tmp_path):
    (cutouts / "n3-r.fits").write_bytes(b"no FITS")
    out = tmp_path / "out"
    assert many(cutouts, *WIENER, "--output", out)[0] == 1
    rows = {row["id"]: row for row in table(out)}
    assert table(out).colnames == [
        *("id", "input", "output", "sha256", "model", "bands", "psf_fwhm", "noise", "flux"),
        *("chi2", "doubt", "unlike", "seconds", "state", "reason", "notes"),
    ]
    row, image = rows["n1"], read_image(out / "n1.fits")
    assert row["input"] == ";".join(str(cutouts / f"n1-{band}.fits") for band in "gri")
    assert (row["output"], row["state"]) == ("n1.fits", "done")
    assert row["sha256"] == hashlib.sha256((out / "n1.fits").read_bytes()).hexdigest()
    assert (row["model"], row["bands"], row["psf_fwhm"]) == ("wiener", "g,r,i", 1.2)
    level = np.median(image.flux, axis=(1, 2), keepdims=True)
    above = (image.flux - level).sum(axis=(1, 2))
    assert row["flux"] == pytest.approx(above, rel=0.3)
    assert (row["noise"] > 0).all()
    assert np.isnan(row["doubt"])
    assert 0 < row["seconds"] < PATIENCE
    assert rows["n3"]["state"] == "failed"
    assert np.ma.is_masked(rows["n3"]["output"])
    assert "n3-r.fits: is not a FITS file" in rows["n3"]["reason"]
    parquet = pytest.importorskip("pyarrow.parquet").read_table(out / "restored.parquet")
    assert parquet.column_names == table(out).colnames
    assert parquet["flux"].to_pylist()[parquet["id"].to_pylist().index("n1")] == list(row["flux"])


def test_what_was_noted_of_each_is_said_once_of_all(cutouts, many, tmp_path, capsys):
    """And the history of each is that of its own restoration."""
    for k in range(2):
        bands = [cutouts / f"n{k}-{band}.fits" for band in "gri"]
        for path in bands:
            with fits.open(path, mode="update") as hdus:
                hdus[0].header["SEEING"] = 1.3 + 0.1 * k
                hdus[0].data[3 + k, 5] = np.nan
    for path in [*cutouts.glob("n[23]*"), cutouts / "cube.fits"]:
        path.unlink()
    out = tmp_path / "out"
    words = ("--method", "wiener")
    code, report, said = many(cutouts, *words, "--output", out)
    assert code == 0
    (note,) = [note for note in report["notes"] if "SEEING = 1.3" in note]
    assert report["notes"][note] == 2
    assert f"note: {note} (2 images)\n" in said
    assert said.count("SEEING = 1.") == 1
    assert "SEEING = 1.4" in dict(zip(*(table(out)[c] for c in ("id", "notes")), strict=True))["n1"]
    assert main(["restore", *map(str, bands), *words, "-o", str(tmp_path / "n1.fits")]) == 0
    alone = [line for line in capsys.readouterr().err.splitlines() if "note: " in line]
    both = [fits.getheader(folder / "n1.fits", 1)["HISTORY"] for folder in (tmp_path, out)]
    one, of_many = ("".join(map(str, lines)).partition("sky is")[2] for lines in both)
    assert one == of_many != ""
    assert len(alone) >= 2


def test_a_failing_image_is_one_line_and_no_other_suffers(cutouts, many, tmp_path):
    (cutouts / "n0-g.fits").unlink()
    (cutouts / "cube.fits").write_bytes(b"")
    names = [*sorted(cutouts.glob("*.fits")), "gone.fits"]
    (cutouts / "list.txt").write_text("\n".join(map(str, names)))
    code, report, said = many(cutouts / "list.txt", *WIENER, "--output", tmp_path / "out")
    assert code == 1
    assert (report["done"], report["failed"]) == (3, 3)
    failed = [line for line in said.splitlines() if line.startswith("pellucid: failed: ")]
    assert len(failed) == 3
    expected = ("cube.fits: ", "band g is missing", "gone.fits: not found")
    for line, words in zip(sorted(failed), expected, strict=True):
        assert words in line
    assert list(results(tmp_path / "out")) == ["n1.fits", "n2.fits", "n3.fits"]


def test_what_failed_is_done_once_it_can_be(cutouts, many, tmp_path):
    out = tmp_path / "out"
    moved = (cutouts / "n1-r.fits").rename(tmp_path / "away.fits")
    assert many(cutouts, *WIENER, "--output", out)[0] == 1
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.fits")}
    moved.rename(cutouts / "n1-r.fits")
    code, report, _ = many(cutouts, *WIENER, "--output", out, "--resume")
    assert (code, report["done"], report["before"]) == (0, 5, 4)
    assert {path: path.stat().st_mtime_ns for path in before} == before, "nothing is done twice"
    whole = many(cutouts, *WIENER, "--output", tmp_path / "other")[1]
    assert report["digest"] == whole["digest"]
    assert set(table(out)["state"]) == {"done"}
    (out / "n0.fits").unlink()
    assert many(cutouts, *WIENER, "--output", out, "--resume")[1]["before"] == 4


def test_two_workers_do_what_one_does(galaxy_folder, many, tmp_path):
    code, two, _ = many(galaxy_folder, *WIENER, "--workers", 2, "-o", tmp_path / "two")
    one = many(galaxy_folder, *WIENER, "--workers", 1, "-o", tmp_path / "one")[1]
    assert (code, two["images"], two["digest"]) == (0, 22, one["digest"])
    assert results(tmp_path / "two") == results(tmp_path / "one")
    assert len(list((tmp_path / "two/.pellucid").glob("journal-*"))) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_resumed_it_is_as_if_undisturbed(galaxy_folder, many, tmp_path, workers):
    out = tmp_path / "out"
    words = ["restore", galaxy_folder, "--method", "richardson-lucy", "--psf", "1.6"]
    words += ["--workers", workers, "--output", out]
    with subprocess.Popen(
        [sys.executable, "-m", "pellucid", *map(str, words)],
        env=importing(None),
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_until(lambda: len(list(out.glob("*.fits"))) >= 3)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    left = len(list(out.glob("*.fits")))
    assert left < 22
    assert not (out / "restored.ecsv").exists()
    # What a process leaves that is killed while it writes: half a line, and half a file.
    journal = next((out / ".pellucid").glob("journal-*"))
    journal.write_bytes(journal.read_bytes() + b'{"id": "hdf-18", "sta')
    (out / ".hdf-39.fits.k2j4h5g6").write_bytes(b"SIMPLE")
    words[words.index("--workers") + 1] = 1
    code, report, _ = many(*words[1:], "--resume")
    assert (code, report["done"]) == (0, 22)
    assert 2 <= report["before"] < 22
    whole = many(*words[1:-1], tmp_path / "whole")[1]
    assert report["digest"] == whole["digest"]
    assert results(out) == results(tmp_path / "whole")
    assert sorted(table(out)["id"]) == sorted(table(tmp_path / "whole")["id"])
    assert not [path for path in out.iterdir() if path.name.startswith(".hdf")]


def test_other_options_are_no_resumption(cutouts, many, tmp_path):
    out = tmp_path / "out"
    assert many(cutouts, *WIENER, "--output", out)[0] == 0
    before = results(out)
    for more, difference in (
        (("--method", "wiener", "--psf", "1.3"), "with --psf 1.2, this one is with --psf 1.3"),
        ((*WIENER, "--bands", "g,r"), "without --bands, this one is with --bands g,r"),
        (("--psf", "1.2"), "with --method wiener, this one is without --method"),
        ((*WIENER, "--group", "none"), "without --group, this one is with --group none"),
    ):
        code, _, said = many(cutouts, *more, "--output", out, "--resume")
        assert code == USAGE
        assert difference in said
        assert said.count("\n") == 1
    assert results(out) == before


def test_a_folder_with_a_run_is_resumed_or_overwritten(cutouts, many, tmp_path):
    out = tmp_path / "out"
    many(cutouts, *WIENER, "--output", out)
    code, _, said = many(cutouts, *WIENER, "--output", out)
    assert (code, "holds a run already; --resume" in said) == (USAGE, True)
    code, report, _ = many(cutouts, "--method", "wiener", "--psf", 1.3, "-o", out, "--overwrite")
    assert (code, report["before"]) == (0, 0)
    assert set(table(out)["psf_fwhm"]) == {1.3}
    assert many(cutouts, *WIENER, "-o", out, "--overwrite", "--resume")[0] == USAGE


def test_what_is_there_is_not_written_over(cutouts, many, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "n2.fits").write_bytes(b"older")
    code, _, said = many(cutouts, *WIENER, "--output", out)
    assert (code, "n2.fits: exists already" in said) == (USAGE, True)
    assert results(out) == {"n2.fits": b"older"}
    code, _, said = many(cutouts, *WIENER, "--output", cutouts)
    assert (code, "cube.fits: would be written over" in said) == (USAGE, True)


def test_results_in_the_folder_of_the_inputs_are_no_inputs(cutouts, many):
    (cutouts / "cube.fits").unlink()
    assert many(cutouts, *WIENER, "--output", cutouts)[1]["images"] == 4
    code, report, said = many(cutouts, *WIENER, "--output", cutouts, "--resume")
    assert (code, report["images"], report["before"]) == (0, 4, 4)
    assert "4 results of an earlier run" in said


def test_members_of_a_job_array_make_one_run(cutouts, many, tmp_path):
    out = tmp_path / "out"
    first = many(cutouts, *WIENER, "-o", out, "--shard", "1/2")[1]
    assert (first["images"], first["done"]) == (3, 3)
    assert sorted(table(out)["state"]) == ["done"] * 3 + ["skipped"] * 2
    code, second, _ = many(cutouts, *WIENER, "-o", out, "--shard", "2/2")
    assert (code, second["images"]) == (0, 2)
    assert set(table(out)["state"]) == {"done"}
    assert second["digest"] == many(cutouts, *WIENER, "-o", tmp_path / "one")[1]["digest"]
    assert many(cutouts, *WIENER, "-o", out, "--shard", "2/2")[0] == USAGE


def test_a_second_run_at_the_same_time_is_refused(cutouts, many, tmp_path):
    from pellucid.batch.journal import locked

    with locked(tmp_path / "out", "run"):
        code, _, said = many(cutouts, *WIENER, "--output", tmp_path / "out")
    assert (code, "another run is at work there" in said) == (TEMPORARY, True)
    assert many(cutouts, *WIENER, "--output", tmp_path / "out")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("gone", *WIENER, "-o", "out/"), INPUT, "gone: no such file"),
        (("empty", *WIENER, "-o", "out/"), INPUT, "empty: no image is there"),
        (("cutouts", "--method", "wener", "-o", "out/"), USAGE, "no method is called 'wener'"),
        (("cutouts", "--method", "wiener", "--psf", "-1", "-o", "out/"), USAGE, "--psf -1"),
        (("cutouts", "--method", "wiener", "--psf", "p.fits", "-o", "out/"), INPUT, "p.fits"),
        (("cutouts", *WIENER, "--group", "all", "-o", "out/"), USAGE, "--group all"),
        (("cutouts", *WIENER, "--group", "{id}_{band}", "-o", "out/"), INPUT, "fits neither"),
        (("cutouts", *WIENER, "-o", "out.h5"), USAGE, "objects of a --catalogue"),
        (("cutouts", *WIENER, "--shard", "3/2", "-o", "out/"), USAGE, "--shard 3/2"),
        (("cutouts", *WIENER, "--png", "a.png", "-o", "out/"), USAGE, "is of one image"),
        (("cutouts", *WIENER, "--regions", "a.reg", "-o", "out/"), USAGE, "is of one image"),
        (("cutouts", *WIENER, "-o", "a.fits"), USAGE, "cutouts: is a folder"),
        (("cutouts/cube.fits", *WIENER, "--workers", "2", "-o", "a.fits"), USAGE, "--workers"),
        (("cutouts", *WIENER, "-o", "cutouts/cube.fits/out"), USAGE, "lies below one"),
    ],
)
def test_bad_requests_leave_nothing_behind(
    cutouts, many, tmp_path, monkeypatch, files_in, words, code, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    before = files_in(tmp_path)
    found, _, text = many(*words)
    assert found == code
    assert said in text
    assert text.count("\n") == 1
    assert files_in(tmp_path) == before
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to(cutouts, many, tmp_path, monkeypatch):
    out, make = tmp_path / "out", Path.mkdir
    out.mkdir()

    def forbid(path: Path, *given: object, **more: object) -> None:
        if path.parent == out:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        make(path, *given, **more)

    monkeypatch.setattr(Path, "mkdir", forbid)
    code, _, said = many(cutouts, *WIENER, "--output", out)
    assert (code, said.count("\n")) == (TEMPORARY, 1)
    assert f"{out}/.pellucid: cannot be made" in said


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        TemporaryError("No space left"),  # as whoever writes a file tells of it
    ],
)
def test_a_full_disk_stops_the_run_and_keeps_what_is_done(
    cutouts, many, tmp_path, monkeypatch, fault
):
    import pellucid.batch.one as one

    write, out = one.write_image, tmp_path / "out"

    def full(image, path, **given):
        if path.name == "n1.fits":
            raise fault
        return write(image, path, **given)

    monkeypatch.setattr(one, "write_image", full)
    code, _, said = many(cutouts, *WIENER, "--workers", 1, "--output", out)
    assert code == TEMPORARY
    assert "No space left" in said
    assert list(table(out)["state"]) == ["done", "done", "skipped", "skipped", "skipped"]
    monkeypatch.undo()
    code, report, _ = many(cutouts, *WIENER, "--output", out, "--resume")
    assert (code, report["before"], report["done"]) == (0, 2, 5)


def test_a_model_is_loaded_once_a_process(cutouts, many, tmp_path, tiny_bundle, monkeypatch):
    import pellucid.batch.request as request

    load, loaded = request.load_restorer, []
    monkeypatch.setattr(
        request, "load_restorer", lambda *given: loaded.append(given) or load(*given)
    )
    words = ("--model", tiny_bundle, "--workers", 1, "-o", tmp_path / "out")
    assert many(cutouts, *words)[1]["done"] == 5
    assert len(loaded) == 1
    assert set(table(tmp_path / "out")["model"]) == {"tiny"}


def test_from_python(cutouts, tmp_path):
    said: list[str] = []
    request = package.Request(method="wiener", psf=1.2)
    outcome = package.restore_all([cutouts], tmp_path / "out", request, say=said.append)
    assert (outcome.done, outcome.failed, outcome.failures) == (5, 0, {})
    assert outcome.table == tmp_path / "out/restored.ecsv"
    assert said[0].startswith("5 images in 13 files")

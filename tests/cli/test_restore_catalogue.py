"""`pellucid restore --catalogue`: the objects of a catalogue, cut out of mosaics."""

from __future__ import annotations

import gzip
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from cluster import importing, wait_until
from field_of_galaxies import BEFORE, OBJECTS, RA, SIDE, by_hand, place_of, wcs_of
from field_of_galaxies import write_mosaics as mosaics_in
from field_of_galaxies import write_objects as objects_in
from typed import INPUT, USAGE, strict

import pellucid as package
from pellucid.cli import main
from pellucid.fits import read_image

WIENER = ("--method", "wiener", "--psf", "1.2")


@pytest.fixture
def mosaics(tmp_path) -> list[Path]:
    (tmp_path / "sky").mkdir()
    return mosaics_in(tmp_path / "sky")


@pytest.fixture
def catalogue(tmp_path) -> Path:
    return objects_in(tmp_path / "objects.ecsv")


@pytest.fixture
def cut(capsys):
    """Restores the objects of a catalogue; returns the exit code, the report and what was said."""

    def run(catalogue: Path, images: list[Path], *words: object) -> tuple[int, dict, str]:
        capsys.readouterr()
        named = [str(word) for image in images for word in ("--image", image)]
        command = ["restore", "--catalogue", str(catalogue), *named, "--json", *map(str, words)]
        code = main(command if "--size" in command else [*command, "--size", str(SIDE)])
        out, err = capsys.readouterr()
        return code, strict(out) if out else {}, err

    return run


def rows_of(folder: Path) -> dict[str, Table.Row]:
    return {row["id"]: row for row in Table.read(folder / "restored.ecsv")}


def same(found: Path, expected: Path) -> None:
    one, other = read_image(found), read_image(expected)
    for name in ("flux", "variance", "mask"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.bands, one.unit) == (other.bands, other.unit)
    corners = [[0, 0], [SIDE, 0], [SIDE, SIDE]]
    np.testing.assert_allclose(
        one.wcs.wcs_pix2world(corners, 0), other.wcs.wcs_pix2world(corners, 0), rtol=1e-13
    )


def test_each_object_is_the_restoration_of_its_window_cut_by_hand(
    mosaics, catalogue, cut, tmp_path
):
    out = tmp_path / "out"
    code, report, said = cut(catalogue, mosaics, *WIENER, "--output", out)
    assert (code, report["images"], report["done"], report["failed"]) == (0, 3, 3, 0)
    assert "3 objects of" in said
    assert "cut from 2 mosaics in 48 × 48 pixels" in said
    for name, (x, y, _) in OBJECTS.items():
        hand = tmp_path / "hand.fits"
        files = [str(path) for path in by_hand(tmp_path, name)]
        assert main(["restore", *files, *WIENER, "-o", str(hand), "--overwrite"]) == 0
        same(out / f"{name}.fits", hand)
        # Its pixels lie on the sky where the mosaic's do, and it is in the middle.
        header = fits.getheader(out / f"{name}.fits", 1)
        ra, dec = WCS(header).wcs_pix2world([[SIDE // 2, SIDE // 2]], 0)[0]
        assert (ra, dec) == pytest.approx(place_of(x, y), abs=1e-9)
        assert header["OBSERVER"] == "somebody"
        assert (header["LTV1"], header["LTV2"]) == (SIDE // 2 - x, SIDE // 2 - y)
        left, low = x - SIDE // 2 + 1, y - SIDE // 2 + 1
        section = f"field-g.fits[{left}:{left + SIDE - 1},{low}:{low + SIDE - 1}]"
        assert f"cut from {section}" in "".join(map(str, header["HISTORY"]))


def test_the_table_tells_where_each_object_is(mosaics, catalogue, cut, tmp_path):
    assert cut(catalogue, mosaics, *WIENER, "--output", tmp_path / "out")[0] == 0
    rows = rows_of(tmp_path / "out")
    assert list(rows) == list(OBJECTS)
    for name, (x, y, _) in OBJECTS.items():
        assert (rows[name]["ra"], rows[name]["dec"]) == pytest.approx(place_of(x, y), abs=1e-12)
        assert rows[name]["input"] == ";".join(map(str, mosaics))
        assert rows[name]["output"] == f"{name}.fits"


@pytest.mark.parametrize("stored", ["compressed", "packed", "integers", "cube"])
def test_windows_of_any_kind_of_file(stored, mosaics, catalogue, cut, tmp_path):
    """What is cut is what is in the file: equal to the window of its pixels as they are read."""
    path = tmp_path / "other.fits"
    flux, header = fits.getdata(mosaics[0], 1, header=True)
    if stored == "compressed":
        hdus = fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(flux, header, name="SCI")])
        hdus.writeto(path)
    elif stored == "packed":
        fits.PrimaryHDU(flux, header).writeto(tmp_path / "plain.fits")
        path = tmp_path / "other.fits.gz"
        path.write_bytes(gzip.compress((tmp_path / "plain.fits").read_bytes()))
    elif stored == "integers":
        hdu = fits.PrimaryHDU(flux, header)
        hdu.scale("int16", bscale=0.01, bzero=20.0)
        hdu.writeto(path)
    else:
        header["FILTER"] = "g,r"
        fits.PrimaryHDU(np.stack([flux, 2 * flux]), header).writeto(path)
    assert cut(catalogue, [path], *WIENER, "--output", tmp_path / "out")[0] == 0
    image = read_image(path)
    x, y, _ = OBJECTS["c3"]
    window = image.cutout(y - SIDE // 2, x - SIDE // 2, SIDE, SIDE)
    expected = package.load_restorer(method="wiener")(window, psf=1.2)
    found = read_image(tmp_path / "out" / "c3.fits")
    np.testing.assert_allclose(found.flux, expected.image.flux, rtol=1e-6, atol=1e-6)
    assert len(found.flux) == (2 if stored == "cube" else 1)


def test_a_folder_of_tiles_is_one_mosaic(mosaics, catalogue, cut, tmp_path):
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    flux, header = fits.getdata(mosaics[0], 1, header=True)
    for name, first, last in (("east", 0, 120), ("west", 80, 200)):
        part = flux[:, first:last].copy()
        if name == "west":
            part[:40] = np.nan  # not exposed
        head = header.copy()
        head["CRPIX1"] -= first
        fits.PrimaryHDU(part, head).writeto(tiles / f"{name}.fits")
    fits.PrimaryHDU(flux, header).writeto(tmp_path / "whole.fits")
    assert cut(catalogue, [tiles], *WIENER, "--output", tmp_path / "out")[0] == 0
    assert cut(catalogue, [tmp_path / "whole.fits"], *WIENER, "--output", tmp_path / "one")[0] == 0
    for name in OBJECTS:
        one, other = (read_image(tmp_path / to / f"{name}.fits") for to in ("out", "one"))
        np.testing.assert_array_equal(one.flux, other.flux)


def test_a_folder_of_tiles_holds_one_band_and_its_masks_are_no_tiles(
    mosaics, catalogue, cut, tmp_path
):
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    flux, header = fits.getdata(mosaics[0], 1, header=True)
    cube = np.stack([flux, 3 * flux])
    header["FILTER"] = "g,r"
    for name in ("t1", "t2"):  # each object is on both
        fits.PrimaryHDU(cube, header).writeto(tiles / f"{name}.fits")
    fits.PrimaryHDU(np.zeros(flux.shape, "i2"), header).writeto(tiles / "t1-mask.fits")
    assert cut(catalogue, [tiles], *WIENER, "--output", tmp_path / "out")[0] == 0
    found = read_image(tmp_path / "out" / "a1.fits")
    assert found.bands == ("g", "r")
    header["FILTER"] = "i,z"
    fits.PrimaryHDU(cube, header).writeto(tiles / "u.fits")
    code, _, said = cut(catalogue, [tiles], *WIENER, "--output", tmp_path / "two")
    assert (code, said.count("\n")) == (INPUT, 1)
    assert "u.fits: shows i,z" in said
    assert "a folder of their own" in said


def test_rows_of_which_nothing_can_be_made_fail_alone(mosaics, cut, tmp_path):
    more = [
        ("../x", *place_of(90, 90)),
        ("c3", *place_of(90, 90)),
        (".hid", *place_of(90, 90)),
        ("x" * 210, *place_of(90, 90)),
        ("far", RA + 3.0, -40.0),
        ("edge", *place_of(10, 90)),
        ("nowhere", np.nan, 2.0),
        ("wrong", 20.0, 95.0),
    ]
    table = objects_in(tmp_path / "objects.ecsv", more)
    out = tmp_path / "in" / "out"
    code, report, said = cut(table, mosaics, *WIENER, "--workers", 1, "--output", out)
    assert (code, report["done"], report["failed"]) == (1, 3, 8)
    failures = report["failures"]
    for name, reason in (
        ("(row 4)", "its id could be a path (../x)"),
        ("(row 5)", "an object of this id came before (c3)"),
        ("(row 6)", "its id is no name for a file (.hid)"),
        ("(row 7)", "its id has more than 128 characters"),
        ("far", "objects.ecsv: far: off the mosaic"),
        ("edge", f"objects.ecsv: edge: across the edge of {mosaics[0]}"),
        ("nowhere", "has no position"),
        ("wrong", "its position 20, 95 is no sky"),
    ):
        assert reason in failures[name]
    assert len([line for line in said.splitlines() if ": failed: " in line]) == 8
    assert sorted(p.name for p in out.glob("*.fits")) == [f"{name}.fits" for name in OBJECTS]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]


def test_bands_that_are_not_of_one_grid_fail_with_the_way_out(mosaics, catalogue, cut, tmp_path):
    with fits.open(mosaics[1], mode="update") as opened:
        opened[1].header["CRPIX1"] += 0.4
    code, report, _ = cut(catalogue, mosaics, *WIENER, "--output", tmp_path / "out")
    assert (code, report["failed"]) == (1, 3)
    reason = report["failures"]["a1"]
    assert "show different sky" in reason
    assert "reproject" in reason
    assert str(mosaics[1]) in reason
    assert "pellucid-" not in reason


def test_columns_and_rows_as_the_catalogue_has_them(mosaics, catalogue, cut, tmp_path):
    table = Table.read(catalogue)
    table.rename_columns(["id", "ra", "dec"], ["NUMBER", "ALPHA_J2000", "DELTA_J2000"])
    table["NUMBER"] = [7, 8, 9]
    table["mag"] = [20.0, 22.0, 21.0]
    table.write(tmp_path / "sex.fits")
    words = ("--id-column", "NUMBER", "--where", "mag < 21.5")
    code, report, _ = cut(tmp_path / "sex.fits", mosaics, *WIENER, *words, "-o", tmp_path / "out")
    assert (code, report["done"]) == (0, 2)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.fits")) == ["7.fits", "9.fits"]


def test_a_psf_that_varies_is_taken_at_each_object(mosaics, catalogue, cut, tmp_path):
    """The model's width follows x over the mosaic, from 0.8 to 1.6 arcsec."""
    side = 25
    y, x = np.mgrid[:side, :side] - side // 2
    sharp, broad = (
        np.exp(-4 * np.log(2) * (x**2 + y**2) / (fwhm / 0.2) ** 2) for fwhm in (0.8, 1.6)
    )
    sharp, broad = sharp / sharp.sum(), broad / broad.sum()
    mask = np.stack([0.5 * (sharp + broad), 0.5 * (broad - sharp), 0 * sharp]).astype("f4")
    column = fits.Column("PSF_MASK", f"{mask.size}E", dim=f"({side},{side},3)", array=mask[None])
    table = fits.BinTableHDU.from_columns([column], name="PSF_DATA")
    cards = {"POLNAXIS": 2, "POLGRP1": 1, "POLNAME1": "X_IMAGE", "POLNAME2": "Y_IMAGE"}
    cards |= {"POLZERO1": 100.0, "POLSCAL1": 100.0, "POLZERO2": 85.0, "POLSCAL2": 90.0}
    table.header.update({**cards, "POLDEG1": 1, "PSF_SAMP": 1.0})
    table.writeto(tmp_path / "field.psf")
    words = ("--method", "wiener", "--psf", tmp_path / "field.psf", "-o", tmp_path / "out")
    assert cut(catalogue, mosaics[:1], *words)[0] == 0
    rows = rows_of(tmp_path / "out")
    for name, (along, _, _) in OBJECTS.items():
        step = (along + 0.5 - 100.0) / 100.0  # of the window's middle
        there = package.PSF(0.5 * ((1 - step) * sharp + (1 + step) * broad)[None], 0.2)
        assert rows[name]["psf_fwhm"] == pytest.approx(there.fwhm, rel=2e-3)


def many_objects(path: Path) -> Path:
    rng = np.random.default_rng(0)
    places = rng.uniform((30, 30), (170, 140), (20, 2))
    more = [(f"m{k}", *place_of(x, y)) for k, (x, y) in enumerate(places)]
    return objects_in(path, more)


def test_killed_and_resumed_it_is_as_if_undisturbed(mosaics, cut, tmp_path):
    table, out = many_objects(tmp_path / "objects.ecsv"), tmp_path / "out"
    images = [word for path in mosaics for word in ("--image", path)]
    typed = ["restore", "--catalogue", table, *images, "--size", SIDE, *WIENER]
    typed += ["--workers", 2, "-o", out]
    with subprocess.Popen(
        [sys.executable, "-m", "pellucid", *map(str, typed)],
        env=importing(None),
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_until(lambda: len(list(out.glob("*.fits"))) >= 3)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    code, report, said = cut(table, mosaics, *WIENER, "--workers", 1, "-o", out, "--resume")
    assert (code, report["done"]) == (0, 23)
    assert 2 <= report["before"] < 23
    assert "of 23 are done already" in said
    whole = cut(table, mosaics, *WIENER, "--workers", 1, "-o", tmp_path / "whole")[1]
    assert report["digest"] == whole["digest"]


def test_what_a_resumed_run_must_have_and_what_may_join_it(mosaics, catalogue, cut, tmp_path):
    out = tmp_path / "out"
    assert cut(catalogue, mosaics, *WIENER, "--output", out)[0] == 0
    again = (*WIENER, "--output", out, "--resume")
    code, _, said = cut(catalogue, mosaics, *again, "--size", 40)
    assert (code, "begun with --size 48, this one is with --size 40" in said) == (USAGE, True)
    assert cut(catalogue, mosaics[:1], *again)[0] == USAGE
    table = Table.read(catalogue)
    table["ra"][0] += 3 * 0.2 / 3600
    table.add_row(["new", *place_of(120, 100)])
    table.write(catalogue, overwrite=True)
    code, report, _ = cut(catalogue, mosaics, *again)
    assert (code, report["images"], report["before"]) == (0, 4, 2)
    first = cut(catalogue, mosaics, *WIENER, "--output", tmp_path / "other")[1]
    assert report["digest"] == first["digest"]


def test_members_of_a_job_array_share_a_catalogue(mosaics, catalogue, cut, tmp_path):
    out = tmp_path / "out"
    assert cut(catalogue, mosaics, *WIENER, "-o", out, "--shard", "1/2")[1]["done"] == 2
    second = cut(catalogue, mosaics, *WIENER, "-o", out, "--shard", "2/2")[1]
    whole = cut(catalogue, mosaics, *WIENER, "-o", tmp_path / "one")[1]
    assert second["digest"] == whole["digest"]


def test_no_mosaic_is_written_over(mosaics, catalogue, cut, tmp_path):
    table = Table.read(catalogue)
    table["id"] = ["field-g", "y", "z"]
    table.write(catalogue, overwrite=True)
    before = mosaics[0].read_bytes()
    code, _, said = cut(catalogue, mosaics, *WIENER, "-o", tmp_path / "sky", "--overwrite")
    assert (code, "field-g.fits: would be written over" in said) == (USAGE, True)
    assert mosaics[0].read_bytes() == before


def test_from_python(mosaics, catalogue, tmp_path):
    objects = package.Cutouts(catalogue, mosaics, SIDE)
    request = package.Request(method="wiener", psf=1.2)
    outcome = package.restore_all(objects, tmp_path / "out", request)
    assert (outcome.done, outcome.failed) == (3, 0)
    assert BEFORE.keys() == set(read_image(tmp_path / "out/a1.fits").bands)
    assert read_image(tmp_path / "out/a1.fits").wcs.wcs.crval == pytest.approx(
        wcs_of(0, 0).wcs.crval
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--catalogue", "no.ecsv", "--image", "g", "--size", "48"), INPUT, "no.ecsv: no such"),
        (("--catalogue", "nox.csv", "--image", "g", "--size", "48"), INPUT, "has no column 'ra'"),
        (("--catalogue", "noid.csv", "--image", "g", "--size", "48"), INPUT, "--id-column"),
        (("--catalogue", "empty.csv", "--image", "g", "--size", "48"), INPUT, "none of its 0 rows"),
        (("--catalogue", "c", "--image", "no.fits", "--size", "48"), INPUT, "no.fits: not found"),
        (("--catalogue", "c", "--image", "flat", "--size", "48"), INPUT, "no celestial WCS"),
        (("--catalogue", "c", "--image", "void", "--size", "48"), INPUT, "holds no FITS file"),
        (("--catalogue", "c", "--size", "48"), USAGE, "needs --image MOSAIC"),
        (("--catalogue", "c", "--image", "g"), USAGE, "needs --size PIXELS"),
        (("--catalogue", "c", "--image", "g", "--size", "48", "g"), USAGE, "named by --image"),
        (("--catalogue", "c", "--image", "g", "--size", "48", "--group", "none"), USAGE, "--group"),
        (("--catalogue", "c", "--image", "g", "--size", "48", "--where", "mag < 2"), INPUT, "mag"),
        (("--catalogue", "c", "--image", "g", "--size", "48", "--where", "ra < 0"), INPUT, "meets"),
        (("--image", "g", "g"), USAGE, "--image is for objects of a catalogue"),
        ((), USAGE, "nothing to restore"),
    ],
)
def test_bad_requests_are_a_line_and_leave_nothing_behind(
    mosaics, catalogue, tmp_path, monkeypatch, capsys, files_in, words, code, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "void").mkdir()
    shutil.copy(mosaics[0], tmp_path / "g")
    shutil.copy(catalogue, tmp_path / "c.ecsv")
    fits.PrimaryHDU(np.ones((60, 60), "f4")).writeto(tmp_path / "flat")
    (tmp_path / "nox.csv").write_text("id,x,y\na,1,2\n")
    (tmp_path / "noid.csv").write_text("name,ra,dec\na,1,2\n")
    (tmp_path / "empty.csv").write_text("id,ra,dec\n")
    before = files_in(tmp_path)
    typed = ["c.ecsv" if word == "c" else word for word in words]
    assert main(["restore", *typed, *WIENER, "-o", "out/"]) == code
    text = capsys.readouterr().err
    assert said in text
    assert text.count("\n") == 1
    assert files_in(tmp_path) == before

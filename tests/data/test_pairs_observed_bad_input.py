"""What makes no pair of two telescopes' mosaics: named, and nothing half done left behind."""

from __future__ import annotations

import errno
import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from two_telescopes import (
    GALAXIES,
    place,
    rejected_in,
)

from pellucid.data.mosaics import observe
from pellucid.data.pairs import open_pairs


def test_each_object_that_makes_no_pair_is_named_with_its_reason(
    mosaics, catalogue, pairs, tmp_path
):
    y, x = 150 - 50, 150 + 55  # of "double", which is 10 arcsec south and 11 east (left)
    x = 150 - int(GALAXIES["double"][0] / 0.2)
    code, report, said = pairs(
        *mosaics(gap=np.s_[y - 2 : y, x : x + 3]),
        *catalogue(
            ("off", 10.0, 10.0),
            ("edge", *place((29.5, 0.0))),
            ("../up", *place((0.0, 0.0))),
            ("a/b", *place((0.0, 0.0))),
            ("bell\a", *place((0.0, 0.0))),
            ("", *place((0.0, 0.0))),
            ("x" * 129, *place((0.0, 0.0))),
            ("nan", np.nan, 2.2),
            ("south", 150.0, -91.0),
            ("wide", *place((0.0, 0.0))),
        ),
    )
    assert code == 1
    assert open_pairs(tmp_path / "pairs.h5").ids == ["round", "wide", "tall"]
    reasons = {
        "off": "off the mosaic",
        "edge": "off the mosaic",  # of the sharp one, which is smaller
        "double": "without data",
        "../up": "path",
        "a/b": "path",
        "bell\\x07": "control",
        "row 10": "no id",
        "x" * 128: "128",
        "nan": "no position",
        "south": "no sky",
        "wide": "came before",
    }
    found = rejected_in(tmp_path / "pairs.rejected.ecsv")
    assert set(found) == set(reasons)
    for name, reason in reasons.items():
        assert reason in found[name]
    assert report["rejected"] == found
    assert sum(report["reasons"].values()) == len(reasons)
    assert f"rejected {len(reasons)}" in said
    assert "2 × off the mosaic" in said


def test_a_window_across_the_edge_is_told_from_one_off_the_mosaic(mosaics, catalogue, pairs):
    code, report, _ = pairs(*mosaics(), *catalogue(("edge", *place((0.0, 22.5)))), "--window", 8)
    assert code == 1
    assert "edge" in report["rejected"]["edge"]


def test_coordinates_that_disagree_by_more_than_a_pixel_leave_no_store(
    mosaics, catalogue, pairs, tmp_path
):
    code, _, said = pairs(*mosaics(east=0.26), *catalogue(names=("round", "wide", "tall")))
    assert code == 3
    assert "no pair left" in said
    assert "3 × the WCS disagree" in said
    assert not (tmp_path / "pairs.h5").exists()
    for reason in rejected_in(tmp_path / "pairs.rejected.ecsv").values():
        assert re.search(r"by 1\.[23]\d blurred pixels", reason)


@pytest.mark.parametrize(
    ("hostile", "complaint"),
    [
        ("no-column", r"galaxies.ecsv: has no column 'redshift' .*there are id, ra, dec, r90"),
        ("no-wcs", r"bare.fits: HDU 0 .*no celestial WCS"),
        ("no-mosaic", r"gone.fits: not found"),
        ("no-selection", r"neither a file nor a selection \(all, cosmos, seeinggan\)"),
        ("typo", r"mine.yaml: max_redshfit: unknown key"),
        ("letters", r"column ra holds no numbers"),
        ("unit", r"column r90 is in mag; arcsec is needed"),
        ("nothing", r"none of its 4 rows is left \(where 4\)"),
    ],
)
def test_bad_input_is_one_line_and_no_file(hostile, complaint, mosaics, catalogue, pairs, tmp_path):
    words = [*mosaics(), *catalogue()]
    table, selection = tmp_path / "galaxies.ecsv", tmp_path / "mine.yaml"
    usage = hostile == "no-selection"
    if hostile == "no-column":
        words = words[:-2]  # the paper's selection
    elif hostile == "no-wcs":
        fits.PrimaryHDU(np.ones((50, 50), "f4")).writeto(tmp_path / "bare.fits")
        words[3] = str(tmp_path / "bare.fits")
    elif hostile == "no-mosaic":
        words[3] = str(tmp_path / "gone.fits")
    elif hostile == "no-selection":
        words[-1] = "everything"
    elif hostile == "typo":
        selection.write_text("{max_redshfit: 0.6}")
    elif hostile == "nothing":
        words += ["--where", "r90 > 10"]
    else:
        rows = Table.read(table)
        if hostile == "letters":
            rows["ra"] = [f"{value} deg" for value in rows["ra"]]
        else:
            rows["r90"].unit = "mag"
        rows.write(table, overwrite=True)
    code, _, said = pairs(*words)
    assert code == (2 if usage else 3)
    assert re.search(complaint, said)
    assert len([line for line in said.splitlines() if line]) == 1
    assert not list(tmp_path.glob("*pairs*"))


def test_a_damaged_tile_costs_its_objects_only(mosaics, catalogue, pairs, tmp_path):
    words = [*mosaics(), *catalogue()]
    tile = tmp_path / "hst" / "up.fits.fz"
    data = bytearray(tile.read_bytes())
    data[len(data) // 3 : len(data) - 2880] = bytes(len(data) - 2880 - len(data) // 3)
    tile.write_bytes(data)
    code, report, _ = pairs(*words)
    assert code == 1
    assert all("up.fits.fz" in reason for reason in report["rejected"].values())
    assert {"round", "wide"} <= set(report["rejected"])
    assert "double" in open_pairs(tmp_path / "pairs.h5").ids  # it is on the other tile


@pytest.mark.parametrize("before", [None, b"an older store"])
def test_a_run_that_breaks_off_leaves_what_was_there(
    before, mosaics, catalogue, pairs, tmp_path, monkeypatch
):
    words = [*mosaics(), *catalogue()]
    kept = tmp_path / "pairs.h5"
    if before is not None:
        kept.write_bytes(before)
    cut, calls = observe.cut_pair, []

    def fail_at_the_third(source, *others):
        calls.append(source.id)
        if len(calls) == 3:
            raise OSError(errno.EIO, "the disk is gone")
        return cut(source, *others)

    monkeypatch.setattr(observe, "cut_pair", fail_at_the_third)
    code, _, said = pairs(*words, "--overwrite")
    assert code == 75
    assert len(calls) == 3
    assert "the disk is gone" in said
    assert [path.name for path in tmp_path.glob("*pairs*")] == ["pairs.h5"] * (before is not None)
    assert before is None or kept.read_bytes() == before


def test_a_store_and_its_table_are_replaced_only_when_asked(mosaics, catalogue, pairs, tmp_path):
    sky = mosaics()
    assert pairs(*sky, *catalogue(("off", 10.0, 10.0)))[0] == 1
    table = tmp_path / "pairs.rejected.ecsv"
    code, _, said = pairs(*sky, *catalogue())
    assert code == 2
    assert "--overwrite" in said
    (tmp_path / "pairs.h5").unlink()
    assert pairs(*sky, *catalogue())[0] == 2  # the table is there still
    assert rejected_in(table) != {}
    assert pairs(*sky, *catalogue(), "--overwrite")[0] == 0
    assert rejected_in(table) == {}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--blurred", "b"), "--catalogue"),
        (("--catalogue", "c.csv"), "--blurred"),
        (("--blurred", "b", "--catalogue", "c.csv", "--shrink", "2"), "--shrink"),
        (("--blurred", "b", "--catalogue", "c.csv", "--bands", "g,r"), "one band"),
    ],
)
def test_options_that_are_missing_or_mean_nothing_are_named(words, complaint, pairs):
    code, _, said = pairs("--sharp", "a", *words)
    assert code == 2
    assert complaint in said

"""Catalogues: which objects of a folder to take."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table

from pellucid.data.catalogue import read_catalogue, select_ids
from pellucid.errors import InputError, UsageError

ROWS = "id,redshift,class\n0012,0.01,S\n13,,E\n14,0.5,S\n15,0.015,E\n"


@pytest.mark.parametrize(
    ("conditions", "ids"),
    [
        ((), ["0012", "13", "14", "15"]),
        (["redshift < 0.02"], ["0012", "15"]),
        (["redshift<=0.01"], ["0012"]),
        (["redshift > 0.01", "redshift != 5e-1"], ["15"]),
        (["redshift >= +0.5"], ["14"]),
        (["redshift == 7"], []),
        # 13 has no redshift: nothing is known of it that a condition could be true of.
        (["redshift > -1"], ["0012", "14", "15"]),
        (["redshift != 0.5"], ["0012", "15"]),
    ],
)
def test_conditions_choose_rows_and_ids_stay_as_written(tmp_path, conditions, ids):
    (tmp_path / "a.csv").write_text(ROWS)
    assert select_ids(tmp_path / "a.csv", conditions) == ids


@pytest.mark.parametrize(
    ("conditions", "column", "error", "match"),
    [
        (["redshift"], "id", UsageError, "write it as COLUMN <= NUMBER"),
        (["redshift ~ 2"], "id", UsageError, "write it as COLUMN <= NUMBER"),
        (["redshift < blue"], "id", UsageError, "holds no numbers"),
        (["class < 2"], "id", UsageError, "column class holds no numbers"),
        (["z < 2"], "id", InputError, "has no column 'z'; there are id, redshift, class"),
        ([], "objid", InputError, "has no column 'objid'"),
    ],
)
def test_conditions_that_cannot_be_met_are_refused(tmp_path, conditions, column, error, match):
    (tmp_path / "a.csv").write_text(ROWS)
    with pytest.raises(error, match=match):
        select_ids(tmp_path / "a.csv", conditions, column)


@pytest.mark.parametrize(
    ("name", "form"), [("a.ecsv", None), ("a.fits", None), ("a.vot", "votable")]
)
def test_tables_of_other_formats(tmp_path, name, form):
    table = Table({"objid": np.array(["a", "bc"]), "z": [0.1, 0.2]})
    table.write(tmp_path / name, format=form)
    assert select_ids(tmp_path / name, ["z > 0.15"], "objid") == ["bc"]


def test_whole_numbers_that_came_as_floats_are_ids_without_a_point(tmp_path):
    """A column of numbers of which one is missing is of floats in many programs."""
    ids = np.array([1.0, 1237651735230087168.0, np.nan, 2.5])
    Table({"id": ids}).write(tmp_path / "a.fits")
    assert select_ids(tmp_path / "a.fits") == ["1", "1237651735230087168", "", "2.5"]


def test_files_that_are_no_tables_are_refused(tmp_path):
    (tmp_path / "a.fits").write_text("not a table")
    with pytest.raises(InputError, match=r"a\.fits: cannot be read as a table"):
        read_catalogue(tmp_path / "a.fits")
    with pytest.raises(InputError, match=r"b\.csv: no such file"):
        read_catalogue(tmp_path / "b.csv")


def test_what_is_wrong_with_a_header_is_not_told_as_it_is(tmp_path, recwarn, caplog):
    """Astropy shows the card, with the control characters that it holds."""
    path = tmp_path / "a.fits"
    Table({"id": [1, 2]}).write(path)
    content = path.read_bytes()
    place = content.index(b"PCOUNT  =")
    path.write_bytes(content[: place + 34] + b"\xff\x1b[31m" + content[place + 39 :])
    with pytest.raises(InputError, match="cannot be read"):
        read_catalogue(path)
    assert not recwarn.list
    assert not caplog.records

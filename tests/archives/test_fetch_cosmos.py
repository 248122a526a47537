"""fetch cosmos: which tiles and galaxies arrive."""

from __future__ import annotations

import hashlib
import json
import re

import numpy as np
import pytest
from cosmos_archive import SCI, R, fetch, flipped, parts, target

from pellucid.archives.cosmos.tiles import TILES, tile_box, tiles_around
from pellucid.data.catalogue import read_catalogue, select_ids
from pellucid.fits import read_image

#: Edges in deg (RA, Dec) of three tiles, from the WCS in their headers.
EDGES = {
    13: (150.725590, 150.896353, 1.457513, 1.628192),
    77: (150.058748, 150.229562, 2.290935, 2.461595),
    117: (149.391268, 149.562181, 2.790696, 2.961415),
}


def test_tiles_and_catalogue_arrive_and_are_not_fetched_again(archive, tmp_path, capsys):
    assert fetch(tmp_path, "--tiles", "077, 78", "--json") == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (report["tiles"], report["files"], report["fetched"]) == ([77, 78], 7, 7)
    assert report["failed"] == {}
    assert report["bytes"] == sum(len(page.body) for page in archive.pages.values())
    assert "7 files of 2 tiles, 7 of them" in printed.err
    manifest = read_catalogue(tmp_path / "cosmos" / "fetched.ecsv")
    listed = {str(row["file"]): row for row in manifest}
    for path, page in archive.pages.items():
        file = target(tmp_path, path)
        assert file.read_bytes() == page.body
        row = listed[f"{file.parent.name}/{file.name}"]
        assert (int(row["size"]), str(row["sha256"])) == (
            len(page.body),
            hashlib.sha256(page.body).hexdigest(),
        )
        assert str(row["origin"]).endswith(path)
    assert read_image(target(tmp_path, SCI)).flux.shape == (1, 96, 96)

    catalogue = read_catalogue(tmp_path / "cosmos" / "catalogue.ecsv")
    names = ["id", "ra", "dec", "redshift", "log_stellar_mass", "r_mag"]
    assert catalogue.colnames == names
    assert [str(name) for name in catalogue["id"]] == ["3000000001", "2", "3", "4"]
    assert tuple(catalogue[0])[1:] == (150.1, 2.35, 0.3, 10.25, 19.5)
    assert np.isnan([catalogue["log_stellar_mass"][3], catalogue["r_mag"][3]]).all()
    cut = ["redshift < 0.6", "log_stellar_mass > 9"]  # SeeingGAN's
    assert select_ids(tmp_path / "cosmos" / "catalogue.ecsv", cut) == ["3000000001", "2"]

    archive.asked.clear()
    assert fetch(tmp_path, "--tiles", "77,78") == 0
    assert fetch(tmp_path, "--region", "150.1,2.35,0.001") == 0  # 77 alone
    assert archive.asked == []
    assert len(archive.queries) == 1
    assert parts(tmp_path) == []


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (["--tiles", "22"], "tile 22"),
        (["--tiles", "77,118"], "tile 118"),
        (["--tiles", "77;78"], "77,78"),
        (["--tiles", ""], "77,78"),
        (["--region", "150,2"], "RA,DEC,RADIUS"),
        (["--region", "150,2,nan"], "RA,DEC,RADIUS"),
        (["--region", "152,2,0.1"], "no tile"),
        (["--region", "330.1,-2.2,0.1"], "no tile"),
        (["--tiles", "77", "--all"], "one of --tiles"),
        (["--json"], "one of --tiles"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(
    archive, tmp_path, capsys, more, fault
):
    assert fetch(tmp_path, *more) == 2
    err = capsys.readouterr().err
    assert fault in err
    assert err.count("\n") == 1
    assert not (tmp_path / "cosmos").exists()
    assert archive.asked == []


def test_a_packed_file_stays_packed_whatever_its_server_calls_it(archive, tmp_path):
    archive.pages[SCI].encoding = "x-gzip"
    assert fetch(tmp_path) == 0
    assert target(tmp_path, SCI).read_bytes() == archive.pages[SCI].body


def test_files_without_their_entries_are_checked_and_kept(archive, tmp_path):
    assert fetch(tmp_path) == 0
    before = (tmp_path / "cosmos" / "fetched.ecsv").read_text()
    (tmp_path / "cosmos" / "fetched.ecsv").unlink()
    spoiled = target(tmp_path, R)
    spoiled.write_bytes(flipped(spoiled.read_bytes(), 5000))
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert archive.got(SCI) == []
    assert archive.got(R) == [0]
    assert spoiled.read_bytes() == archive.pages[R].body
    day = r"\d{4}-\d\d-\d\dT\S+"
    assert re.sub(day, "", (tmp_path / "cosmos" / "fetched.ecsv").read_text()) == re.sub(
        day, "", before
    )


def test_a_file_that_was_deleted_or_cut_is_fetched_again(archive, tmp_path):
    assert fetch(tmp_path) == 0
    target(tmp_path, SCI).unlink()
    cut = target(tmp_path, R)
    cut.write_bytes(cut.read_bytes()[:-1])
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert {path for method, path, _ in archive.asked if method == "GET"} == {SCI, R}
    assert cut.read_bytes() == archive.pages[R].body


def test_tiles_that_are_added_later_extend_the_catalogue(archive, tmp_path):
    assert fetch(tmp_path, "--tiles", "77") == 0
    path = tmp_path / "cosmos" / "catalogue.ecsv"
    assert select_ids(path) == ["3000000001", "3", "4"]
    assert fetch(tmp_path, "--tiles", "78") == 0
    assert select_ids(path) == ["3000000001", "2", "3", "4"]


def test_damaged_lists_and_addresses_are_bad_input(archive, tmp_path, capsys):
    assert fetch(tmp_path) == 0
    manifest = tmp_path / "cosmos" / "fetched.ecsv"
    manifest.write_text(manifest.read_text().replace("sha256", "sum"))
    assert fetch(tmp_path) == 3
    assert "delete it" in capsys.readouterr().err
    addresses = tmp_path / "addresses.yaml"
    for text in (
        "acs: http://127.0.0.1/tile.fits",
        "acss: x",
        "acs: '{tile:03d}{nr}'",
        "acs: '{tile:0999999999d}'",
        "acs: '{tile.__class__}'",
    ):
        addresses.write_text(text)
        assert fetch(tmp_path) == 3
        err = capsys.readouterr().err
        assert "addresses.yaml" in err
        assert err.count("\n") == 1


def test_the_tiles_lie_where_their_headers_say():
    assert len(TILES) == 81
    for number, edges in EDGES.items():
        np.testing.assert_allclose(tile_box(number), edges, atol=3e-5)
        middle = ((edges[0] + edges[1]) / 2, (edges[2] + edges[3]) / 2)
        assert tiles_around(*middle, 0) == [number]
        # To just short of the neighbours' edges, and beyond.
        assert tiles_around(*middle, 4.8 / 60) == [number]
        assert len(tiles_around(*middle, 4.95 / 60)) == (3 if number != 77 else 5)
    assert tiles_around(150.1163, 2.2010, 1.2) == list(TILES)

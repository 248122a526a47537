"""fetch cosmos, killed, and against an archive that errs or is away."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from cosmos_archive import (
    SCI,
    R,
    fetch,
    flipped,
    parts,
    target,
    tile,
    votable,
    words,
    write_addresses,
)


def test_a_killed_run_goes_on_where_it_stopped(archive, tmp_path):
    page = archive.pages[SCI]
    page.most, page.held = len(page.body) // 2, threading.Event()
    command = [sys.executable, "-m", "pellucid", *words(tmp_path)]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        while not any(part.stat().st_size for part in parts(tmp_path)):
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    (part,) = parts(tmp_path)
    have = part.stat().st_size
    assert part.read_bytes() == page.body[:have]
    assert not target(tmp_path, SCI).exists()
    page.held.set()
    page.most = page.held = None
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert archive.got(SCI) == [have]
    assert target(tmp_path, SCI).read_bytes() == page.body
    assert len(archive.queries) == 1  # the catalogue was there already
    assert parts(tmp_path) == []


def test_a_broken_connection_costs_no_byte_that_arrived(archive, tmp_path):
    page = archive.pages[SCI]
    page.most = len(page.body) * 2 // 5
    assert fetch(tmp_path, "--tiles", "77", "--retries", "2") == 0
    assert archive.got(SCI) == [0, page.most, 2 * page.most]
    assert target(tmp_path, SCI).read_bytes() == page.body


@pytest.mark.parametrize("reason", ["no ranges", "no version", "weak version", "another version"])
def test_a_part_that_may_not_be_continued_is_begun_anew(archive, tmp_path, reason):
    page = archive.pages[SCI]
    page.most = len(page.body) // 2
    if reason == "no version":
        page.tag = ""
    if reason == "weak version":
        page.tag = 'W/"1"'
    page.ranges = reason != "no ranges"
    assert fetch(tmp_path, "--tiles", "77", "--retries", "0") == 1
    assert not target(tmp_path, SCI).exists()
    page.most = None
    if reason == "another version":
        page.body, page.tag = gzip.compress(tile(5)), '"2"'
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert archive.got(SCI) == [0]
    assert target(tmp_path, SCI).read_bytes() == page.body
    assert parts(tmp_path) == []


DAMAGE = {
    "an error page": (SCI, lambda body: b"<html>Service Unavailable</html>"),
    "an empty file": (SCI, lambda body: b""),
    "half a gzip stream": (SCI, lambda body: body[: len(body) // 2]),
    "a flipped bit in gzip": (SCI, lambda body: flipped(body, len(body) // 2)),
    "half a mosaic in gzip": (SCI, lambda body: gzip.compress(gzip.decompress(body)[:-5760])),
    "half a mosaic": (R, lambda body: body[:-5760]),
    "a flipped bit": (R, lambda body: flipped(body, 2880 + 999)),
    "a flipped bit in the header": (R, lambda body: body.replace(b"150.1163", b"150.1164")),
}


@pytest.mark.parametrize("fault", DAMAGE)
def test_what_is_damaged_is_never_stored(archive, tmp_path, capsys, fault):
    path, damage = DAMAGE[fault]
    page = archive.pages[path]
    whole, page.body = page.body, damage(page.body)
    assert page.body != whole
    assert fetch(tmp_path, "--tiles", "77", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    file = target(tmp_path, path)
    assert list(report["failed"]) == [f"{file.parent.name}/{file.name}"]
    assert report["files"] == 3
    assert len(archive.got(path)) == 2  # it was tried again
    assert not file.exists()
    page.body = whole
    assert fetch(tmp_path) == 0
    assert file.read_bytes() == whole


def test_a_tile_that_is_missing_does_not_stop_the_others(archive, tmp_path, capsys):
    assert fetch(tmp_path, "--tiles", "77,79", "--json") == 1
    printed = capsys.readouterr()
    failed = json.loads(printed.out)["failed"]
    assert sorted(failed) == [
        "acs/acs_I_030mas_079_sci.fits.gz",
        "acs_weight/acs_I_030mas_079_wht.fits.gz",
        "subaru/subaru_rp_079_sci_20.fits",
    ]
    assert all("the archive has no such file" in reason for reason in failed.values())
    assert printed.err.count("pellucid: failed ") == 3
    asked = [path for method, path, _ in archive.asked if "_079_sci.fits" in path]
    assert len(asked) == 2  # for its size and for itself: what is not there is not tried again
    assert target(tmp_path, SCI).exists()


def test_an_archive_that_is_away_is_for_another_time(archive, tmp_path, capsys):
    for page in archive.pages.values():
        page.status = 503
    assert fetch(tmp_path) == 75
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "HTTP 503" in err
    write_addresses(tmp_path, "http://127.0.0.1:9")
    assert fetch(tmp_path) == 75
    assert "cannot be reached" in capsys.readouterr().err
    assert list((tmp_path / "cosmos").iterdir()) == []


def test_an_archive_that_goes_away_is_not_asked_for_ever(archive, tmp_path, monkeypatch):
    monkeypatch.setattr("pellucid.archives.bring.GONE", 2)
    archive.table = lambda adql: (500, b"")
    for page in archive.pages.values():
        page.most = 0
    archive.pages[SCI].status = 500
    assert fetch(tmp_path, "--tiles", "77,78") == 75
    assert not any(method == "GET" and "wht" in path for method, path, _ in archive.asked)


REFUSAL = (
    b'<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
    b'<RESOURCE type="results"><INFO name="QUERY_STATUS" value="ERROR">no column mass_med</INFO>'
    b"</RESOURCE></VOTABLE>"
)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (lambda adql: (200, REFUSAL), "no column mass_med"),
        (lambda adql: (400, REFUSAL), "no column mass_med"),
        (lambda adql: (200, b"<html>Maintenance</html>"), "without"),
        (lambda adql: (200, votable(adql)[:-300]), "without a table"),
        (lambda adql: (200, votable(adql).replace(b'"redshift"', b'"z"')), "without the columns"),
        (lambda adql: (200, votable(adql, QUERY_STATUS="OVERFLOW")), "ask for fewer tiles"),
        (lambda adql: (503, b""), "HTTP 503"),
    ],
)
def test_tiles_arrive_without_the_catalogue_too(archive, tmp_path, capsys, table, reason):
    archive.table = table
    assert fetch(tmp_path, "--tiles", "77", "--json") == 1
    failed = json.loads(capsys.readouterr().out)["failed"]
    assert list(failed) == ["catalogue.ecsv"]
    assert reason in failed["catalogue.ecsv"]
    assert not (tmp_path / "cosmos" / "catalogue.ecsv").exists()
    assert target(tmp_path, SCI).exists()
    archive.table = None
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert archive.asked == []  # but for the catalogue


def test_a_disk_that_is_too_small_is_told_first(archive, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    assert fetch(tmp_path) == 75
    assert "make room" in capsys.readouterr().err
    assert not any(method == "GET" for method, *_ in archive.asked)

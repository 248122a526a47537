"""fetch sdss, interrupted, and against an archive that errs or is away."""

from __future__ import annotations

import bz2
import io
import json
import shutil
import sys

import pytest
from astropy.io import fits
from sdss_archive import FRAMES, SIZE, SKYSERVER, Source, fetch, reasons_in, source_in

from pellucid.archives.http import Client
from pellucid.archives.sdss.fetch import fetch_objects
from pellucid.archives.sdss.sample import open_listing, sample_query
from pellucid.data.folder import find_objects


def test_an_interrupted_run_goes_on_where_it_stopped(serve, tmp_path, capsys):
    sources = [source_in(12, 50, 40), source_in(13, 50, 40)]
    archive = serve(sources)

    client = Client(retries=0, pause=0)
    listing = open_listing(client, tmp_path, sample_query(0.01, 0.02), SIZE)
    objects = fetch_objects(client, listing, SIZE)
    assert next(objects).id == sources[0].id
    with pytest.MonkeyPatch.context() as patch:
        calls = []

        def download(_, name, band):
            calls.append(band)
            if len(calls) == 3:
                raise KeyboardInterrupt
            path = "/sas/dr12/boss/photoObj/frames/301/1000/3/"
            packed = archive.answer(f"{path}frame-{band}-001000-3-{name.number:04d}.fits.bz2")[1]
            return bz2.decompress(packed)

        patch.setattr("pellucid.archives.sdss.frames.download_frame", download)
        with pytest.raises(KeyboardInterrupt):
            list(objects)
    assert list(find_objects(tmp_path)) == [sources[0].id]
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    # Neither the query nor the galaxy that was there nor the two frames that had arrived.
    assert [path.rpartition("/")[2] for path in archive.asked] == ["frame-i-001000-3-0013.fits.bz2"]
    assert sorted(find_objects(tmp_path)) == [source.id for source in sources]
    assert not (tmp_path / ".frames").exists()


def test_ctrl_c_leaves_the_command_with_130(serve, tmp_path, monkeypatch):
    serve([source_in(12, 50, 40)])

    def download(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pellucid.archives.sdss.frames.download_frame", download)
    assert fetch(tmp_path) == 130


def test_a_server_that_fails_once_costs_a_retry(serve, tmp_path):
    archive = serve([source_in(12, 50, 40)])
    for part in ("x_results", "frame-r"):
        archive.faults[part] = lambda body, count: (503, b"") if count == 1 else (200, body)
    assert fetch(tmp_path) == 0
    assert len(archive.asked) == 6  # the query and three frames, two of them twice
    assert len(find_objects(tmp_path)) == 1


ERROR_PAGE = b"<!doctype html><html><body>Service Unavailable</body></html>"
DAMAGE = {
    "an error page": lambda body: ERROR_PAGE,
    "an error page in bzip2": lambda body: bz2.compress(ERROR_PAGE),
    "cut off": lambda body: body[: len(body) // 2],
    "cut off inside": lambda body: bz2.compress(bz2.decompress(body)[: -2880 * 3]),
    "a flipped bit": lambda body: body[:900] + bytes([body[900] ^ 4]) + body[901:],
    "empty": lambda body: b"",
    "another band": lambda body: bz2.compress(
        bz2.decompress(body).replace(b"FILTER  = 'r ", b"FILTER  = 'z ")
    ),
    "another unit": lambda body: bz2.compress(
        bz2.decompress(body).replace(b"'nanomag", b"'micromg")
    ),
}


@pytest.mark.parametrize("fault", DAMAGE)
def test_what_is_no_frame_is_never_stored(serve, tmp_path, capsys, fault):
    bad, good = source_in(12, 50, 40), source_in(13, 50, 40)
    archive = serve([bad, good])
    archive.faults["frame-r-001000-3-0012"] = lambda body, _: (200, DAMAGE[fault](body))
    assert fetch(tmp_path, "--json") == 1
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert list(report["failed"]) == [bad.id]
    assert report["objects"] == 1
    assert f"failed {bad.id}: " in printed.err
    assert sum("frame-r-001000-3-0012" in path for path in archive.asked) == 2  # it was retried
    assert list(find_objects(tmp_path)) == [good.id]
    assert not (tmp_path / ".frames").exists()
    archive.faults.clear()
    assert fetch(tmp_path) == 0
    assert sorted(find_objects(tmp_path)) == [bad.id, good.id]


def test_a_checksum_that_a_frame_carries_is_held_against_it(serve, tmp_path):
    archive = serve([source_in(12, 50, 40)])
    archive.faults["frame-r"] = lambda body, _: (200, bz2.compress(summed(bz2.decompress(body))))
    assert fetch(tmp_path / "good") == 0

    def spoiled(body: bytes, _: int) -> tuple[int, bytes]:
        data = bytearray(summed(bz2.decompress(body)))
        data[2880 * 4 + 100] ^= 1
        return 200, bz2.compress(bytes(data))

    archive.faults["frame-r"] = spoiled
    assert fetch(tmp_path / "bad") == 1


def summed(data: bytes) -> bytes:
    stream = io.BytesIO()
    with fits.open(io.BytesIO(data)) as hdus:
        hdus.writeto(stream, checksum=True)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["../x", "..", "/etc/x", "12a", "", "-5", "1e18", "x\x1b[31m"])
def test_a_hostile_id_never_becomes_a_path(serve, tmp_path, name):
    good = source_in(12, 50, 40)
    serve([Source(name, 60, 40), good])
    folder = tmp_path / "deep" / "sdss"
    assert fetch(folder) == 0
    assert list(find_objects(folder)) == [good.id]
    assert {path.name for path in folder.iterdir()} == {"catalogue.ecsv", "rejected.ecsv", good.id}
    assert [path.name for path in folder.parent.iterdir()] == ["sdss"]
    ((kept, reason),) = reasons_in(folder).items()
    assert "no number" in reason
    assert kept.isprintable()


def test_nothing_reachable_is_for_another_time(serve, tmp_path, capsys, monkeypatch):
    serve([source_in(12, 50, 40)])
    monkeypatch.setattr(*SKYSERVER, "http://127.0.0.1:9")
    assert fetch(tmp_path) == 75
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.glob("*.ecsv")) == []


@pytest.mark.parametrize(
    "body",
    [
        ERROR_PAGE,
        b"",
        b"#Table1\nerror_message\nIncorrect syntax",
        b"#Table1\nid,ra,dec,z,run\n1,2",
    ],
)
def test_a_query_without_a_table_is_for_another_time(serve, tmp_path, capsys, body):
    archive = serve([source_in(12, 50, 40)])
    archive.faults["x_results"] = lambda *_: (200, body)
    assert fetch(tmp_path) == 75
    assert capsys.readouterr().err.count("\n") == 1
    archive.faults["x_results"] = lambda body, _: (200, body[:-12])  # cut off in its last row
    assert fetch(tmp_path) == 75
    assert list(tmp_path.glob("*.ecsv")) == []
    archive.faults.clear()
    assert fetch(tmp_path) == 0


def test_frames_that_nobody_serves_are_for_another_time(serve, tmp_path, capsys, monkeypatch):
    archive = serve([source_in(number, 50, 40) for number in (12, 13)])
    with monkeypatch.context() as patch:
        patch.setattr(*FRAMES, "http://127.0.0.1:9")
        assert fetch(tmp_path) == 75
    assert "cannot be reached" in capsys.readouterr().err
    assert fetch(tmp_path) == 0
    assert sum("x_results" in path for path in archive.asked) == 1


def test_one_field_out_of_reach_does_not_stop_the_others(serve, tmp_path, capsys):
    archive = serve([source_in(number, 50, 40) for number in (11, 12, 13)])
    archive.faults["0012.fits"] = lambda *_: (500, b"")
    assert fetch(tmp_path, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert list(report["failed"]) == [archive.sources[1].id]
    assert "HTTP 500" in report["failed"][archive.sources[1].id]
    assert len(find_objects(tmp_path)) == 2
    # A frame that failed is not asked for again for the next band or the next galaxy.
    assert sum("0012.fits" in path for path in archive.asked) == 2


def test_an_archive_that_goes_away_is_not_asked_for_ever(serve, tmp_path, monkeypatch):
    archive = serve([source_in(number, x, 40, x) for number in (11, 12, 13) for x in (40, 60)])
    monkeypatch.setattr("pellucid.archives.bring.GONE", 2)
    archive.faults["frame-"] = lambda *_: (500, b"")
    assert fetch(tmp_path) == 75
    assert not any("0013.fits" in path for path in archive.asked)


def test_without_the_extra_the_error_names_the_extra(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvo", None)
    assert fetch(tmp_path / "new") == 2
    assert "pip install 'pellucid[fetch]'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_catalogue_that_is_none_is_bad_input(serve, tmp_path, capsys):
    archive = serve([source_in(12, 50, 40)])
    assert fetch(tmp_path) == 0
    path = tmp_path / "catalogue.ecsv"
    path.write_text(path.read_text().replace(archive.sources[0].id, "../x"))
    shutil.rmtree(tmp_path / archive.sources[0].id)
    assert fetch(tmp_path) == 3
    assert "catalogue.ecsv" in capsys.readouterr().err

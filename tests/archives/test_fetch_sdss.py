"""fetch sdss: which galaxies arrive, and what their cutouts show."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from sdss_archive import CAMCOL, RUN, SIZE, WIDTH, Archive, expected, fetch, reasons_in, source_in

from pellucid.data.catalogue import read_catalogue
from pellucid.data.folder import Cut, find_objects, read_object


def test_the_sample_arrives_with_each_galaxy_in_the_middle_of_each_band(serve, tmp_path, capsys):
    sources = [source_in(12, 50.3, 40.6), source_in(12, 88.1, 48.2, 2), source_in(13, 60.3, 44.9)]
    archive = serve(sources)
    folder = tmp_path / "sdss"
    assert fetch(folder, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["objects"], report["rejected"], report["failed"]) == (3, {}, {})
    assert {path.name for path in folder.iterdir()} == {
        "catalogue.ecsv", "rejected.ecsv", *(source.id for source in sources)
    }  # fmt: skip
    assert len(archive.frames_asked()) == 6  # two fields in three bands, however many galaxies
    y, x = np.mgrid[:SIZE, :SIZE]
    for source in sources:
        files = sorted((folder / source.id).iterdir())
        assert [path.name for path in files] == [f"{source.id}-{band}.fits" for band in "gir"]
        for path, band in zip(files, "gir", strict=True):
            with fits.open(path, checksum=True) as hdus:
                flux, header = hdus[0].data, hdus[0].header
            np.testing.assert_array_equal(flux, expected(archive, source, band))
            weight = np.where(np.hypot(x - (SIZE - 1) / 2, y - (SIZE - 1) / 2) < 9, flux, 0)
            centroid = [(weight * axis).sum() / weight.sum() for axis in (x, y)]
            # The nearest pixel in r; the other bands are half a pixel off that at most.
            away = 0.55 if band == "r" else 1.05
            assert np.abs(np.subtract(centroid, (SIZE - 1) / 2)).max() < away
            apart = np.subtract(centroid, WCS(header).world_to_pixel(source.sky))
            assert np.abs(apart).max() < 0.55
            cards = (header["BUNIT"], header["FILTER"], header["OBJID"], header["FIELD"])
            assert cards == ("nanomaggy", band, source.id, source.field)
            assert (header["RUN"], header["CAMCOL"], header["Z"]) == (RUN, CAMCOL, source.z)
            # The band's own WCS points at the light, better than the pixels can.
            own = WCS(header, key="A").world_to_pixel(source.sky)
            np.testing.assert_allclose(own, centroid, atol=0.05)
            shared = WCS(header).world_to_pixel(source.sky)
            assert np.abs(np.subtract(shared, (SIZE - 1) / 2)).max() < 0.51


def test_what_was_fetched_is_what_the_study_reads(serve, tmp_path):
    archive = serve([source_in(12, 50.3, 40.6)])
    assert fetch(tmp_path / "sdss") == 0
    objects = find_objects(tmp_path / "sdss")
    assert list(objects) == [archive.sources[0].id]
    image = read_object(objects[archive.sources[0].id], Cut(bands=("g", "r", "i"), size=SIZE))
    assert (image.shape, image.bands, image.unit) == ((3, SIZE, SIZE), ("g", "r", "i"), "nanomaggy")
    assert image.pixel_scale == pytest.approx(0.396, rel=1e-3)
    for plane, band in zip(image.flux, "gri", strict=True):
        np.testing.assert_array_equal(plane, expected(archive, archive.sources[0], band))


def test_the_catalogue_keeps_every_digit(serve, tmp_path):
    serve([source_in(12, 50, 40)])
    assert fetch(tmp_path) == 0
    (row,) = read_catalogue(tmp_path / "catalogue.ecsv")
    assert str(row["id"]) == "1237600012000000001"
    assert [int(row[name]) for name in ("run", "rerun", "camcol", "field")] == [1000, 301, 3, 12]
    assert row["ra"] == source_in(12, 50, 40).sky.ra.deg
    assert row["z"] == 0.015


@pytest.mark.parametrize(("y", "neighbour"), [(90.4, 13), (6.9, 11)])
def test_a_galaxy_at_the_end_of_its_field_goes_on_in_the_next(serve, tmp_path, y, neighbour):
    source = source_in(12, 60.2, y)
    source.listed = 12  # even where the other field would show more of it
    archive = serve([source])
    assert fetch(tmp_path) == 0
    asked = {int(path[-13:-9]) for path in archive.frames_asked()}
    assert asked == {12, neighbour}
    for band in "gri":
        flux = fits.getdata(tmp_path / source.id / f"{source.id}-{band}.fits")
        np.testing.assert_array_equal(flux, expected(archive, source, band))


def test_a_neighbour_that_does_not_line_up_is_not_stitched(serve, tmp_path, monkeypatch):
    archive = serve([source_in(12, 60.2, 85.4)])
    shifted = Archive.frame

    def frame(self, band, number):
        data = shifted(self, band, number)
        if number == 12:
            return data
        with fits.open(io.BytesIO(data)) as hdus:
            hdus[0].header["CRPIX1"] += 0.5
            stream = io.BytesIO()
            hdus.writeto(stream)
        return stream.getvalue()

    monkeypatch.setattr(Archive, "frame", frame)
    assert fetch(tmp_path) == 0
    assert "line up" in reasons_in(tmp_path)[archive.sources[0].id]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (source_in(12, 12, 40), "left or right edge"),
        (source_in(12, WIDTH - 12, 40), "left or right edge"),
        (source_in(11, 60, 9), "no field 10"),
    ],
)
def test_what_the_survey_does_not_show_is_rejected_with_its_reason(serve, tmp_path, source, reason):
    whole = source_in(13, 60, 40)
    archive = serve([source, whole])
    assert fetch(tmp_path) == 0
    assert reason in reasons_in(tmp_path)[source.id]
    assert [str(row["id"]) for row in read_catalogue(tmp_path / "catalogue.ecsv")] == [whole.id]
    assert list(find_objects(tmp_path)) == [whole.id]
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert archive.asked == []  # nor is it tried again


def test_a_second_run_asks_for_what_is_missing_only(serve, tmp_path, capsys):
    sources = [source_in(12, 50, 40), source_in(13, 50, 40), source_in(14, 50, 40)]
    archive = serve(sources)
    assert fetch(tmp_path) == 0
    archive.asked.clear()
    assert fetch(tmp_path) == 0
    assert archive.asked == []
    (tmp_path / sources[0].id / f"{sources[0].id}-r.fits").unlink()
    damaged = tmp_path / sources[2].id / f"{sources[2].id}-g.fits"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-4000] + bytes([whole[-4000] ^ 1]) + whole[-3999:])
    capsys.readouterr()
    assert fetch(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["fetched"] == 2
    assert {int(path[-13:-9]) for path in archive.asked} == {12, 14}
    assert damaged.read_bytes() == whole


def test_limit_takes_the_first(serve, tmp_path):
    archive = serve([source_in(number, 50, 40) for number in (12, 13, 14)])
    assert fetch(tmp_path, "--limit", "2") == 0
    assert list(find_objects(tmp_path)) == [source.id for source in archive.sources[:2]]
    assert fetch(tmp_path) == 0  # another sample: the query is another, the galaxies are not
    assert len(find_objects(tmp_path)) == 3
    assert len(archive.frames_asked()) == 9


def test_the_redshifts_choose(serve, tmp_path):
    near, far = source_in(12, 50, 40), source_in(13, 50, 40)
    far.z = 0.03
    serve([near, far])
    assert fetch(tmp_path / "a") == 0
    assert list(find_objects(tmp_path / "a")) == [near.id]
    assert fetch(tmp_path / "b", "--z-min", "0.02", "--z-max", "0.04") == 0
    assert list(find_objects(tmp_path / "b")) == [far.id]
    assert fetch(tmp_path / "c", "--z-min", "0.5", "--z-max", "0.6") == 3
    assert fetch(tmp_path / "d", "--z-min", "0.6", "--z-max", "0.5") == 2
    assert fetch(tmp_path / "d", "--z-min", "nan") == 2


def test_another_size_is_another_answer(serve, tmp_path):
    edge = source_in(12, 14, 40)
    serve([edge])
    assert fetch(tmp_path) == 0
    assert list(reasons_in(tmp_path)) == [edge.id]
    assert fetch(tmp_path, "--size", "24") == 0
    assert reasons_in(tmp_path) == {}
    assert fits.getdata(tmp_path / edge.id / f"{edge.id}-g.fits").shape == (24, 24)

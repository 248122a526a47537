"""`pellucid view` as a person uses it."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image
from typed import GOOD, INPUT, USAGE, strict

from pellucid.cli import main
from pellucid.view.planes import decoded


@pytest.fixture
def pages(pellucid, tmp_path):
    """Makes a page; returns what was printed as JSON, and the subjects on it."""

    def make(*words, name="page.html"):
        page = tmp_path / name
        said = strict(pellucid("view", *words, "--output", page, "--overwrite", "--json"))
        data = re.findall(
            r'<script type="application/json" class="subject">(.*)</script>', page.read_text()
        )
        index = re.search(r'id="index">(.*)</script>', page.read_text())
        assert index is not None
        return said, [json.loads(each) for each in data], json.loads(index[1])

    return make


@pytest.fixture
def wiener_of(restored, save):
    def make(name: str, **cards):
        return restored(save(name, **cards), "--method", "wiener", "--psf", "1.2", name=f"r-{name}")

    return make


def keys(subject: dict) -> list[str]:
    return [layer["key"] for layer in subject["layers"]]


def test_a_restoration_is_shown_beside_its_input(pages, wiener_of):
    said, (subject,), index = pages(wiener_of("a.fits"))
    assert keys(subject) == ["input", "restored", "again"]
    assert said["objects"] == 1
    assert said["failed"] == 0
    assert [each["name"] for each in index] == ["r-a.fits"]
    facts = dict(subject["facts"])
    assert facts["Restored by"].startswith("wiener")
    assert facts["Command"].startswith("pellucid restore ")


def test_a_file_whose_first_band_was_left_alone_shows_what_was_done_to_the_others(
    pellucid, pages, tmp_path
):
    bands = [fits.ImageHDU(GOOD + k, fits.Header({"CDELT1": 1e-4}), n) for k, n in enumerate("gri")]
    fits.HDUList([fits.PrimaryHDU(), *bands]).writeto(tmp_path / "a.fits")
    words = ["--bands", "r,i", "--method", "wiener", "--psf", 1.2, "--pixel-scale", 0.4]
    pellucid("restore", tmp_path / "a.fits", *words, "--output", tmp_path / "b.fits")
    _, (subject,), _ = pages(tmp_path / "b.fits")
    assert subject["bands"] == ["R", "I"]
    assert keys(subject) == ["input", "restored", "again"]
    assert dict(subject["facts"])["Restored by"].startswith("wiener")


def test_the_input_is_found_by_name_in_a_folder(pages, wiener_of, tmp_path):
    output = wiener_of("a.fits")
    (tmp_path / "sky").mkdir()
    (tmp_path / "a.fits").rename(tmp_path / "sky" / "a.fits")
    said, (subject,), _ = pages(output)
    assert keys(subject) == ["restored"]
    assert any("--input names it" in note for note in said["notes"])
    _, (subject,), _ = pages(output, "--input", tmp_path / "sky")
    assert "input" in keys(subject)


def test_a_truth_is_shown_too(pages, wiener_of, save):
    output, truth = wiener_of("a.fits"), save("truth.fits", GOOD + 1)
    _, (subject,), _ = pages(output, "--truth", truth)
    assert keys(subject) == ["input", "restored", "truth", "again"]
    assert dict(subject["facts"])["Truth"] == "truth.fits"


def test_several_files_are_a_gallery_and_one_that_is_bad_stops_no_other(
    wiener_of, tmp_path, capsys
):
    first, second = wiener_of("a.fits"), wiener_of("b.fits")
    bad = tmp_path / "bad.fits"
    bad.write_bytes(first.read_bytes()[:4000])
    page = tmp_path / "page.html"
    capsys.readouterr()
    assert main(["view", str(first), str(bad), str(second), "--output", str(page)]) == 1
    err = capsys.readouterr().err
    assert "failed bad.fits: " in err
    assert "Traceback" not in err
    text = page.read_text()
    assert text.count('class="subject"') == 2
    assert "bad.fits" in text


def test_the_table_of_a_run_is_a_page_with_what_failed(pellucid, pages, save, tmp_path):
    cutouts = tmp_path / "cutouts"
    cutouts.mkdir()
    for name in ("one.fits", "two.fits"):
        save(name).rename(cutouts / name)
    (cutouts / "broken.fits").write_bytes(b"SIMPLE")
    folder = tmp_path / "done"
    words = ["--method", "wiener", "--psf", "1.2", "--output", str(folder)]
    assert main(["restore", str(cutouts), *words]) == 1
    for shown in (folder, folder / "restored.ecsv"):
        page = tmp_path / "page.html"
        assert main(["view", str(shown), "--output", str(page), "--overwrite"]) == 1
        index = json.loads(re.search(r'id="index">(.*)</script>', page.read_text())[1])
        assert sorted(each["name"] for each in index) == ["broken", "one", "two"]
        assert [each["name"] for each in index if "reason" in each] == ["broken"]
        data = re.findall(r'class="subject">(.*)</script>', page.read_text())
        assert all("input" in keys(json.loads(each)) for each in data)


def restored_of(mosaic, rows, output):
    """Restore objects of a mosaic into a folder or a store."""
    catalogue = mosaic.with_name("objects.csv")
    catalogue.write_text("\n".join(["id,ra,dec", *rows, ""]))
    words = ["--catalogue", str(catalogue), "--image", str(mosaic), "--size", "24"]
    words += ["--method", "wiener", "--psf", "1.2", "--output", str(output)]
    return main(["restore", *words])


def test_what_failed_of_a_store_is_on_its_page(save, tmp_path):
    flux = np.random.default_rng(0).normal(3, 1, (120, 120)).astype("f4")
    mosaic = save("mosaic.fits", flux)
    store, page = tmp_path / "store.h5", tmp_path / "page.html"
    assert restored_of(mosaic, ["off,151.0,2.0", "x1,150.0,2.0"], store) == 1
    assert main(["view", str(store), "--output", str(page)]) == 1
    index = json.loads(re.search(r'id="index">(.*)</script>', page.read_text())[1])
    assert {each["name"]: "reason" in each for each in index} == {"x1": False, "off": True}


def test_a_store_of_a_catalogue_is_a_page(pages, save, tmp_path):
    mosaic = save("mosaic.fits", np.random.default_rng(0).normal(3, 1, (120, 120)).astype("f4"))
    assert not restored_of(mosaic, ["x1,150.0,2.0", "x2,149.9985,2.002"], tmp_path / "store.h5")
    _, subjects, _ = pages(tmp_path / "store.h5")
    assert [each["name"] for each in subjects] == ["x1", "x2"]
    assert subjects[0]["shape"] == [24, 24]


def test_an_object_of_a_mosaic_has_its_part_of_it_where_that_is_named(pages, save, tmp_path):
    y, x = np.mgrid[:120, :130]
    light = 50 * np.exp(-((x - 54) ** 2 + (y - 58) ** 2) / 18)
    flux = (light + np.random.default_rng(0).normal(3, 1, light.shape)).astype("f4")
    mosaic = save("mosaic.fits", flux)
    assert not restored_of(mosaic, ["x1,149.996,2.004"], f"{tmp_path}/cut/")
    said, (subject,), _ = pages(tmp_path / "cut")
    assert keys(subject) == ["restored"]
    assert any("the input is not shown" in note for note in said["notes"])
    _, (subject,), _ = pages(tmp_path / "cut", "--input", mosaic)
    shown = decoded(subject["layers"][0]["planes"][0])
    assert shown.shape == (24, 24)
    places = [(y, x) for y in range(97) for x in range(107)
              if np.abs(flux[y : y + 24, x : x + 24] - shown).max() < 0.05]  # fmt: skip
    assert len(places) == 1
    np.testing.assert_allclose(subject["layers"][0]["to"], [1, 0, 0, 0, 1, 0], atol=1e-6)


def test_a_fits_image_that_is_no_restoration_is_shown_and_said_so(pages, save):
    said, (subject,), _ = pages(save("plain.fits"))
    assert not subject["restored"]
    assert any("no restoration" in note for note in said["notes"])


def test_a_restored_picture_says_that_it_is_one(pellucid, pages, tmp_path):
    pixels = np.random.default_rng(0).integers(40, 60, (48, 48, 3), dtype=np.uint8)
    pixels[20:28, 20:28] = 200
    Image.fromarray(pixels).save(tmp_path / "a.jpg")
    words = ["--psf", "0.7", "--pixel-scale", "0.2", "--method", "wiener"]
    pellucid("restore", tmp_path / "a.jpg", *words, "--output", tmp_path / "b.png")
    _, (subject,), _ = pages(tmp_path / "b.png")
    assert subject["restored"]
    assert subject["scale"] == 0.2
    assert keys(subject) == ["input", "restored", "again"]
    assert dict(subject["facts"])["Restored by"].startswith("wiener")
    _, (plain,), _ = pages(tmp_path / "a.jpg")
    assert not plain["restored"]


def test_what_an_image_was_before_is_not_told_as_done_to_it(pellucid, pages, save, tmp_path):
    image = save("a.fits")
    with fits.open(image, "update") as file:
        for line in ("flat-fielded by another program", "imagesize = 0.25"):
            file[0].header.add_history(line)
    words = ["--method", "wiener", "--psf", "1.2"]
    pellucid("restore", image, *words, "--output", tmp_path / "b.fits")
    assert "imagesize" in str(fits.getheader(tmp_path / "b.fits")["HISTORY"])
    said, _, _ = pages(tmp_path / "b.fits")
    assert said["notes"]
    assert not any("imagesize" in note or "flat" in note for note in said["notes"])


def test_one_of_a_run_is_shown_beside_its_input_wherever_that_lies(pellucid, pages, save, tmp_path):
    cutouts = tmp_path / "cutouts"
    cutouts.mkdir()
    save("one.fits").rename(cutouts / "one.fits")
    words = ["--method", "wiener", "--psf", "1.2", "--output", tmp_path / "done"]
    pellucid("restore", cutouts, *words)
    _, (subject,), _ = pages(tmp_path / "done" / "one.fits")
    assert subject["name"] == "one.fits"
    assert keys(subject) == ["input", "restored", "again"]
    (tmp_path / "done" / "restored.ecsv").write_text("of another program")
    _, (subject,), _ = pages(tmp_path / "done" / "one.fits")
    assert keys(subject) == ["restored"]


def test_what_cannot_be_is_refused_in_one_line(refused, save, tmp_path):
    image = save("a.fits")
    page = tmp_path / "page.html"
    refused(USAGE, "view", image, "--output", tmp_path / "page.png", naming="page.png")
    refused(USAGE, "view", image, "--output", page, "--truth", "gone.fits", naming="gone.fits")
    refused(USAGE, "view", image, image, "--output", page, "--truth", image, naming="--truth")
    refused(INPUT, "view", tmp_path / "gone.fits", "--output", page, naming="gone.fits")
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(INPUT, "view", empty, "--output", page, naming=empty)
    table = tmp_path / "other.ecsv"
    table.write_text("# %ECSV 1.0\n# ---\n# datatype:\n# - {name: id, datatype: string}\nid\nx\n")
    refused(INPUT, "view", table, "--output", page, naming="other.ecsv")
    nothing = tmp_path / "nothing.fits"
    fits.PrimaryHDU().writeto(nothing)
    refused(INPUT, "view", nothing, "--output", page, naming="nothing.fits")
    page.write_text("mine")
    refused(USAGE, "view", image, "--output", page, naming="page.html")


@pytest.mark.parametrize("by", [["--method", "wiener"], ["--model", "galaxygan-sdss", "--force"]])
def test_restore_makes_the_page_at_once_as_view_does(pellucid, pages, save, tmp_path, by):
    image, output, page = save("a.fits"), tmp_path / "out.fits", tmp_path / "at-once.html"
    pellucid("restore", image, *by, "--psf", "1.2", "--output", output, "--page", page)
    (at_once,) = re.findall(r'class="subject">(.*)</script>', page.read_text())
    _, (later,), _ = pages(output)
    found = json.loads(at_once)
    for part in ("layers", "wcs", "facts", "psfs", "shape"):
        assert found[part] == later[part], part


def test_restore_of_many_makes_a_page_of_all(pellucid, save, tmp_path):
    cutouts = tmp_path / "cutouts"
    cutouts.mkdir()
    for name in ("one.fits", "two.fits"):
        save(name).rename(cutouts / name)
    page = tmp_path / "page.html"
    words = ["--method", "wiener", "--psf", "1.2", "--output", tmp_path / "done", "--page", page]
    pellucid("restore", cutouts, *words)
    assert page.read_text().count('class="subject"') == 2


def test_a_page_is_refused_before_the_work(refused, save, tmp_path):
    image = save("a.fits")
    words = ["--method", "wiener", "--psf", "1.2"]
    for output in (tmp_path / "out.fits", tmp_path / "out"):
        said = ["restore", image, *words, "--output", output]
        refused(USAGE, *said, "--page", tmp_path / "page.txt", naming="page.txt")
        refused(USAGE, *said, "--page", tmp_path / "no" / "page.html", naming="no")

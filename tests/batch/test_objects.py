"""Files become images by their names and headers, each under a name of its own."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from pellucid.batch.inputs import find_inputs
from pellucid.batch.item import Item
from pellucid.batch.objects import in_words, make_items
from pellucid.errors import InputError, UsageError


def items_of(*files: str, group=None, bands=None) -> list[Item]:
    """The items of files that are named one by one."""
    return make_items(dict.fromkeys(files, ""), group, bands)


def told(items: list[Item]) -> dict[str, str]:
    return {item.name: " ".join(Path(file).name for file in item.files) for item in items}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("a-r.fits a-g.fits a-i.fits", {"a": "a-g.fits a-r.fits a-i.fits"}),
        ("a_g.fits b_g.fits a_r.fits b_r.fits",
         {"a": "a_g.fits a_r.fits", "b": "b_g.fits b_r.fits"}),
        ("a.z.fits.fz a.y.fits.fz", {"a": "a.z.fits.fz a.y.fits.fz"}),
        ("frame-r-0017-1.fits frame-g-0017-1.fits",
         {"frame-0017-1": "frame-g-0017-1.fits frame-r-0017-1.fits"}),
        ("calexp-HSC-I-9,5,5.fits calexp-HSC-G-9,5,5.fits",
         {"calexp-HSC-9,5,5": "calexp-HSC-G-9,5,5.fits calexp-HSC-I-9,5,5.fits"}),
        ("ngc_F814W.fits ngc_F475W.fits", {"ngc": "ngc_F475W.fits ngc_F814W.fits"}),
        ("g-7.fits r-7.fits", {"7": "g-7.fits r-7.fits"}),
        # another object each, whatever else a band's letter stands for
        ("i-1-g.fits i-1-r.fits i-2-g.fits i-2-r.fits",
         {"i-1": "i-1-g.fits i-1-r.fits", "i-2": "i-2-g.fits i-2-r.fits"}),
        ("a-g.fits b-g.fits", {"a-g": "a-g.fits", "b-g": "b-g.fits"}),
        ("cube.fits other.fits.gz", {"cube": "cube.fits", "other": "other.fits.gz"}),
        ("a.jpg b.png", {"a": "a.jpg", "b": "b.png"}),
        # masks, weights and errors go with their image
        ("a-g.fits a-r.fits a-mask.fits a-r-invvar.fits",
         {"a": "a-g.fits a-r.fits a-mask.fits a-r-invvar.fits"}),
        ("one.fits one.weight.fits two.fits",
         {"one": "one.fits one.weight.fits", "two": "two.fits"}),
        ("ls-image-g.fits ls-invvar-g.fits ls-image-z.fits ls-invvar-z.fits",
         {"ls-image": "ls-image-g.fits ls-image-z.fits ls-invvar-g.fits ls-invvar-z.fits"}),
        ("G12fitim.fits G12mskim.fits G12sigma.fits G13fitim.fits",
         {"G12fitim": "G12fitim.fits G12mskim.fits G12sigma.fits", "G13fitim": "G13fitim.fits"}),
        ("u-w1-img-m.fits u-w1-std-m.fits.gz u-w2-img-m.fits u-w2-std-m.fits.gz",
         {"u-img-m": "u-w1-img-m.fits u-w2-img-m.fits u-w1-std-m.fits.gz u-w2-std-m.fits.gz"}),
        ("noise_1.fits noise_2.fits", {"noise_1": "noise_1.fits", "noise_2": "noise_2.fits"}),
    ],
)  # fmt: skip
def test_names_tell_which_files_are_one_image(files, expected):
    assert told(items_of(*files.split())) == expected


def test_a_mask_that_goes_with_no_image_is_none():
    one, two, stray = items_of("a-1.fits", "a-2.fits", "a-mask.fits")
    assert (one.fault, two.fault) == ("", "")
    assert stray.files == ("a-mask.fits",)
    assert "by its name beside an image" in stray.fault


def test_bands_alone_are_called_after_their_folder():
    assert list(told(items_of("M51/g.fits", "M51/r.fits", "M101/g.fits", "M101/r.fits"))) == [
        "M51",
        "M101",
    ]


def test_a_band_that_others_have_is_missed_and_that_image_alone_fails():
    complete, twice, partial, cube = items_of(
        "a-g.fits", "a-r.fits", "b-g.fits", "b-r.fits", "c-r.fits", "cube.fits"
    )
    assert (complete.fault, twice.fault, cube.fault) == ("", "", "")
    assert partial.name == "c"
    assert "band g is missing (other images have g,r)" in partial.fault


def test_bands_that_are_asked_for_come_first_and_must_be_there():
    files = ("a-g.fits", "a-r.fits", "a-i.fits", "b-g.fits", "b-r.fits")
    whole, partial = items_of(*files, bands=("i", "g"))
    assert (whole.bands, whole.fault) == (("i", "g", "r"), "")
    assert whole.files == ("a-i.fits", "a-g.fits", "a-r.fits")
    assert "band i is missing (--bands asks for i,g)" in partial.fault
    assert [item.fault for item in items_of(*files[:3], bands=("B", "V", "Rc"))] == [""]


def test_a_band_that_is_there_twice():
    (item,) = items_of("a-g.fits", "a-r.fits", "a-r.fits.gz")
    assert item.fault == "band r is there twice"


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("none", ["1-g", "1-r", "2-g", "2-r"]),
        ("folder", ["sky"]),
        ("{id}-{band}.fits", ["1", "2"]),
        ("sky/{id}-{band}.fits", ["1", "2"]),
        ("{id}/*-g.fits", ["sky"]),
        ("else/{id}-{band}.fits", []),
    ],
)
def test_group_says_otherwise(group, names):
    files = [f"sky/{k}-{band}.fits" for k in (1, 2) for band in "gr"]
    assert [item.name for item in items_of(*files, group=group)] == names


@pytest.mark.parametrize("group", ["bogus", "{band}.fits", "{id}{id}.fits", "{id}-{band}-{band}"])
def test_a_group_that_is_none_is_refused(group):
    with pytest.raises(UsageError, match="--group"):
        items_of("a.fits", group=group)


def test_one_name_in_two_folders_keeps_the_folders():
    names = [item.name for item in items_of("x/1/a.fits", "x/2/a.fits", "x/2/b.fits")]
    assert names == ["1/a", "2/a", "b"]


def test_two_files_for_one_name_are_one_result_and_one_failure():
    first, second = items_of("a.fits", "a.fits.gz")
    assert (first.name, first.fault) == ("a", "")
    assert "under the name of a.fits" in second.fault
    assert second.output != first.output


def test_a_hostile_name_leads_nowhere():
    (item,) = items_of("..-g.fits", group="{id}-{band}.fits")
    assert item.fault == "its id is no name for a file"


def test_words_say_what_was_taken_for_what():
    items = items_of("a-g.fits", "a-r.fits", "b.fits")
    assert in_words(items, None) == (
        "2 images in 3 files (1 of g,r), as a-g.fits + a-r.fits; --group none takes each file by "
        "itself"
    )
    assert in_words(items_of("a.fits"), None) == "1 images, a file each"


# --- files -------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def touch(*names: str) -> None:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return touch


def test_a_folder_gives_its_images_and_tells_what_else_is_there(here):
    here("in/b.fits", "in/a.fits.gz", "in/deep/c.FIT", "in/.hidden.fits", "in/.git/d.fits")
    here("in/notes.txt", "in/a.jpg", "in/psf.fits", "in/deep/out/e.fits", "in/pictures/f.png")
    found = find_inputs(["in"], "in/deep/out")
    assert found.files == {
        "in/a.fits.gz": "",
        "in/b.fits": "",
        "in/deep/c.FIT": "deep",
        "in/pictures/f.png": "pictures",
    }
    assert found.passed == {
        "hidden": 1,
        "of no kind that is read": 1,
        "pictures beside FITS files": 1,
        "PSFs by their names": 1,
    }


def test_lists_name_files_from_here_or_from_where_they_lie(here):
    here("a.fits", "lists/b.fits")
    for name, text in {
        "list.txt": "# two\na.fits\n\n  b.fits \ngone.fits\n",
        "list.csv": "id,file\n1,a.fits\n2,b.fits\n3,gone.fits\n",
        "list.ecsv": "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: path, datatype: string}\n"
        "path\na.fits\nb.fits\ngone.fits\n",
    }.items():
        Path("lists", name).write_text(text)
        assert list(find_inputs([f"lists/{name}"], "out").files) == [
            "a.fits",
            "lists/b.fits",
            "gone.fits",
        ]


@pytest.mark.parametrize(("name", "kind"), [("a.vot", "votable"), ("a.parquet", "parquet")])
def test_other_tables_are_lists_too(here, name, kind):
    here("a.fits", "b.fits")
    if kind == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow.parquet import write_table

        write_table(pyarrow.table({"filename": ["a.fits", "b.fits"]}), name)
    else:
        Table({"filename": ["a.fits", "b.fits"]}).write(name, format=kind)
    assert list(find_inputs([name], "out").files) == ["a.fits", "b.fits"]


def test_a_pattern_for_more_names_than_a_shell_takes_and_each_file_once(here):
    here("a.fits", "b.fits", "c.fits")
    os.symlink("a.fits", "link.fits")
    found = find_inputs(["[ab].fits", "link.fits", "./b.fits"], "out")
    assert list(found.files) == ["a.fits", "b.fits"]
    assert found.passed == {"named twice": 2}


@pytest.mark.parametrize("named", ["gone.fits", "gone/", "*.fits", "empty", "empty.txt", "bad.csv"])
def test_no_image_is_an_error_that_names_what_was_typed(here, named):
    here("empty/readme.md")
    Path("empty.txt").write_text("# nothing\n")
    Path("bad.csv").write_text("id,ra\n1,2\n")
    with pytest.raises(InputError, match=named.rstrip("/").replace("*", r"\*")):
        find_inputs([named], "out")


# --- headers -----------------------------------------------------------------------------------


def write(path: Path, band: str | None, ra: float = 150.0, side: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = fits.Header({"CRVAL1": ra, "CRVAL2": 2.0} | ({"FILTER": band} if band else {}))
    fits.PrimaryHDU(np.ones((side, side), "f4"), header).writeto(path)


@pytest.mark.parametrize(
    ("second", "names"),
    [
        (("g", 150.0, 8), ["M51"]),
        (("r", 150.0, 8), ["M51/one", "M51/two"]),
        ((None, 150.0, 8), ["M51/one", "M51/two"]),
        (("g", 151.0, 8), ["M51/one", "M51/two"]),
        (("g", 150.0, 9), ["M51/one", "M51/two"]),
    ],
)
def test_headers_tell_where_names_do_not(tmp_path, second, names):
    write(tmp_path / "in/M51/one.fits", "r")
    write(tmp_path / "in/M51/two.fits", *second)
    items = make_items(find_inputs([tmp_path / "in"], tmp_path / "out").files)
    assert [item.name for item in items] == names
    if names == ["M51"]:
        assert items[0].bands == ("g", "r")
        assert told(items)["M51"] == "two.fits one.fits"


def test_a_folder_of_one_galaxy_gives_it_its_name(tmp_path):
    for name in ("1/1-g", "1/1-r", "deep/2/x_g", "deep/2/x_r", "3/3-r", "deep/c"):
        write(tmp_path / f"in/{name}.fits", None)
    items = make_items(find_inputs([tmp_path / "in"], tmp_path / "out").files)
    assert {item.name for item in items} == {"1", "3", "deep/2", "deep/c"}
    assert [item.name for item in items if item.fault] == ["3"]


def test_coverage_and_models_beside_an_image_are_none(tmp_path):
    names = ["u-w1-img-m.fits", "u-w1-n-m.fits.gz", "u-w1-std-m.fits", "m.fits", "m_model.fits"]
    for name in (*names, "n-exp.fits"):
        (tmp_path / name).touch()
    folder, out = find_inputs([tmp_path], tmp_path / "out"), tmp_path / "out"
    taken = ["m.fits", "n-exp.fits", "u-w1-img-m.fits", "u-w1-std-m.fits"]
    assert [Path(file).name for file in folder.files] == taken
    assert folder.passed == {"models and maps of coverage by their names, beside an image": 2}
    named = find_inputs([tmp_path / name for name in names[:3]], out)
    assert [Path(file).name for file in named.files] == [names[0], names[2]]

"""A study's sample: who takes part, who does not and why, and that nothing is lost in silence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from pellucid.cli import main
from pellucid.data.folder import Cut
from pellucid.data.pairs import open_pairs
from pellucid.display import read_composite
from pellucid.errors import InputError
from pellucid.fits import read_image
from pellucid.stretch import GalaxyGANStretch
from pellucid.studies.sample import SampleRecipe, prepare_sample

CUT = Cut(("g", "r", "i"))
#: Longer than what a float keeps, and one that only text keeps.
NEAR = [f"{587722981736120347 + k}" for k in range(19)] + ["0012"]
FAR = ["587700000000000001", "587700000000000002"]
SCALE = {"CDELT1": -0.396 / 3600, "CDELT2": 0.396 / 3600}
HEADER = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "BUNIT": "nanomaggy"} | SCALE)
REDSHIFTS = [*np.linspace(0.0101, 0.0199, len(NEAR)), 0.0099, 0.0201]


@pytest.fixture(scope="module")
def pristine(deep_field, tmp_path_factory) -> Path:
    """Twenty galaxies within the paper's redshifts and two without, as its authors laid them out,
    with their catalogue."""
    folder = tmp_path_factory.mktemp("survey") / "galaxies"
    for k, name in enumerate([*NEAR, *FAR]):
        (folder / name).mkdir(parents=True)
        cut = deep_field.cutout(38 * k + 6, 40 * k + 26, 16, 16)
        for band, plane in zip("gri", cut.flux, strict=True):
            fits.PrimaryHDU(plane, HEADER).writeto(folder / name / f"{name}-{band}.fits")
    rows = [f"{name},{z:.4f}" for name, z in zip([*NEAR, *FAR], REDSHIFTS, strict=True)]
    (folder / "catalogue.csv").write_text("\n".join(["id,redshift", *rows]) + "\n")
    return folder


@pytest.fixture
def survey(pristine, tmp_path) -> Path:
    """A copy of the galaxies that a test may damage."""
    return shutil.copytree(pristine, tmp_path / "galaxies")


@pytest.fixture
def composites(deep_field, tmp_path) -> Path:
    """Twenty galaxies as pictures without a catalogue."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k, name in enumerate(NEAR):
        flux = deep_field.cutout(38 * k + 6, 40 * k + 26, 16, 16).flux
        value = np.rint(255 * GalaxyGANStretch().forward(flux)).astype(np.uint8)
        Image.fromarray(np.moveaxis(value[::-1], 0, -1)).save(folder / f"{name}.png")
    return folder


def recipe(data: Path, **changes) -> SampleRecipe:
    return SampleRecipe(**{"data": data, "catalogue": None, "where": None, "cut": CUT} | changes)


def replace_text(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# --- who takes part --------------------------------------------------------------------------


def test_the_papers_redshifts_are_selected_and_ids_and_pixels_stay_whole(survey, tmp_path):
    sample = prepare_sample(recipe(survey), tmp_path / "s.h5")
    store = open_pairs(tmp_path / "s.h5")
    assert (sample.objects, sample.skipped) == (20, [])
    assert store.ids == NEAR
    assert (store.bands, store.unit) == (("g", "r", "i"), "nanomaggy")
    for index in (0, 19):
        files = [survey / NEAR[index] / f"{NEAR[index]}-{band}.fits" for band in "gri"]
        assert_array_equal(store.flux(index), read_image(*files).flux)


@pytest.mark.parametrize("name", ["catalogue.ecsv", "catalogue.vot", "table.csv"])
@pytest.mark.parametrize("columns", [("objid", "z"), ("ID", "Z")])
def test_a_catalogue_may_have_other_names_and_kinds(survey, tmp_path, name, columns):
    rows = Table.read(survey / "catalogue.csv", converters={"id": str})
    table = Table([rows["id"], rows["redshift"]], names=columns)
    (survey / "catalogue.csv").unlink()
    table.write(survey / name, format="votable" if name.endswith("vot") else None)
    assert prepare_sample(recipe(survey), tmp_path / "s.h5").objects == 20
    assert open_pairs(tmp_path / "s.h5").ids == NEAR


def test_a_catalogue_may_lie_beside_the_folder_or_be_named(survey, tmp_path):
    beside = survey.with_name("galaxies.csv")
    (survey / "catalogue.csv").rename(beside)
    assert prepare_sample(recipe(survey), tmp_path / "a.h5").objects == 20
    named = recipe(survey, catalogue=beside.rename(tmp_path / "mine.csv"))
    assert prepare_sample(named, tmp_path / "b.h5").objects == 20


def test_another_selection_takes_the_place_of_the_papers(survey, tmp_path):
    sample = prepare_sample(recipe(survey, where=("redshift > 0.0199",)), tmp_path / "s.h5")
    assert sample.objects == 1
    assert open_pairs(tmp_path / "s.h5").ids == [FAR[1]]


def test_pictures_need_no_catalogue(composites, tmp_path):
    cut = Cut(("g", "r", "i"), pixel_scale=0.396)
    assert prepare_sample(recipe(composites, cut=cut), tmp_path / "s.h5").objects == 20
    store = open_pairs(tmp_path / "s.h5")
    assert store.ids == sorted(NEAR)
    expected = read_composite(composites / f"{store.ids[3]}.png").flux
    assert_array_equal(store.flux(3), expected)


def test_fits_files_need_one(survey, tmp_path):
    (survey / "catalogue.csv").unlink()
    with pytest.raises(InputError, match="--catalogue"):
        prepare_sample(recipe(survey), tmp_path / "s.h5")


@pytest.mark.parametrize("kind", ["survey", "composites"])
def test_shrinking_averages_blocks_and_states_the_larger_pixel(kind, request, tmp_path):
    data = request.getfixturevalue(kind)
    cuts = [Cut(CUT.bands, 0.396), Cut(CUT.bands, 0.792, shrink=2)]
    for cut, name in zip(cuts, "ab", strict=True):
        prepare_sample(recipe(data, cut=cut), tmp_path / f"{name}.h5")
    whole, small = (open_pairs(tmp_path / f"{name}.h5") for name in "ab")
    assert (whole.pixel_scale, small.pixel_scale) == (0.396, 0.792)
    # Flux is averaged as flux; a picture that was enlarged was enlarged as a picture.
    stretch = GalaxyGANStretch(clip=False)
    scale = stretch.forward if kind == "composites" else np.asarray
    blocks = scale(whole.flux(4)).reshape(3, 8, 2, 8, 2).mean(axis=(2, 4))
    assert_allclose(scale(small.flux(4)), blocks, atol=2e-6)


# --- who does not ----------------------------------------------------------------------------


def band_missing(folder: Path, name: str) -> None:
    (folder / name / f"{name}-r.fits").unlink()


def band_twice(folder: Path, name: str) -> None:
    shutil.copy(folder / name / f"{name}-r.fits", folder / name / f"second-{name}-r.fits")


def frame_of_another_shape(folder: Path, name: str) -> None:
    path = folder / name / f"{name}-i.fits"
    fits.writeto(path, fits.getdata(path)[:12], fits.getheader(path), overwrite=True)


def blank(folder: Path, name: str) -> None:
    for path in (folder / name).iterdir():
        frame = fits.getdata(path)
        fits.writeto(path, np.zeros_like(frame), fits.getheader(path), overwrite=True)


def in_another_unit(folder: Path, name: str) -> None:
    for path in (folder / name).iterdir():
        fits.setval(path, "BUNIT", value="adu")


def object_of_another_shape(folder: Path, name: str) -> None:
    for path in (folder / name).iterdir():
        fits.writeto(path, fits.getdata(path)[:12], fits.getheader(path), overwrite=True)


def file_cut_short(folder: Path, name: str) -> None:
    path = folder / name / f"{name}-g.fits"
    path.write_bytes(path.read_bytes()[:3000])


def no_files(folder: Path, name: str) -> None:
    shutil.rmtree(folder / name)


def no_redshift(folder: Path, name: str) -> None:
    replace_text(folder / "catalogue.csv", f"{name},0.0132", f"{name},")


def twice_in_the_catalogue(folder: Path, name: str) -> None:
    replace_text(folder / "catalogue.csv", f"{name},0.0132\n", f"{name},0.0132\n" * 2)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (band_missing, "band r is missing"),
        (band_twice, "band r is there twice"),
        (frame_of_another_shape, "12"),
        (object_of_another_shape, "12"),
        (blank, "is constant (0)"),
        (in_another_unit, "is in adu; the study needs nanomaggies"),
        (file_cut_short, "-g.fits"),
        (no_redshift, "has no redshift"),
        (twice_in_the_catalogue, "stands twice"),
    ],
)
def test_an_object_with_a_fault_is_named_and_the_others_are_there(survey, tmp_path, damage, reason):
    faulty = NEAR[6]
    damage(survey, faulty)
    sample = prepare_sample(recipe(survey), tmp_path / "s.h5")
    assert [each.id for each in sample.skipped] == [faulty]
    assert reason in sample.skipped[0].reason
    left = NEAR if damage is twice_in_the_catalogue else [each for each in NEAR if each != faulty]
    assert open_pairs(tmp_path / "s.h5").ids == left
    assert sample.objects == len(left)


def test_a_catalogue_may_cover_more_than_the_folder(survey, tmp_path):
    for name in NEAR[4:8]:  # more than one in twenty
        no_files(survey, name)
    for _ in range(2):  # the second time from what the first one wrote
        sample = prepare_sample(recipe(survey), tmp_path / "s.h5")
        assert (sample.objects, sample.skipped, sample.missing) == (16, [], 4)
    note = json.loads((tmp_path / "s.json").read_text())
    assert note["catalogue"] == "catalogue.csv"
    assert note["where"] == ["redshift > 0.01", "redshift < 0.02"]


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_damaged_note_of_the_sample_is_named(survey, tmp_path, text):
    prepare_sample(recipe(survey), tmp_path / "s.h5")
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(InputError, match=r"s\.json: is damaged"):
        prepare_sample(recipe(survey), tmp_path / "s.h5")


def picture_unreadable(folder: Path, name: str) -> None:
    (folder / f"{name}.png").unlink()
    (folder / f"{name}.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")


def picture_twice(folder: Path, name: str) -> None:
    Image.open(folder / f"{name}.png").save(folder / f"{name}.jpg")


@pytest.mark.parametrize(
    ("damage", "reason"), [(picture_unreadable, ".jpg"), (picture_twice, "shares its id with")]
)
def test_a_picture_with_a_fault_is_named_and_the_others_are_there(
    composites, tmp_path, damage, reason
):
    damage(composites, NEAR[6])
    cut = Cut(("g", "r", "i"), pixel_scale=0.396)
    sample = prepare_sample(recipe(composites, cut=cut), tmp_path / "s.h5")
    assert [each.id for each in sample.skipped] == [NEAR[6]]
    assert reason in sample.skipped[0].reason
    assert open_pairs(tmp_path / "s.h5").ids == sorted(set(NEAR) - {NEAR[6]})


def test_a_second_call_takes_what_is_there_and_names_the_same(survey, tmp_path):
    band_missing(survey, NEAR[6])
    first = prepare_sample(recipe(survey), tmp_path / "s.h5")
    content = (tmp_path / "s.h5").read_bytes()
    shutil.rmtree(survey)
    assert prepare_sample(recipe(survey), tmp_path / "s.h5") == first
    assert len(first.skipped) == 1
    assert (tmp_path / "s.h5").read_bytes() == content


def test_a_store_without_its_note_was_cut_short_and_is_made_again(survey, tmp_path):
    band_missing(survey, NEAR[6])
    first = prepare_sample(recipe(survey), tmp_path / "s.h5")
    (tmp_path / "s.json").unlink()
    assert prepare_sample(recipe(survey), tmp_path / "s.h5") == first


def every_row_twice(folder: Path) -> None:
    path = folder / "catalogue.csv"
    path.write_text(path.read_text() + path.read_text().partition("\n")[2])


def two_without_a_band(folder: Path) -> None:
    for name in NEAR[:2]:
        band_missing(folder, name)


def all_damaged(folder: Path) -> None:
    for name in NEAR:
        band_missing(folder, name)


def no_redshifts(folder: Path) -> None:
    replace_text(folder / "catalogue.csv", "redshift", "magnitude")


def no_ids(folder: Path) -> None:
    replace_text(folder / "catalogue.csv", "id,", "name,")


def words_for_redshifts(folder: Path) -> None:
    replace_text(folder / "catalogue.csv", ",0.0132", ",unknown")


def nobody_near(folder: Path) -> None:
    replace_text(folder / "catalogue.csv", ",0.0", ",1.0")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (two_without_a_band, f"2 of 20 .* 5%.*{NEAR[0]}"),
        (every_row_twice, "20 of 40 .* 5%"),
        (all_damaged, "band r is missing"),
        (no_redshifts, "has no redshifts"),
        (no_ids, "has no ids"),
        (words_for_redshifts, "redshift"),
        (nobody_near, "holds no object of"),
    ],
)
def test_a_sample_at_fault_is_refused_in_one_line_and_leaves_nothing(
    survey, tmp_path, files_in, damage: Callable[[Path], None], reason
):
    damage(survey)
    output = tmp_path / "output"
    output.mkdir()
    with pytest.raises(InputError, match=reason) as caught:
        prepare_sample(recipe(survey), output / "s.h5")
    assert "\n" not in str(caught.value)
    assert files_in(output) == {}


# --- through the command line ----------------------------------------------------------------


DECONVOLUTION_ONLY = """\
name: one
fwhm: [1.8]
noise: [2]
folds: 1
gan_cells: []
learning_curve: null
test_objects: 1
tuning_objects: 1
recipe: {name: none, steps: 1}
"""


def study(data: Path, output: Path, *more: str) -> int:
    preset = output.with_name("one.yaml")
    preset.write_text(DECONVOLUTION_ONLY)
    words = ["study", "galaxygan", "--data", data, "--output", output, "--preset", preset]
    return main([*map(str, words), "--workers", "1", *more])


def test_a_study_with_skipped_objects_ends_with_1_and_names_them(survey, tmp_path, capsys):
    band_missing(survey, NEAR[6])
    assert study(survey, tmp_path / "out", "--json") == 1
    said = capsys.readouterr()
    assert f"skipped {NEAR[6]}: " in said.err
    report = json.loads(said.out)
    assert list(report["skipped"]) == [NEAR[6]]
    assert (report["objects"], report["jobs_done"], report["jobs_planned"]) == (19, 1, 1)
    assert report["failed"] == {}
    # Without --resume the folder is not touched again; with it, the same is said.
    assert study(survey, tmp_path / "out") == 2
    assert "--resume" in capsys.readouterr().err
    assert study(survey, tmp_path / "out", "--resume") == 1
    assert f"skipped {NEAR[6]}: " in capsys.readouterr().err


def test_a_study_with_too_many_skipped_ends_with_3_and_one_line(survey, tmp_path, capsys):
    two_without_a_band(survey)
    assert study(survey, tmp_path / "out") == 3
    reading, said = capsys.readouterr().err.splitlines()
    assert reading.startswith("pellucid: reading the galaxies of ")
    assert "2 of 20 objects had to be skipped" in said
    assert not (tmp_path / "out" / "sample.h5").exists()

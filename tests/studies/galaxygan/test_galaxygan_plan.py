"""The GalaxyGAN study before it runs: its presets, its jobs, who learns, and what each job sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("torch")

from pellucid.data.made import write_pairs
from pellucid.data.pairs import Pairs, open_made
from pellucid.data.splits import FOLDS, fold_of
from pellucid.deconvolution import METHODS
from pellucid.errors import InputError, UsageError
from pellucid.evaluation.scores import score_pair
from pellucid.settings import shipped_files
from pellucid.sky import SkyImage
from pellucid.studies.galaxygan.jobs import Job, deconvolutions, fold_for, plan, run_job
from pellucid.studies.galaxygan.preset import Cell, degradation, read_preset

SCALE = 0.396
CELLS = [(1.4, 1.0), (1.8, 2.0), (2.5, 10.0)]


@pytest.fixture(scope="module")
def store(deep_field, tmp_path_factory) -> Pairs:
    """150 small patches of the deep field: enough for every fold."""
    patches = [
        (f"{587722981736120347 + k}", deep_field.cutout(5 * k, 6 * k, 16, 16)) for k in range(150)
    ]
    path = tmp_path_factory.mktemp("store") / "many.h5"
    write_pairs(path, patches, [])
    return open_made(path)


# --- presets ---------------------------------------------------------------------------------


def test_every_preset_that_ships_can_be_read():
    shipped = shipped_files("studies", "galaxygan", "presets")
    assert {"smoke", "quick", "paper"} <= set(shipped)
    for name in shipped:
        assert read_preset(name).name == name


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("folds: 2", "fold: 2", "fold"),
        ("steps: 40", "step: 40", r"recipe\.step"),
        ("folds: 2", "folds: 11", "folds"),
        ("steps: 40", "steps: 0", r"recipe\.steps"),
        ("fwhm: [1.8]", "fwhm: []", "fwhm"),
        ("folds: 2", "folds: 2\nfirst_fold: 9", "from 9 on"),
        ("folds: 2", "gan_cells: [[1.4, 2]]", r"\[1\.4, 2\.0\] lies outside the grid"),
        ("learning_curve: null", "learning_curve: {cells: [[1.8, 5]]}", "outside the grid"),
        ("learning_curve: null", "learning_curve: {cell: [1.8, 2]}", r"learning_curve\.cell"),
        ("name: tiny", "name: [tiny", "is no YAML"),
        ("name: tiny", "name: \x00", "is no YAML"),
        ("folds: 2", "folds: 2\nbeginning: {cell: [9, 9], steps: 1}", "beginning.cell"),
        (
            "learning_curve: null",
            "learning_curve: {cells: [[1.8, 2]]}\nbeginning: {cell: [1.8, 2], steps: 1}",
            "has seen all images",
        ),
        (None, "", "preset"),
    ],
)
def test_a_bad_preset_is_refused_by_file_and_key(tiny, tmp_path, old, new, key):
    path = tmp_path / "bad.yaml"
    text = tiny.read_text()
    path.write_text(text.replace(old or text, new, 1))
    with pytest.raises(InputError, match=rf"bad\.yaml: .*{key}") as caught:
        read_preset(path)
    assert "\n" not in str(caught.value)


def test_a_preset_that_is_not_there_is_a_mistake_of_the_command():
    with pytest.raises(UsageError, match="smoke"):
        read_preset("smok")


# --- the plan --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["smoke", "quick", "paper"])
def test_a_plan_has_every_cell_and_fold_once(name):
    preset = read_preset(name)
    planned = plan(preset)
    curve = preset.learning_curve
    assert curve is not None
    expected = [
        Job("deconvolution", *cell, k) for cell in preset.cells() for k in range(preset.folds)
    ]
    expected += [
        Job("gan", *cell, k) for cell in preset.cells_of_gan() for k in range(preset.gan_folds)
    ]
    expected += [
        Job("gan", *cell, k, n)
        for cell in curve.cells
        for n in curve.images
        for k in range(curve.folds)
    ]
    assert len({job.name for job in planned}) == len(planned)
    assert sorted(job.name for job in planned) == sorted(job.name for job in expected)


def test_a_plan_may_begin_at_another_fold():
    preset = read_preset("quick").model_copy(update={"first_fold": 7, "folds": 3})
    planned = plan(preset)
    assert {job.fold for job in planned if job.kind == "deconvolution"} == {7, 8, 9}
    whole = [job for job in planned if job.kind == "gan" and job.images is None]
    assert {job.fold for job in whole} == {7, 8}
    assert {job.fold for job in planned if job.images} == {7}


def test_the_papers_plan_is_the_papers():
    preset = read_preset("paper")
    planned = plan(preset)
    assert len(preset.cells()) == 20
    assert sum(job.kind == "gan" and job.images is None for job in planned) == 200
    assert {job.images for job in planned} == {None, 5, 10, 100, 2000}


# --- who learns and who is tested ------------------------------------------------------------


def test_no_object_stands_on_both_sides_and_each_is_tested_once(store):
    preset = read_preset("paper")
    tested = []
    for fold in range(FOLDS):
        part = fold_for(store, preset, fold)
        both = np.concatenate([part.training, part.tested])
        assert_array_equal(np.sort(both), np.arange(len(store)))
        assert {fold_of(store.ids[index]) for index in part.tested} == {fold}
        tested += list(part.tested)
    assert_array_equal(np.sort(tested), np.arange(len(store)))


def test_fewer_tested_objects_are_a_part_of_all(store):
    preset = read_preset("paper")
    whole = fold_for(store, preset, 0)
    few = fold_for(store, preset.model_copy(update={"test_objects": 3}), 0)
    assert len(few.tested) == 3 < len(whole.tested)
    assert set(few.tested) < set(whole.tested)
    assert_array_equal(few.training, whole.training)


def test_a_sample_that_is_too_small_is_refused(store, deep_field, tmp_path, tiny):
    preset = read_preset(tiny)
    alone = replace(store, ids=[store.ids[1]] * 3)  # of fold 5
    for fold in (0, 5):
        with pytest.raises(InputError, match="too small"):
            fold_for(alone, preset, fold)
    patches = [
        (f"{587722981736120347 + k}", deep_field.cutout(9 * k, 0, 32, 32)) for k in range(12)
    ]
    write_pairs(tmp_path / "sample.h5", patches, [])
    with pytest.raises(InputError, match="the sample is too small"):
        run_job(tmp_path, preset, Job("gan", 1.8, 2.0, 0))
    assert not (tmp_path / "jobs").exists()


# --- the degradation, as the authors had it --------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_the_kernel_ends_at_two_sigma(cell):
    sigma = cell[0] / SCALE / 2.355
    half = int(np.ceil(2 * sigma))
    seen = blurred_point(cell)
    offset = np.arange(-15, 16)
    profile = np.where(abs(offset) <= half, np.exp(-(offset**2) / (2 * sigma**2)), 0.0)
    expected = np.outer(profile, profile) / profile.sum() ** 2
    assert_allclose(seen, expected, atol=2e-4 * expected.max())
    assert np.count_nonzero(seen > 1e-3 * expected[15, 15 - half]) == (2 * half + 1) ** 2


def blurred_point(cell: Cell) -> np.ndarray:
    """The point-spread function of a cell's degradation, 31 × 31 pixels, without its noise."""
    flux = np.zeros((3, 31, 31), np.float32)
    flux[:, 15, 15] = 1.0
    point = SkyImage(flux, bands=("g", "r", "i"), unit="nanomaggy", pixel_scale=SCALE)
    return replace(degradation(cell), noise=0.0)(point, np.random.default_rng(0)).blurred.flux[1]


@pytest.mark.parametrize("cell", CELLS)
def test_the_noise_is_one_field_at_the_authors_level(galaxy, cell):
    blurred = replace(degradation(cell), noise=0.0)(galaxy, np.random.default_rng(0)).blurred.flux
    added = degradation(cell)(galaxy, np.random.default_rng(0)).blurred.flux - blurred
    before, after = (flux[abs(flux) < 0.1].std(dtype=float) for flux in (galaxy.flux, blurred))
    sigma = np.sqrt(max((cell[1] * before) ** 2 - after**2, 1e-8))
    assert added[0].std() == pytest.approx(sigma, rel=0.06)  # of 2,464 pixels: three times 1.4 %
    for band in (1, 2):
        assert_allclose(added[band] - added[0], 0.0, atol=1e-6)


# --- deconvolution ---------------------------------------------------------------------------


def test_methods_are_told_the_kernel_that_blurred(monkeypatch, galaxy):
    told = []

    def listen(flux, stamps, constant):
        told.append(stamps)
        return flux

    monkeypatch.setitem(METHODS, "wiener", listen)
    for cell in CELLS:
        pair = degradation(cell)(galaxy, np.random.default_rng(0))
        score_pair("one", pair, {"listen": deconvolutions({})["wiener"]})
        blurred = blurred_point(cell)
        edge = (31 - told[-1].shape[1]) // 2
        assert told[-1].shape[0] == 3
        for stamp in told[-1]:
            assert_allclose(np.pad(stamp, edge), blurred, atol=1e-6)

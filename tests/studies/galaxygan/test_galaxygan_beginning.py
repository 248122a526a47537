"""Networks of a fold that begin as one that was trained on a single cell."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from pellucid.cli import main
from pellucid.data.pairs import open_made
from pellucid.data.splits import known_mask
from pellucid.networks.bundle import open_bundle
from pellucid.networks.export import read_generator
from pellucid.studies.folder import model_file
from pellucid.studies.galaxygan.jobs import plan
from pellucid.studies.galaxygan.preset import read_preset


@pytest.fixture(scope="module")
def study(galaxies, tiny, tmp_path_factory):
    """A cell on two folds, whose own steps change nothing that can be seen."""
    folder = tmp_path_factory.mktemp("beginning")
    text = tiny.read_text().replace("\nfolds: 2", "\nfolds: 1")
    text = text.replace("gan_folds: 1", "gan_folds: 2\nbeginning: {cell: [1.8, 2], steps: 30}")
    text = text.replace("  steps: 40", "  steps: 1\n  learning_rate: 1.0e-12")
    preset = folder / "preset.yaml"
    preset.write_text(text)
    words = ["study", "galaxygan", "--data", galaxies, "--preset", preset]
    assert main([*map(str, words), "--output", str(folder / "study"), "--workers", "1"]) == 0
    return folder / "study", read_preset(preset)


def test_each_network_goes_on_from_its_folds_own(study):
    folder, preset = study
    store = open_made(folder / "sample.h5")
    for job in plan(preset):
        if job.kind != "gan":
            continue
        bundle = open_bundle(model_file(folder, job.name))
        first = open_bundle(model_file(folder, f"gan-beginning-fold{job.fold}"))
        assert bundle.card.training["started_from"]["steps"] == 30
        assert "1.8" in first.card.description
        weights, before = (read_generator(each).state_dict() for each in (bundle, first))
        # The norms' own averages see the new images; what is learned is as it was.
        for name, value in weights.items():
            if "running" not in name and "num_batches" not in name:
                assert value.allclose(before[name], atol=1e-5), name
        own, other = (known_mask(each.card.training["trained_ids"], store.ids)
                      for each in (bundle, first))  # fmt: skip
        assert (own == other).all()


def test_folds_begin_apart_and_the_tables_tell_of_it(study):
    folder, _ = study
    networks = [open_bundle(model_file(folder, f"gan-beginning-fold{fold}")) for fold in (0, 1)]
    assert networks[0].sha256 != networks[1].sha256
    page = (folder / "results" / "tables.md").read_text()
    assert "1 steps of 2, from a network of 1.8″ and 2 σ with 30" in page

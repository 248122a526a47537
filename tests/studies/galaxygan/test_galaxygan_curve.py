"""Table 1d of several cells, and the cells that figure 3 shows."""

from __future__ import annotations

import json

import pytest

from pellucid.studies.galaxygan.figures import _spread
from pellucid.studies.galaxygan.jobs import GAN, Job, plan, score_file
from pellucid.studies.galaxygan.preset import read_preset
from pellucid.studies.galaxygan.scores import Scores
from pellucid.studies.galaxygan.tables import METRICS, markdown


@pytest.fixture
def curve():
    return read_preset("curve")


def test_each_cell_has_a_line_and_the_steps_that_it_took(curve, tmp_path):
    jobs = [job for job in plan(curve) if job.kind == GAN]
    (tmp_path / "jobs").mkdir()
    for number, job in enumerate(jobs):
        found = {
            "ids": ["a", "b"],
            "settings": {"trained_on": job.images or 5000, "steps": 250 * (1 + number)},
            "scores": {GAN: {key: [30.0 + number, 32.0 + number] for key in METRICS}},
        }
        score_file(tmp_path, job).write_text(json.dumps(found))
    page = markdown(curve, Scores(tmp_path, jobs))
    table = page[page.index("## Table 1d") :].split("## ")[1]
    lines = [line for line in table.splitlines() if line.startswith("| 1.")]
    assert [line.split(" | ")[0] for line in lines] == ["| 1.8″, 2 σ", "| 1.4″, 10 σ"]
    steps = [line for line in table.splitlines() if line.startswith("| steps")]
    assert len(steps) == 2
    assert "8 validations after its best one" in table
    place = jobs.index(Job("gan", 1.8, 2.0, 0, 5))
    assert f"{31 + place:.2f}" in lines[0].split(" | ")[1]
    assert steps[0].split(" | ")[1] == f"{250 * (1 + place):,}"


@pytest.mark.parametrize(("cells", "count"), [(20, 6), (5, 6), (1, 5), (2, 3)])
def test_the_rows_of_a_kind_are_apart(cells, count):
    shown = _spread([(float(k), 1.0) for k in range(cells)], count)
    assert len(shown) == count
    assert {0.0, float(cells - 1)} <= {fwhm for fwhm, _ in shown}
    pairs = zip(shown[::2], shown[1::2], strict=False)
    assert all(late[0] > early[0] for early, late in pairs) or cells < 5

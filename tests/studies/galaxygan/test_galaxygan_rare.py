"""The GAN's lead object by object, and whether galaxies that are rare are restored worse."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pellucid.studies.galaxygan.examples import unlikeness
from pellucid.studies.galaxygan.jobs import DEGRADED, GAN, plan, score_file
from pellucid.studies.galaxygan.preset import read_preset
from pellucid.studies.galaxygan.rare import rare_table
from pellucid.studies.galaxygan.scores import Scores
from pellucid.studies.galaxygan.tables import METRICS, markdown

CELL = (1.8, 2.0)
COUNT = 40
#: Objects of a fold from the worst to the best, in dB.
PSNR = np.linspace(30.0, 34.0, COUNT)
OTHERS = {DEGRADED: PSNR - 9.0, "wiener": PSNR - 2.0, "blind": np.full(COUNT, 31.5)}


@pytest.fixture
def scores(tmp_path):
    """One fold of one cell, whose blind deconvolution comes second in the mean."""
    preset = read_preset("grid")
    (tmp_path / "jobs").mkdir()
    jobs = [job for job in plan(preset) if (job.fwhm, job.noise) == CELL and job.fold == 0]
    for job in jobs:
        made = {GAN: PSNR} if job.kind == GAN else OTHERS
        found = {
            "ids": [f"g{k}" for k in range(COUNT)],
            "settings": {},
            "scores": {who: dict.fromkeys(METRICS, some.tolist()) for who, some in made.items()},
        }
        score_file(tmp_path, job).write_text(json.dumps(found))
    return Scores(tmp_path, jobs)


def test_the_lead_is_over_the_best_in_the_mean_and_counts_who_wins(scores):
    best, leads = scores.leads(CELL)
    assert best == "blind"
    assert leads[0] == pytest.approx(PSNR - 31.5)
    page = markdown(read_preset("grid"), scores)
    won = 100 * np.mean(PSNR > 31.5)
    assert f"| 1.8″, 2 σ | blind | +0.50 | {won:.0f} % | {COUNT} |" in page


@pytest.mark.parametrize(("sign", "rank"), [(1.0, "1.00"), (-1.0, "−1.00")])
def test_a_trend_with_rarity_is_told(scores, sign, rank):
    page = rare_table(scores, CELL, {0: 1.0 + sign * np.arange(COUNT) / COUNT})
    assert f"the distance with PSNR {rank} (by chance 0.00) and the lead {rank} (" in page
    assert "the 4 objects with the lowest PSNR" in page
    rows = [line.split(" | ") for line in page.splitlines() if line.endswith(f"| {COUNT // 4} |")]
    psnr = [float(row[1].split(" ")[0]) for row in rows]
    assert len(psnr) == 4
    assert psnr == sorted(psnr, reverse=sign < 0)
    quarter = PSNR[: COUNT // 4].mean()
    _, mean, lead, worst, _ = rows[0 if sign > 0 else -1]
    assert mean.startswith(f"{quarter:.2f} ±")
    assert float(lead.replace("−", "-")) == pytest.approx(quarter - 31.5, abs=0.005)
    assert worst == "4"


def test_what_was_not_measured_has_no_part(scores):
    key = next(key for key in scores.folds if key.restorer == GAN)
    scores.folds[key][0]["psnr"][:3] = np.nan
    page = rare_table(scores, CELL, {0: np.arange(COUNT) / COUNT})
    assert "nan" not in page
    assert sum(int(line.split(" | ")[-1].strip(" |")) for line in page.splitlines()[-4:]) == 37
    assert f"{100 * np.mean(PSNR[3:] > 31.5):.0f} % | 37 |" in markdown(read_preset("grid"), scores)
    assert rare_table(scores, (1.4, 1.0), {}) == ""


def test_what_the_training_has_is_nearer_than_what_it_never_saw():
    rng = np.random.default_rng(1)
    shapes = rng.normal(size=(3, 48)).astype(np.float32)
    training = rng.normal(size=(300, 3)).astype(np.float32) @ shapes
    strange = 9.0 * shapes[:1]
    distance = unlikeness(np.concatenate([training[:20], strange]), training)
    assert distance[-1] > 3.0 * distance[:-1].max()

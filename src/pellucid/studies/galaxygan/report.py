"""What a study leaves for a reader: tables, figures, and how they were made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pellucid.data.pairs import open_made
from pellucid.errors import InputError
from pellucid.evaluation.tables import csv_text, json_text
from pellucid.sky import galaxygan_noise, robust_background
from pellucid.studies.folder import write_tables
from pellucid.studies.galaxygan.figures import draw_figures, shown_cell
from pellucid.studies.galaxygan.jobs import plan
from pellucid.studies.galaxygan.preset import Preset
from pellucid.studies.galaxygan.rare import how_unlike, rare_table
from pellucid.studies.galaxygan.scores import Scores
from pellucid.studies.galaxygan.tables import markdown, rows

#: Objects on which the sample's noise is measured.
MEASURED = 200


def write_results(folder: Path) -> Path:
    """Tables and figures of what is done of a study, in ``<folder>/results``."""
    try:
        record = json.loads((folder / "study.json").read_text())
        sample = json.loads((folder / "sample.json").read_text())
        preset = Preset.model_validate(record["preset"])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{folder}: holds no study ({error})") from error
    scores = Scores(folder, plan(preset))
    table = rows(preset, scores)
    shown, unlike, rare = shown_cell(preset, scores), {}, ""
    if shown is not None:
        unlike = how_unlike(open_made(folder / "sample.h5"), preset, scores, shown)
        rare = rare_table(scores, shown, unlike)
    run = _run(preset, record, sample, scores) | {"noise": _noise(folder)}
    texts = {
        "tables.md": "\n".join(part for part in (markdown(preset, scores), rare) if part),
        "tables.csv": csv_text(table),
        "tables.json": json_text(table),
        "run.json": json_text(run),
    }
    output = write_tables(folder, texts)
    draw_figures(folder, preset, scores, unlike, output)
    return output


def _noise(folder: Path) -> dict[str, float]:
    """Median noise of the originals in their unit: by the authors' rule, and of the sky alone."""
    store = open_made(folder / "sample.h5")
    places = np.unique(np.linspace(0, len(store) - 1, MEASURED).astype(int))
    images = [store.flux(int(place)) for place in places]
    return {
        "authors_rule": round(float(np.median([galaxygan_noise(flux) for flux in images])), 5),
        "sky": round(float(np.median([robust_background(flux).sigma for flux in images])), 5),
    }


def _run(preset: Preset, record: dict, sample: dict, scores: Scores) -> dict:
    """Configuration, sample, machines and time."""
    machines = [job["machine"] for job in scores.records]
    ends = [job["ended"] for job in scores.records]
    seconds = {
        kind: round(sum(job["seconds"] for job in scores.records if job["job"]["kind"] == kind))
        for kind in ("gan", "deconvolution")
    }
    return {
        **record,
        "sample": record["sample"] | sample,
        "jobs": {"planned": len(plan(preset)), "done": len(scores.records)},
        "seconds_of_all_jobs": seconds,
        "ended": [min(ends), max(ends)] if ends else [],
        "machines": [some for k, some in enumerate(machines) if some not in machines[:k]],
    }

"""What a study leaves for a reader: tables, figures, and how they were made."""

from __future__ import annotations

import json
from pathlib import Path

from pellucid.errors import InputError
from pellucid.files import make_folder, write_atomically
from pellucid.studies.galaxygan.figures import draw_figures
from pellucid.studies.galaxygan.jobs import plan
from pellucid.studies.galaxygan.preset import Preset
from pellucid.studies.galaxygan.scores import Scores
from pellucid.studies.galaxygan.tables import as_csv, as_json, markdown, rows


def write_results(folder: Path) -> Path:
    """Tables and figures of what is done of a study, in ``<folder>/results``.

    Raises
    ------
    InputError
        When the folder holds no study, or a file of it is damaged.
    """
    try:
        record = json.loads((folder / "study.json").read_text())
        sample = json.loads((folder / "sample.json").read_text())
        preset = Preset.model_validate(record["preset"])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{folder}: holds no study ({error})") from error
    scores = Scores(folder, plan(preset))
    output = make_folder(folder / "results")
    table = rows(preset, scores)
    texts = {
        "tables.md": markdown(preset, scores),
        "tables.csv": as_csv(table),
        "tables.json": as_json(table),
        "run.json": json.dumps(_run(preset, record, sample, scores), indent=1) + "\n",
    }
    for name, text in texts.items():
        write_atomically(output / name, lambda file, text=text: file.write(text.encode()), True)
    draw_figures(folder, preset, scores, output)
    return output


def _run(preset: Preset, record: dict, sample: dict, scores: Scores) -> dict:
    """Configuration, sample, machines and time."""
    done = scores.records
    machines: list[dict] = []
    for each in done:
        if each["machine"] not in machines:
            machines.append(each["machine"])
    seconds = {
        kind: round(sum(each["seconds"] for each in done if each["job"]["kind"] == kind))
        for kind in ("gan", "deconvolution")
    }
    return {
        **record,
        "objects": sample["objects"],
        "skipped": sample["skipped"],
        "jobs": {"planned": len(plan(preset)), "done": len(done)},
        "seconds_of_all_jobs": seconds,
        "ended": [min(ends), max(ends)] if (ends := [each["ended"] for each in done]) else [],
        "machines": machines,
    }

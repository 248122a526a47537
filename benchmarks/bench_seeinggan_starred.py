"""STARRED on the galaxies that a SeeingGAN study tested, beside what the study compares.

    pip install starred-astro
    python benchmarks/bench_seeinggan_starred.py STUDY DATA --output FOLDER

STUDY is a finished study of the archives in DATA. STARRED is given the pairs that the study's
deconvolutions are given, with the measured PSF, and judged by the same scoring. FOLDER gets
starred.md, and scores.json with each galaxy; those that are there already are not restored again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from with_starred import Starred

from pellucid import gaussian_psf
from pellucid.evaluation.scores import score_pair
from pellucid.evaluation.tables import finite, markdown_table
from pellucid.files import make_folder, write_content
from pellucid.studies.folder import RECORD
from pellucid.studies.seeinggan.jobs import MEASURED, SEEINGGAN, SHARP_FWHM, scoring
from pellucid.studies.seeinggan.order import order_table
from pellucid.studies.seeinggan.preset import Preset
from pellucid.studies.seeinggan.sample import read_sample, real_store
from pellucid.studies.seeinggan.scores import Scores, read_scores, values
from pellucid.studies.seeinggan.tables import NAMES, TABLE_3

STARRED = "starred"
CALLED = {**NAMES, STARRED: "STARRED"}
COUNTED = ("missed", "ghosts")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--count", type=int, help="so many galaxies; without it all")
    options = parser.parse_args()
    output = make_folder(options.output)
    kept = output / "scores.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    preset = Preset.model_validate(json.loads((options.study / RECORD).read_text())["preset"])
    store, sample = real_store(options.data, options.study), read_sample(options.study)
    starred = Starred(SHARP_FWHM / store.pixel_scale)
    for place in sample.places("tested")[: options.count]:
        name, pair = store.ids[place], store.pair(place)
        if name in found:
            continue
        if pair.sharp.psf is None:
            psf = gaussian_psf(SHARP_FWHM, store.pixel_scale)
            pair = replace(pair, sharp=pair.sharp.with_flux(pair.sharp.flux, psf=psf))
        judged = scoring(preset, *MEASURED)
        scored = score_pair(name, pair, {STARRED: starred}, judged, store.blurred_scale)
        found[name] = finite(scored.metrics)[STARRED]
        write_content(kept, json.dumps(found, indent=1), overwrite=True)
    recorded, _ = read_scores(options.study)
    scores = {name: {**recorded[name], STARRED: measured(found[name])} for name in found}
    write_content(output / "starred.md", page(scores), overwrite=True)


def measured(row: dict[str, float | None]) -> dict[str, float]:
    return {metric: np.nan if value is None else value for metric, value in row.items()}


def page(scores: Scores) -> str:
    """What each restorer reaches on the same galaxies, and by how much SeeingGAN leads STARRED."""
    rows = []
    for name in next(iter(scores.values())):
        numbers = [
            (values(scores, name, metric), digits) for metric, (_, digits) in TABLE_3.items()
        ]
        cells = [f"{np.nanmean(some):.{d}f} ± {np.nanstd(some):.{d}f}" for some, d in numbers]
        counts = [np.nansum(values(scores, name, f"sources_{kind}")) for kind in COUNTED]
        rows.append([CALLED[name], *cells, *(f"{count:.0f}" for count in counts)])
    headings = ["", *(title for title, _ in TABLE_3.values()), *COUNTED]
    blank = np.full(len(scores), np.nan)
    leads = order_table(scores, blank, blank, SEEINGGAN, {STARRED: CALLED[STARRED]})
    title = f"# STARRED beside SeeingGAN, {len(scores)} galaxies (mean ± standard deviation)"
    return f"{title}\n\n{markdown_table(headings, rows)}\n\n{markdown_table(*leads)}\n"


if __name__ == "__main__":
    main()

"""What the study measures of its model, each once, and the page of tables that tells it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field

from pellucid.data.splits import validation_mask
from pellucid.data.truth import TruthStore
from pellucid.files import write_content
from pellucid.networks.bundle import open_bundle
from pellucid.restoration import load_restorer
from pellucid.restoration.bandwise import BandwiseRestorer
from pellucid.restoration.samples import SamplingRestorer
from pellucid.studies.folder import do_once
from pellucid.studies.observed import euclid_sources, has_fields, hsc_galaxies
from pellucid.studies.pellucid.cells import cells_page, measure_cells
from pellucid.studies.pellucid.drawn import drawn_page, measure_drawn
from pellucid.studies.pellucid.forms import forms_page, measure_forms
from pellucid.studies.pellucid.ghosts import ghosts_page, measure_ghosts
from pellucid.studies.pellucid.mixture import held_back_mixture
from pellucid.studies.pellucid.pictures import draw_gallery
from pellucid.studies.pellucid.real import measure_real, real_page
from pellucid.studies.pellucid.unseen import measure_unseen, unseen_page
from pellucid.studies.pellucid.views import intervals_page, measure_views, views_page
from pellucid.studies.truths import has_composites

RESULTS = "results"


class Measures(BaseModel, extra="forbid", frozen=True):
    """On how many held-back objects it is measured, and on how many skies without any.

    Parameters
    ----------
    composites
        In each of GalaxyGAN's cells.
    galaxies
        In each view, while all others calibrate the uncertainty; ``unseen`` of them behind each
        kernel that training never drew.
    samples
        Drawn of each of these galaxies.
    planted
        With false detail added to their restorations.
    blank
        Fields of each kind of noise.
    ordinary, odd
        Galaxies, and objects of each kind that is none, whose forms the model's card learns from;
        a fifth of so many galaxies, and a quarter of so many others, are for the test.
    """

    composites: Annotated[int, Field(gt=0)] = 50
    galaxies: Annotated[int, Field(gt=0)] = 25
    samples: Annotated[int, Field(gt=1)] = 8
    unseen: Annotated[int, Field(gt=0)] = 16
    planted: Annotated[int, Field(gt=0)] = 8
    blank: Annotated[int, Field(gt=0)] = 6
    ordinary: Annotated[int, Field(gt=9)] = 2000
    odd: Annotated[int, Field(gt=3)] = 160


def measure_model(
    measures: Measures,
    data: Path,
    output: Path,
    truth: TruthStore,
    model: Path,
    sampler: Path | None,
    say: Callable[[str], None],
) -> Path:
    """Measure what is not measured yet; returns the page, ``OUTPUT/results/tables.md``."""
    restorer = load_restorer(model)
    drawing = load_restorer(sampler) if sampler else None
    results = output / RESULTS

    def cells() -> dict[str, Any]:
        return {"cells": measure_cells(data, restorer, measures.composites)}

    def views() -> dict[str, Any]:
        rows, intervals = measure_views(truth, watched(truth, measures.galaxies), restorer)
        return {"views": rows, "intervals": intervals}

    def real() -> dict[str, Any]:
        seen = [
            *(hsc_galaxies(data, output / "work") if has_fields(data) else ()),
            *euclid_sources(data, output / "work"),
        ]
        return {"real": measure_real(seen, restorer)}

    def unseen() -> dict[str, Any]:
        chosen = watched(truth, measures.unseen)
        return {"unseen": measure_unseen(truth, chosen, restorer)}

    def ghosts() -> dict[str, Any]:
        chosen = watched(truth, measures.planted)
        return {"ghosts": measure_ghosts(truth, chosen, restorer, measures.blank)}

    def forms() -> dict[str, Any]:
        galaxies = held_back_mixture(truth, measures.ordinary // 5, 1).tolist()
        known = open_bundle(model).card.forms
        return {"forms": measure_forms(truth, galaxies, restorer, known, measures.odd // 4)}

    def drawn() -> dict[str, Any]:
        assert isinstance(drawing, BandwiseRestorer)
        both = SamplingRestorer(restorer, drawing, measures.samples)
        return {"drawn": measure_drawn(truth, watched(truth, measures.galaxies), both)}

    jobs: dict[str, Callable[[], dict[str, Any]]] = {
        "views": views,
        "real": real,
        "ghosts": ghosts,
        "unseen": unseen,
        "forms": forms,
    }
    if has_composites(data):
        jobs = {"cells": cells, **jobs}
    if drawing is not None:
        jobs["drawn"] = drawn
    found: dict[str, Any] = {}
    for name, do in jobs.items():
        done = results / f"{name}.json"
        if not done.exists():
            say(f"measuring the {name}")
        do_once(output, name, done, do)
        if done.exists():  # another worker may be at it
            found |= json.loads(done.read_text())
    parts = []
    if "cells" in found:
        title = "## GalaxyGAN's cells: mean stretched PSNR in dB on {} composites"
        parts.append(title.format(found["cells"][0]["objects"]))
        parts.append(cells_page(found["cells"], restorer.name))
    if "views" in found:
        count = len({row["id"] for row in found["views"]})
        parts.append(f"## Views of {count} galaxies: flux, colours, shapes")
        parts.append(views_page(found["views"]))
        parts.append("## True pixels within the uncertainty, per cent")
        parts.append(intervals_page(found["intervals"]))
    if "drawn" in found:
        parts.append(f"## {measures.samples} samples of each")
        parts.append(drawn_page(found["drawn"], measures.samples))
    if found.get("real"):
        parts += ["## Skies that were seen twice", real_page(found["real"])]
    if "ghosts" in found:
        parts += ["## What is not there", ghosts_page(found["ghosts"])]
    if "unseen" in found:
        parts += ["## Kernels never seen in training", unseen_page(found["unseen"])]
    if "forms" in found:
        parts += ["## Objects of a form that training did not know", forms_page(found["forms"])]
    for figure in draw_gallery(truth, restorer, results):
        say(f"{figure}: to be looked at")
    page = results / "tables.md"
    write_content(page, "\n\n".join(parts) + "\n", overwrite=True)
    return page


def watched(truth: TruthStore, count: int) -> list[int]:
    """Held-back objects with structure, the cleaner half, whose own noise drowns at every depth.

    The composites are none of them.
    """
    return _clean(truth)[:count]


def calibrating(truth: TruthStore, measured: int) -> list[int]:
    """All other objects of that kind, where so many of them are measured on."""
    return _clean(truth)[measured:]


def _clean(truth: TruthStore) -> list[int]:
    structured = np.array([not name.startswith("sdss/") for name in truth.ids])
    held_back = np.flatnonzero(validation_mask(truth.ids) & structured)
    clean = held_back[np.argsort(truth.noise[held_back])][: -(-len(held_back) // 2)]
    return [int(index) for index in np.random.default_rng(0).permutation(np.sort(clean))]

"""How near each restoration of each galaxy comes to what HST saw."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.studies.folder import undamaged

FILE = "scores.json"

#: Galaxy to restorer to metric.
Scores = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True, eq=False)
class Second:
    """The second experiment: its scores, then of each galaxy signal over noise and radius."""

    scores: Scores
    signal: NDArray[np.float64]
    radius: NDArray[np.float64]
    kinds: tuple[str, ...]


def read_scores(folder: Path) -> tuple[Scores, dict[str, Any]]:
    """The scores of a finished study, NaN where there is none, and what was chosen for them."""
    path = folder / FILE
    with undamaged(path):
        content = json.loads(path.read_text())
        return _measured(content["scores"]), content["settings"]


def read_second(folder: Path) -> Second | None:
    """The second experiment of a finished study, where its data were there."""
    path = folder / FILE
    with undamaged(path):
        rows = json.loads(path.read_text()).get("euclid", [])
        scores = _measured({row["id"]: row["scores"] for row in rows})
        signal, radius = (np.array([row[key] for row in rows]) for key in ("signal", "radius"))
        kinds = tuple(row["kind"] for row in rows)
    return Second(scores, signal, radius, kinds) if rows else None


def read_layers(folder: Path) -> Scores:
    """Figure 6's networks on each galaxy of a finished study; empty where none was measured."""
    path = folder / FILE
    with undamaged(path):
        return _measured(json.loads(path.read_text()).get("layers", {}))


def _measured(scores: Scores) -> Scores:
    """NaN for what could not be measured."""
    for rows in scores.values():
        for row in rows.values():
            row |= {metric: math.nan for metric, value in row.items() if value is None}
    return scores


def rows(
    scores: Scores, second: Second | None = None, layers: Scores | None = None
) -> list[dict[str, Any]]:
    """One row an experiment, galaxy, restorer and metric."""
    parts = {"hsc": scores, "euclid": second.scores if second else {}, "layers": layers or {}}
    return [
        {"experiment": part, "id": name, "restorer": restorer, "metric": metric, "value": value}
        for part, each in parts.items()
        for name, some in each.items()
        for restorer, metrics in some.items()
        for metric, value in metrics.items()
    ]


def values(scores: Scores, restorer: str, metric: str) -> NDArray[np.float64]:
    """A metric of every galaxy, shape (galaxy,)."""
    # A study that was finished before has not all that is measured now.
    return np.array([rows[restorer].get(metric, math.nan) for rows in scores.values()])

"""How near each restoration of each galaxy comes to what HST saw."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.studies.folder import undamaged

FILE = "scores.json"

#: Galaxy to restorer to metric.
Scores = dict[str, dict[str, dict[str, float]]]


def read_scores(folder: Path) -> tuple[Scores, dict[str, Any]]:
    """The scores of a finished study, NaN where there is none, and what was chosen for them."""
    path = folder / FILE
    with undamaged(path):
        content = json.loads(path.read_text())
        for rows in content["scores"].values():
            for row in rows.values():
                row |= {metric: math.nan for metric, value in row.items() if value is None}
        return content["scores"], content["settings"]


def values(scores: Scores, restorer: str, metric: str) -> NDArray[np.float64]:
    """A metric of every galaxy, shape (galaxy,)."""
    return np.array([rows[restorer][metric] for rows in scores.values()])

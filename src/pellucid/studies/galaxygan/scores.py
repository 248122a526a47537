"""What the finished jobs measured, averaged within folds and then over them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.studies.folder import undamaged
from pellucid.studies.galaxygan.jobs import DEGRADED, GAN, Job, score_file
from pellucid.studies.galaxygan.preset import Cell


class Key(NamedTuple):
    """A row of the results: who restored which cell, for a network trained on how many images."""

    restorer: str
    fwhm: float
    noise: float
    images: int | None = None


class Mean(NamedTuple):
    """A metric over folds: the mean of the folds' means, and its standard error, NaN for one."""

    mean: float
    error: float
    folds: int
    objects: int


#: Fold to metric to the values of its objects, NaN where there is none.
Folds = dict[int, dict[str, NDArray[np.float64]]]


class Scores:
    """The scores of every finished job of a study."""

    def __init__(self, folder: Path, jobs: Iterable[Job]) -> None:
        self.folds: dict[Key, Folds] = {}
        self.ids: dict[int, list[str]] = {}
        #: What each finished job chose or was given.
        self.settings: dict[Job, dict[str, Any]] = {}
        #: Where, when and for how long it ran.
        self.records: list[dict[str, Any]] = []
        for job in jobs:
            path = score_file(folder, job)
            if not path.exists():
                continue
            with undamaged(path):
                record = json.loads(path.read_text())
                self.ids[job.fold] = record.pop("ids")
                self.settings[job] = record.pop("settings")
                for restorer, metrics in record.pop("scores").items():
                    key = Key(restorer, job.fwhm, job.noise, job.images)
                    self.folds.setdefault(key, {})[job.fold] = {
                        name: np.array(values, dtype=float) for name, values in metrics.items()
                    }
            self.records.append(record)

    def metrics(self) -> list[str]:
        """Names of all metrics."""
        every = (name for folds in self.folds.values() for some in folds.values() for name in some)
        return list(dict.fromkeys(every))

    def of_cell(self, cell: Cell) -> dict[str, Folds]:
        """Each restorer of a cell, the GAN as trained on all images."""
        return {
            key.restorer: folds
            for key, folds in self.folds.items()
            if (key.fwhm, key.noise) == cell and key.images is None
        }

    def shared_folds(self, cell: Cell) -> list[int]:
        """The folds on which every restorer of a cell was scored."""
        scored = list(self.of_cell(cell).values())
        return sorted(set(scored[0]).intersection(*scored)) if scored else []

    def mean(self, key: Key, metric: str, folds: Iterable[int] | None = None) -> Mean | None:
        """A metric over all folds scored, or some of them; None where nothing was scored.

        An object counts where the metric could be measured for every restorer of its cell, so
        that a failure does not make its method look better.
        """
        scored = self.folds.get(key, {})
        rivals = [scored, *self.of_cell((key.fwhm, key.noise)).values()]
        good = []
        for fold in scored if folds is None else folds:
            if fold in scored:
                values = [some[fold][metric] for some in rivals if fold in some]
                good.append(scored[fold][metric][np.isfinite(values).all(axis=0)])
        means = [float(some.mean()) for some in good if some.size]
        return mean_of(means, sum(some.size for some in good)) if means else None

    def leads(
        self, cell: Cell, metric: str = "psnr"
    ) -> tuple[str, dict[int, NDArray[np.float64]]] | None:
        """The best deconvolution of a cell on the GAN's folds, and the GAN's lead by object."""
        gan = self.folds.get(Key(GAN, *cell), {})
        means = {
            name: mean.mean
            for name in self.of_cell(cell)
            if name not in (GAN, DEGRADED)
            and (mean := self.mean(Key(name, *cell), metric, gan)) is not None
        }
        if not means:
            return None
        best = max(means, key=lambda name: means[name])
        rival = self.folds[Key(best, *cell)]
        return best, {
            fold: gan[fold][metric] - rival[fold][metric] for fold in gan if fold in rival
        }


def mean_of(folds: Sequence[float], objects: int) -> Mean:
    """The mean of the folds' means, with its error."""
    spread = float(np.std(folds, ddof=1)) if len(folds) > 1 else math.nan
    return Mean(float(np.mean(folds)), spread / math.sqrt(len(folds)), len(folds), objects)

"""Restorers against each other on the same pairs: the one loop that scores them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.data.pairs import Pairs
from pellucid.data.splits import known_mask, validation_mask
from pellucid.errors import PellucidError, UsageError
from pellucid.metrics import DEFAULT, measure
from pellucid.restoration import NeuralRestorer, Restoration, Restorer
from pellucid.sky import PSF, Pair, SkyImage
from pellucid.stretch import Stretch

#: The degraded image itself, which every restorer has to beat.
UNTOUCHED = "degraded"

#: Restorer to metric to number, of one object.
Metrics = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Untouched:
    """The restorer that changes nothing."""

    name: str = UNTOUCHED

    def __call__(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Restoration:
        return Restoration(image)


@dataclass(frozen=True)
class Scoring:
    """How a restoration is compared with the truth.

    Parameters
    ----------
    metrics
        Names in `pellucid.metrics.METRICS`.
    stretch
        See `pellucid.metrics.measure`.
    margin
        Pixels on each side that are restored but not scored.
    whole_psf
        Let restorers undo the whole PSF of the blurred image, where they would be told the blur
        between it and the sharp one.
    """

    metrics: Sequence[str] = DEFAULT
    stretch: Stretch | None = None
    margin: int = 0
    whole_psf: bool = False


@dataclass(frozen=True, eq=False)
class Scored:
    """What restorers made of one object, and the numbers of each."""

    id: str
    pair: Pair
    restored: Mapping[str, Restoration]
    metrics: Metrics


@dataclass(frozen=True)
class Summary:
    """A metric of one restorer over all objects.

    Parameters
    ----------
    mean, error
        Mean and its standard error over the objects where the metric is finite.
    count
        How many objects these are.
    """

    mean: float
    error: float
    count: int


Summaries = dict[str, dict[str, Summary]]


def score_pair(
    name: str,
    pair: Pair,
    restorers: Mapping[str, Restorer],
    scoring: Scoring = Scoring(),
    blurred_scale: float | None = None,
) -> Scored:
    """Restore and score one object; ``blurred_scale`` is as in `pellucid.data.pairs.Pairs`."""
    truth = inner(pair.sharp, scoring.margin)
    restored: dict[str, Restoration] = {}
    metrics: dict[str, dict[str, float]] = {}
    for who, restorer in restorers.items():
        try:
            restored[who] = restorer(pair.blurred, None if scoring.whole_psf else pair.blur)
            metrics[who] = measure(
                inner(restored[who].image, scoring.margin),
                truth,
                pair.blurred,
                scoring.stretch,
                scoring.metrics,
                blurred_scale,
            )
        except PellucidError as error:
            raise type(error)(f"object {name}, {who}: {error}") from error
    return Scored(name, pair, restored, metrics)


def score_pairs(
    store: Pairs,
    indices: Sequence[int] | NDArray[np.integer],
    restorers: Mapping[str, Restorer],
    scoring: Scoring = Scoring(),
    seed: int = 0,
) -> Iterator[Scored]:
    """Restore and score objects of a store, one after the other."""
    for index in map(int, indices):
        pair, name = store.pair(index, seed), store.ids[index]
        try:
            yield score_pair(name, pair, restorers, scoring, store.blurred_scale)
        except PellucidError as error:
            raise type(error)(f"{store.path}: {error}") from error


def inner(image: SkyImage, margin: int) -> SkyImage:
    """The image without its margin, pixels."""
    if not margin:
        return image
    _, height, width = image.shape
    return image.cutout(margin, margin, height - 2 * margin, width - 2 * margin)


def summarise(scores: Iterable[Metrics]) -> Summaries:
    """For each restorer and metric: the mean over objects and its standard error."""
    rows = list(scores)
    return {
        restorer: {
            metric: _summary(np.array([row[restorer][metric] for row in rows])) for metric in first
        }
        for restorer, first in rows[0].items()
    }


def choose_part(store: Pairs, restorers: Iterable[Restorer]) -> str:
    """``"all"`` objects, unless a model was trained on one of them: then ``"validation"``."""
    return "validation" if _trained_on(store, restorers).any() else "all"


def objects_of(store: Pairs, part: str, restorers: Iterable[Restorer] = ()) -> NDArray[np.integer]:
    """Positions of the objects of a part: ``"all"``, or those held back for ``"validation"``.

    Held back is what none of the models was trained on; where none knows the store, the fold that
    training would hold back.
    """
    trained = _trained_on(store, restorers)
    held_back = ~trained if trained.any() else validation_mask(store.ids)
    chosen = np.flatnonzero(held_back) if part == "validation" else np.arange(len(store))
    if not len(chosen):
        raise UsageError(f"{store.path}: the {part} part holds no object")
    return chosen


def _trained_on(store: Pairs, restorers: Iterable[Restorer]) -> NDArray[np.bool_]:
    """True for each object that one of the models knows, shape (object,)."""
    known = np.zeros(len(store), dtype=bool)
    for restorer in restorers:
        if isinstance(restorer, NeuralRestorer):
            known |= known_mask(restorer.card.training.get("trained_ids", ""), store.ids)
    return known


def _summary(values: NDArray[np.float64]) -> Summary:
    good = values[np.isfinite(values)]
    if not good.size:
        return Summary(float("nan"), float("nan"), 0)
    error = good.std(ddof=1) / np.sqrt(good.size) if good.size > 1 else float("nan")
    return Summary(float(good.mean()), float(error), int(good.size))

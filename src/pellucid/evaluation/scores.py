"""Restorers against each other on the same pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.data.pairs import Pairs
from pellucid.data.splits import known_mask, validation_mask
from pellucid.errors import PellucidError, UsageError
from pellucid.metrics import DEFAULT, measure
from pellucid.networks.bundle import Card
from pellucid.restoration import NeuralRestorer, Restorer

#: The degraded image itself, which every restorer has to beat.
UNTOUCHED = "degraded"


@dataclass(frozen=True)
class Score:
    """What one restorer made of one object: a number a metric."""

    restorer: str
    id: str
    metrics: Mapping[str, float]


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


def score_pairs(
    store: Pairs,
    indices: Sequence[int] | NDArray[np.integer],
    restorers: Sequence[Restorer],
    seed: int = 0,
    metrics: Sequence[str] = DEFAULT,
) -> Iterator[list[Score]]:
    """Scores of each object in turn: of the degraded image, then of every restorer.

    Each restorer is told the blur, where the pair knows it.
    """
    for index in indices:
        pair = store.pair(int(index), seed)
        sharp, blurred = pair.sharp, pair.blurred
        name = store.ids[int(index)]
        scores = [Score(UNTOUCHED, name, measure(blurred, sharp, blurred, metrics=metrics))]
        for restorer in restorers:
            try:
                restored = restorer(blurred, pair.blur).image
            except PellucidError as error:
                raise type(error)(f"{store.path}: object {name}: {error}") from error
            scores.append(
                Score(restorer.name, name, measure(restored, sharp, blurred, metrics=metrics))
            )
        yield scores


def summarise(scores: Sequence[Score]) -> dict[str, dict[str, Summary]]:
    """For each restorer and metric: the mean over objects and its standard error."""
    table: dict[str, dict[str, Summary]] = {}
    for restorer in dict.fromkeys(score.restorer for score in scores):
        rows = [score.metrics for score in scores if score.restorer == restorer]
        table[restorer] = {
            metric: _summary(np.array([row[metric] for row in rows])) for metric in rows[0]
        }
    return table


def choose_part(store: Pairs, restorers: Sequence[Restorer]) -> str:
    """``"all"`` objects, unless a model was trained on one of them: then ``"validation"``."""
    return "validation" if _trained_on(store, restorers).any() else "all"


def objects_of(store: Pairs, part: str, restorers: Sequence[Restorer] = ()) -> NDArray[np.integer]:
    """Positions of the objects of a part: ``"all"``, or those held back for ``"validation"``.

    Held back is what none of the models was trained on; where none knows the store, the fold that
    training would hold back.

    Raises
    ------
    UsageError
        When it holds no object.
    """
    trained = _trained_on(store, restorers)
    held_back = ~trained if trained.any() else validation_mask(store.ids)
    chosen = np.flatnonzero(held_back) if part == "validation" else np.arange(len(store))
    if not len(chosen):
        raise UsageError(f"{store.path}: the {part} part holds no object")
    return chosen


def _trained_on(store: Pairs, restorers: Sequence[Restorer]) -> NDArray[np.bool_]:
    """True for each object that one of the models knows, shape (object,)."""
    cards: list[Card] = [each.card for each in restorers if isinstance(each, NeuralRestorer)]
    known = np.zeros(len(store), dtype=bool)
    for card in cards:
        known |= known_mask(card.training.get("trained_ids", ""), store.ids)
    return known


def _summary(values: NDArray[np.float64]) -> Summary:
    good = values[np.isfinite(values)]
    if not good.size:
        return Summary(float("nan"), float("nan"), 0)
    error = good.std(ddof=1) / np.sqrt(good.size) if good.size > 1 else float("nan")
    return Summary(float(good.mean()), float(error), int(good.size))

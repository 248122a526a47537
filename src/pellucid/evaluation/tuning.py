"""The constant of a classical method that serves a metric best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from pellucid.evaluation.scores import Scoring, score_pair
from pellucid.restoration import ClassicalRestorer
from pellucid.sky import Pair

Constant = TypeVar("Constant", int, float)


def best_constant(
    method: str,
    constants: Sequence[Constant],
    pairs: Mapping[str, Pair],
    scoring: Scoring,
    metric: str,
    one_peak: bool = False,
) -> Constant:
    """The one of the constants with the highest mean of a metric over pairs.

    Parameters
    ----------
    method
        A name in `pellucid.deconvolution.METHODS`.
    constants
        Of `ClassicalRestorer`.
    pairs
        By the objects' ids.
    metric
        A number of ``scoring.metrics``; more is better.
    one_peak
        It rises to one peak and falls: what comes after that is not tried.
    """
    best, highest = constants[0], -math.inf
    for constant in constants:
        restorer = {method: ClassicalRestorer(method, constant)}
        scored = [score_pair(name, pair, restorer, scoring) for name, pair in pairs.items()]
        merit = float(np.mean([some.metrics[method][metric] for some in scored]))
        if merit > highest:
            best, highest = constant, merit
        elif one_peak:
            break
    return best

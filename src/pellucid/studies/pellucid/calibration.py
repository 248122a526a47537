"""By how much a network's spread is to be widened, from galaxies that it never saw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.scenes import ScenePairs, SceneRecipe
from pellucid.data.truth import TruthStore
from pellucid.optics import object_rng
from pellucid.restoration import Restorer
from pellucid.restoration.calibration import LEAST
from pellucid.sky import Pair
from pellucid.studies.pellucid.views import SIDE, places

#: Views of each galaxy.
VIEWS = 40
#: Pixels of each view, band and place that are looked at.
PIXELS = 300
#: Of the signal over noise of the brightest pixel: the least, the most, and what it may be at most
#: where truth has noise of its own, which a view's must drown.
FAINTEST, BRIGHTEST, CLEAR = 4.0, 500.0, 0.6
#: Places of the table along each of its sides, and the fewest pixels that tell one of them.
SPREADS, LIGHTS, FEWEST = 8, 8, 2000
#: Least distance of two places, in the logarithm.
APART = 0.05


def learn_calibration(
    truth: TruthStore, galaxies: Iterable[int], model: Restorer
) -> dict[str, Any]:
    """The table of `pellucid.restoration.calibration.calibrated`.

    Parameters
    ----------
    galaxies
        That the model has not seen.
    model
        Without a table.
    """
    found = []
    for index in galaxies:
        brightest = min(BRIGHTEST, CLEAR / max(float(truth.noise[index]), 1e-6))
        if brightest < 2.0 * FAINTEST:
            continue
        recipe = SceneRecipe(
            size=SIDE, native=0.0, peak=(FAINTEST, brightest), damaged=0.0, dazzling=0.0
        )
        scenes = ScenePairs(truth, recipe)
        for number in range(VIEWS):
            rng = object_rng(number, truth.ids[index])
            found += _seen(scenes.draw(index, rng), model, rng)
    return _table(np.concatenate(found, axis=1)) if found else {}


def _seen(pair: Pair, model: Restorer, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Spread, light, error over spread, and weight of some pixels; sky, disc and core alike."""
    restored = model(pair.blurred, blur=pair.blur)
    assert restored.uncertainty is not None
    sky = np.array(pair.blurred.sky)[:, None, None]
    light, truth = restored.image.flux - sky, pair.sharp.flux - sky
    found = []
    for where in places(truth).values():
        pixels = np.flatnonzero(where)
        if not len(pixels):
            continue
        some = rng.choice(pixels, min(len(pixels), len(truth) * PIXELS), replace=False)
        spread = restored.uncertainty.ravel()[some].astype(np.float64)
        off = np.abs(light - truth).ravel()[some] / spread
        weight = np.full(len(some), 1.0 / len(some))  # discs are small beside their sky
        found.append(np.stack([spread, light.ravel()[some], off, weight]))
    return found


def _table(found: NDArray[np.float64]) -> dict[str, Any]:
    spread, light, off, weight = found
    depths = [np.log10(np.maximum(value, LEAST)) for value in (spread, light)]
    nodes = [_nodes(depth, count) for depth, count in zip(depths, (SPREADS, LIGHTS), strict=True)]
    # Each pixel tells of the node that is nearest.
    row, column = (
        np.searchsorted(0.5 * (node[1:] + node[:-1]), depth)
        for node, depth in zip(nodes, depths, strict=True)
    )
    table: dict[str, Any] = {"spread": nodes[0].tolist(), "light": nodes[1].tolist()}
    for name, share in (("within_68", 0.6827), ("within_95", 0.95)):
        table[name] = []
        for k in range(len(nodes[0])):
            of_it = row == k
            # What few pixels tell is taken from all that have such a spread.
            alike = [of_it & (column == other) for other in range(len(nodes[1]))]
            told = [some if some.sum() >= FEWEST else of_it for some in alike]
            factors = [_quantile(off[some], weight[some], share) for some in told]
            table[name].append([round(factor, 3) for factor in factors])
    return table


def _nodes(depth: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Places in the middle of equally many pixels each, but a few hundredths apart."""
    nodes: list[float] = []
    for node in np.quantile(depth, (np.arange(count) + 0.5) / count):
        if not nodes or node > nodes[-1] + APART:
            nodes.append(round(float(node), 3))
    return np.array(nodes if len(nodes) > 1 else [*nodes, nodes[0] + APART])


def _quantile(values: NDArray[np.floating], weights: NDArray[np.floating], share: float) -> float:
    if not len(values):
        return 1.0
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, share * total[-1])])

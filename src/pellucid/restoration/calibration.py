"""How wide an uncertainty must be to be true, as measured on objects that no training saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.sky.blocks import blocks

#: Below this, in units of the noise, all light and all spreads are alike.
LEAST = 1e-3


def calibrated(
    spread: NDArray[np.float32], light: NDArray[np.floating], table: Mapping[str, Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Half of the ranges that hold 68 and 95 % of true pixels.

    The two are not in a Gaussian's ratio: detail that is missed is missed by much.

    Parameters
    ----------
    spread
        What a network says of its own error, shape (band, y, x), in units of the image's noise.
    light
        What it restored, above the sky, in the same unit.
    table
        Of the model's card: ``spread`` and ``light``, the places of the table in their decimal
        logarithms, and there ``within_68`` and ``within_95``, shape (spread, light), by how much
        the spread is to be multiplied. Empty for a network whose spread is taken as it is.

    Returns
    -------
    deviation, range_95
        As ``spread``.
    """
    if not table:
        return spread, np.float32(1.96) * spread
    deviation, range_95 = np.empty_like(spread), np.empty_like(spread)
    factors = [np.asarray(table[name], dtype=np.float32) for name in ("within_68", "within_95")]
    for rows in blocks(spread.shape[1]):
        some = spread[:, rows]
        places = [
            _place(value, np.asarray(table[name]))
            for name, value in (("spread", some), ("light", light[:, rows]))
        ]
        for width, factor in zip((deviation, range_95), factors, strict=True):
            width[:, rows] = some * _between(factor, *places)
    return deviation, range_95


def _place(
    value: NDArray[np.floating], nodes: NDArray[np.floating]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Which node lies before each value, and how far it is from there to the next."""
    depth = np.log10(np.maximum(value, LEAST))
    place = np.interp(depth, nodes, np.arange(len(nodes)))
    before = np.minimum(place.astype(np.intp), len(nodes) - 2)
    return before, (place - before).astype(np.float32)


def _between(
    factor: NDArray[np.float32],
    row: tuple[NDArray[np.intp], NDArray[np.float32]],
    column: tuple[NDArray[np.intp], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """A table read between its nodes, linearly."""
    (y, down), (x, along) = row, column
    above = factor[y, x] + along * (factor[y, x + 1] - factor[y, x])
    below = factor[y + 1, x] + along * (factor[y + 1, x + 1] - factor[y + 1, x])
    return np.asarray(above + down * (below - above), dtype=np.float32)

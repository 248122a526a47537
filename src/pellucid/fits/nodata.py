"""Pixels that hold a value and no data: a border of one value, a number that stands for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

#: What programs write where there is nothing to write, wherever it stands.
SENTINELS = (-99.0, -999.0, -9999.0, -99999.0, -32768.0, -1e30, 1e30, -1e32, 1e32, -1e35, 1e35)
#: A border counts from this share of the frame on, and from a run of so many pixels along an edge,
#: or of an eighth of it.
_LEAST_SHARE = 0.005
_LEAST_RUN = 8
#: Where the value is as common as this inside, it is what the detector measured there.
_MOST_INSIDE = 0.2
#: So many of the data lie on either side of a border's value, or else so far off that their lowest
#: hundredth has this share of their median.
_LEAST_SIDE = 0.02
_PEDESTAL = 0.1
#: A noise of so many times the usual one: no detector's pixel, however bright, spans as much.
ABSURD = 1e4
#: So many values are looked for, one after the other.
_MOST_VALUES = 4
#: How often a sentinel must stand there; as the lowest or highest value of all it says nothing.
_LEAST_COUNT = 8


def all_empty_pixels(
    plane: NDArray[np.floating],
) -> Iterator[tuple[NDArray[np.bool_], float]]:
    """Each value that stands for no data and where: a border of zeros may lie beside one of −99."""
    left = plane
    for _ in range(_MOST_VALUES):
        found = empty_pixels(left)
        if found is None:
            return
        yield found
        left = np.where(found[0], np.float32(np.nan), left)


def where_empty(
    plane: NDArray[np.floating], values: Sequence[float]
) -> Iterator[tuple[NDArray[np.bool_], float]]:
    """The same in a window of a frame of which these are known to stand for no data.

    What stands at its edge in lines thinner than three pixels is not found.
    """
    for value in {*values, *(_FLOAT32_SENTINELS & set(_extremes(plane)))}:
        same = plane == value
        found = same if value in _FLOAT32_SENTINELS else _solid(same)
        if found.any():
            yield found, value


def empty_pixels(plane: NDArray[np.floating]) -> tuple[NDArray[np.bool_], float] | None:
    """Where one value stands for no data, and that value; None where there is none.

    Either it is one of `SENTINELS`, the lowest or the highest value of the plane, and repeated; or
    it fills a border: all that straight lines from the edges reach through it alone, a good part
    of the frame, and inside hardly anything but what is as solid.

    Parameters
    ----------
    plane
        Shape (y, x), any unit; pixels that are not finite have no data anyway.
    """
    for value in _extremes(plane):
        if value in _FLOAT32_SENTINELS:
            empty = plane == value
            if empty.sum() >= min(_LEAST_COUNT, plane.size // 50):
                return empty, float(value)
    value = _edge_value(plane)
    if value is None:
        return None
    same = plane == value
    border = _border(same)
    inside = same.sum() - border.sum()
    rest = same.size - border.sum()
    if border.mean() < _LEAST_SHARE or rest == 0 or inside > _MOST_INSIDE * rest:
        return None
    return (border | _solid(same), value) if _stands_apart(plane[~same], value) else None


_FLOAT32_SENTINELS = frozenset(float(np.float32(value)) for value in SENTINELS)


def _stands_apart(data: NDArray[np.floating], value: float) -> bool:
    """Whether data do not fade into the value, as the light of a noiseless galaxy does into 0.

    Noise about a subtracted sky has both signs; a sky that is there stands well above.
    """
    above = data[np.isfinite(data)].astype(np.float64) - value
    if not above.size or above.min() == above.max():
        return False
    if above.min() < 0.0 < above.max():
        return bool(min(np.mean(above < 0), np.mean(above > 0)) > _LEAST_SIDE)
    low, middle = np.percentile(np.abs(above), (1, 50))
    return bool(low > _PEDESTAL * middle)


def _extremes(plane: NDArray[np.floating]) -> tuple[float, float]:
    # NaN takes no part, nor do infinities, which have no data already.
    finite = np.isfinite(plane)
    low = np.min(plane, where=finite, initial=np.inf)
    high = np.max(plane, where=finite, initial=-np.inf)
    return float(low), float(high)


def _edge_value(plane: NDArray[np.floating]) -> float | None:
    """The value of the longest run of equal pixels along the four edges."""
    longest, value = 0, None
    for line in (plane[0], plane[-1], plane[:, 0], plane[:, -1]):
        changes = np.flatnonzero(line[1:] != line[:-1])
        starts = np.concatenate([[0], changes + 1])
        runs = np.diff(np.concatenate([starts, [line.size]]))
        runs[~np.isfinite(line[starts])] = 0
        k = int(runs.argmax())
        if runs[k] > longest and runs[k] >= min(max(_LEAST_RUN, line.size // 8), line.size):
            longest, value = int(runs[k]), float(line[starts[k]])
    return value


def _border(same: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What straight lines from the four edges reach through ``same`` alone."""
    reached = np.zeros_like(same)
    for axis in (0, 1):
        reached |= np.logical_and.accumulate(same, axis=axis)
        reached |= np.flip(np.logical_and.accumulate(np.flip(same, axis), axis=axis), axis)
    return reached


def _solid(same: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What lies in a full square of 3 × 3: a gap between chips, not a pixel that happens to be."""
    if min(same.shape) < 3:
        return np.zeros_like(same)
    full = np.lib.stride_tricks.sliding_window_view(same, (3, 3)).all(axis=(2, 3))
    solid = np.zeros_like(same)
    height, width = same.shape[0] - 2, same.shape[1] - 2
    for dy in range(3):
        for dx in range(3):
            solid[dy : dy + height, dx : dx + width] |= full
    return solid


def absurd_noise(variance: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Where a stated noise is so large that it says no data (1e16 among 4), shape (band, y, x).

    It is held against the median of its band. A value that stands for no data may fill more than
    half of the frame; so the largest has no vote.

    Parameters
    ----------
    variance
        Shape (band, y, x), any unit; what is not finite or not above 0 says nothing.
    """
    absurd = np.zeros(variance.shape, dtype=bool)
    step = 1 + max(variance.shape[1:]) // 512
    for plane, found in zip(variance, absurd, strict=True):
        some = plane[::step, ::step]
        some = some[np.isfinite(some) & (some > 0)]
        some = some[some < some.max(initial=0.0)]
        if some.size:
            np.greater(plane, ABSURD**2 * np.median(some).astype(np.float64), out=found)
    return absurd


def only_value(plane: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> float | None:
    """The value of all pixels of a plane (y, x) that have data, where they have only one."""
    step = 1 + max(plane.shape) // 64
    for part in (slice(None, None, step), slice(None)):  # few of them tell of most images
        good = np.isfinite(plane[part])
        values = plane[part][good if mask is None else good & ~mask[part]]
        if values.size and values.min() != values.max():
            return None
    return float(values[0]) if values.size else None

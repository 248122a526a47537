"""Held-back galaxies at chosen depths and blurs: flux, shapes, and whether doubt is true."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.scenes import ScenePairs, SceneRecipe
from pellucid.data.truth import TruthStore
from pellucid.evaluation.scores import UNTOUCHED, Scoring, Untouched, score_pair
from pellucid.evaluation.tables import finite, markdown_table
from pellucid.metrics import find_source
from pellucid.restoration import Restoration, Restorer, load_restorer
from pellucid.sky import Pair
from pellucid.stretch import NoiseStretch

#: Signal over noise of the brightest pixel, and FWHM of the blur in pixels.
PEAKS = (10.0, 30.0, 100.0, 300.0)
BLURS = (2.5, 4.5, 7.5)
METHODS = ("wiener", "richardson-lucy")
#: Where the truth is fainter than this many standard deviations is sky; where it is brighter than
#: this fraction of its peak is core; between them lies the disc.
SKY, CORE = 1.0, 0.3
PLACES = ("sky", "disc", "core")
SIDE = 160


def measure_views(
    store: TruthStore, indices: Iterable[int], model: Restorer
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Numbers of each view and restorer, and how often the truth lies within the uncertainty.

    Returns
    -------
    rows
        One a view and restorer: what `pellucid.metrics` says of psnr and source, and ``noise``, the
        scatter of the aperture's flux ratio that the sky's noise alone makes.
    intervals
        One a view and place: ``pixels``, and of these how many lie ``within_68`` and ``within_95``.
    """
    restorers: dict[str, Restorer] = {UNTOUCHED: Untouched(), model.name: model}
    restorers |= {name: load_restorer(method=name) for name in METHODS}
    scoring = Scoring(metrics=("psnr", "source"), stretch=NoiseStretch())
    rows, intervals = [], []
    for index in indices:
        for peak in PEAKS:
            for blur in BLURS:
                pair = view(store, index, peak, blur)
                at = {"id": store.ids[index], "peak": peak, "blur": blur}
                scored = score_pair(store.ids[index], pair, restorers, scoring)
                noise = _flux_noise(pair)
                for name, metrics in scored.metrics.items():
                    rows.append(finite({**at, "restorer": name, "noise": noise, **metrics}))
                for place, counts in covered(pair, scored.restored[model.name]).items():
                    intervals.append({**at, "place": place, **counts})
    return rows, intervals


def view(store: TruthStore, index: int, peak: float, blur: float) -> Pair:
    """One galaxy with a neighbour or none, blurred by a made or real kernel of this width."""
    recipe = SceneRecipe(
        size=SIDE,
        target=(2.25, 2.25),
        blur=(blur, blur),
        peak=(peak, peak),
        neighbours=1,
        stars=1,
        native=0.0,
        damaged=0.0,
        dazzling=0.0,
    )
    return ScenePairs(store, recipe).pair(index)


def covered(pair: Pair, restored: Restoration) -> dict[str, dict[str, int]]:
    """How many true pixels lie within what should hold 68 and 95 %, by place."""
    assert restored.uncertainty is not None
    assert restored.range_95 is not None
    truth = pair.sharp.flux
    off = np.abs(restored.image.flux - truth)
    counts = {}
    for name, where in places(truth).items():
        counts[name] = {
            "pixels": int(where.sum()),
            "within_68": int((off < restored.uncertainty)[where].sum()),
            "within_95": int((off < restored.range_95)[where].sum()),
        }
    return counts


def places(truth: NDArray[np.floating]) -> dict[str, NDArray[np.bool_]]:
    """Which pixels of a scene in units of the noise, shape (band, y, x), are sky, disc and core."""
    core = truth > CORE * truth.max(axis=(1, 2), keepdims=True)
    sky = truth < SKY
    return dict(zip(PLACES, (sky, ~sky & ~core, core & ~sky), strict=True))


def intervals_page(intervals: list[dict[str, Any]]) -> str:
    """Coverage by depth and place."""
    lines = []
    for peak in PEAKS:
        cells = []
        for place in PLACES:
            of_it = [row for row in intervals if row["peak"] == peak and row["place"] == place]
            pixels = max(sum(row["pixels"] for row in of_it), 1)
            for width in ("within_68", "within_95"):
                cells.append(f"{100.0 * sum(row[width] for row in of_it) / pixels:.1f}")
        lines.append([f"{peak:g}", *cells])
    headings = ["peak S/N"] + [f"{place} {width}" for place in PLACES for width in ("68 %", "95 %")]
    return markdown_table(headings, lines)


def views_page(rows: list[dict[str, Any]]) -> str:
    """Gain, flux, colours and shapes by depth and restorer: median, and half the 16–84 % range."""
    names = list(dict.fromkeys(row["restorer"] for row in rows))
    lines = []
    for peak in PEAKS:
        for name in names:
            of_it = [row for row in rows if row["peak"] == peak and row["restorer"] == name]
            psnr = float(np.nanmean(_values(of_it, "psnr")))
            flux, flux_spread = _spread(of_it, "flux_ratio")
            size, size_spread = _spread(of_it, "half_light_radius_ratio")
            lines.append(
                [
                    f"{peak:g}",
                    name,
                    f"{psnr:.2f}",
                    f"{flux:.4f} ± {flux_spread:.4f}",
                    f"{_middle(of_it, 'noise'):.4f}",
                    f"{_middle(of_it, 'colour_error_red_green'):.4f}",
                    f"{size:.3f} ± {size_spread:.3f}",
                    f"{_middle(of_it, 'ellipticity_error'):.3f}",
                ]
            )
    headings = ["peak S/N", "restorer", "PSNR [dB]", "flux ratio", "noise of the sky", "|Δ colour|"]
    return markdown_table([*headings, "radius ratio", "|Δe|"], lines, left=2)


def _flux_noise(pair: Pair) -> float:
    """Standard deviation of the flux ratio in the source's aperture from the sky's noise alone."""
    source = find_source(pair.sharp.flux)
    if source is None:
        return float("nan")
    y, x = np.indices(pair.sharp.flux.shape[1:])
    inside = np.hypot(y - source.center[0], x - source.center[1]) < source.radius
    flux = float(pair.sharp.flux.mean(axis=0)[inside].sum())
    return float(np.sqrt(inside.sum() / len(pair.sharp.flux)) / flux) if flux > 0 else float("nan")


def _values(rows: list[dict[str, Any]], key: str) -> NDArray[np.float64]:
    values = np.array([row.get(key, np.nan) for row in rows], dtype=np.float64)
    return values[np.isfinite(values)]


def _middle(rows: list[dict[str, Any]], key: str) -> float:
    values = _values(rows, key)
    return float(np.median(values)) if values.size else float("nan")


def _spread(rows: list[dict[str, Any]], key: str) -> tuple[float, float]:
    values = _values(rows, key)
    if not values.size:
        return float("nan"), float("nan")
    low, middle, high = np.quantile(values, (0.16, 0.5, 0.84))
    return float(middle), float(0.5 * (high - low))

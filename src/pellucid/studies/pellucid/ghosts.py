"""Does a restoration draw what is not there, and does its doubt say so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.halving import enlarge
from pellucid.data.truth import TruthStore
from pellucid.evaluation.tables import markdown_table
from pellucid.optics import object_rng
from pellucid.restoration import Restorer
from pellucid.restoration.doubt import doubt_of
from pellucid.sky import SkyImage, gaussian_psf
from pellucid.sky.psf import FWHM_PER_SIGMA
from pellucid.sources import detect
from pellucid.studies.pellucid.views import BLURS, PEAKS, view

#: Sides of a field of the sky alone, and how many of each kind.
SIDE, FIELDS = 256, 6
NOISES = ("white", "of halved pixels")
#: A ghost is brighter than a point source of so many standard deviations in the image.
SIGMAS = 5.0
#: Standard deviations of a planted ghost's peak, and how many are planted in a view.
PLANTED, COUNT = (6.0, 30.0), 12
TARGET = 2.25


def measure_ghosts(
    store: TruthStore, indices: Iterable[int], model: Restorer, fields: int = FIELDS
) -> dict[str, list[dict[str, Any]]]:
    """``blank``: sources drawn in skies without any; ``planted``: false detail, and its doubt."""
    blank = [
        {"noise": noise, "blur": blur, **_drawn_in_blank(model, noise, blur, number)}
        for noise in NOISES
        for blur in BLURS
        for number in range(fields)
    ]
    planted = [
        {"id": store.ids[index], "peak": peak, "blur": blur,
         **_planted(store, index, peak, blur, model)}
        for index in indices
        for peak in PEAKS
        for blur in BLURS
    ]  # fmt: skip
    return {"blank": blank, "planted": planted}


def _drawn_in_blank(model: Restorer, noise: str, blur: float, number: int) -> dict[str, int]:
    rng = object_rng(number, f"{noise} {blur}")
    sky = rng.standard_normal((3, SIDE, SIDE), dtype=np.float32)
    if noise != NOISES[0]:
        sky = enlarge(sky[:, : SIDE // 2, : SIDE // 2], sky.shape)
    image = SkyImage(sky, ("g", "r", "i"), sky=(0.0,) * 3, variance=np.ones_like(sky),
                     pixel_scale=1.0)  # fmt: skip
    result = model(image, gaussian_psf(blur, 1.0))
    # Flux of a point source at this significance in white noise, k σ 2√π s.
    limit = SIGMAS * 2.0 * np.sqrt(np.pi) * np.hypot(blur, TARGET) / FWHM_PER_SIGMA
    ghosts = undoubted = 0
    for band, plane in enumerate(result.image.flux):
        sources = detect(plane - np.median(plane), 0.5, fwhm=TARGET)
        for k in np.flatnonzero(sources.flux > limit):
            ghosts += 1
            where = sources.segments == k + 1
            sure = result.doubt is None or float(result.doubt[band][where].max()) < 0.5
            undoubted += int(sure)
    return {"pixels": int(sky.size), "ghosts": ghosts, "undoubted": undoubted}


def _planted(
    store: TruthStore, index: int, peak: float, blur: float, model: Restorer
) -> dict[str, int]:
    """Points, of the target's width, added to a restoration: how many are doubted."""
    pair = view(store, index, peak, blur)
    result = model(pair.blurred, pair.blur)
    assert result.uncertainty is not None
    assert pair.blur is not None
    rng = object_rng(2, store.ids[index])
    flux = result.image.flux.copy()
    side = flux.shape[1]
    places = rng.integers(16, side - 16, (COUNT, 2))
    heights = np.exp(rng.uniform(np.log(PLANTED[0]), np.log(PLANTED[1]), COUNT))
    for (y, x), height in zip(places, heights, strict=True):
        flux += (height * result.uncertainty[:, y, x])[:, None, None] * _point(side, y, x)
    stamps = pair.blur.for_bands(len(flux))
    doubt = doubt_of(flux, result.uncertainty, pair.blurred.flux, stamps, np.ones_like(flux)).doubt
    caught = sum(bool(doubt[:, y, x].max() > 0.5) for y, x in places)
    return {"planted": COUNT, "doubted": caught}


def _point(side: int, y: int, x: int) -> NDArray[np.float32]:
    rows, columns = np.ogrid[:side, :side]
    distance2 = (rows - y) ** 2 + (columns - x) ** 2
    return np.exp(-4.0 * np.log(2.0) * distance2 / TARGET**2).astype(np.float32)


def ghosts_page(found: dict[str, list[dict[str, Any]]]) -> str:
    """Ghosts in a million pixels of blank sky by noise and blur, and the share of planted ones."""
    lines = []
    for noise in NOISES:
        for blur in BLURS:
            own = [row for row in found["blank"] if (row["noise"], row["blur"]) == (noise, blur)]
            pixels = sum(row["pixels"] for row in own)
            cells = (1e6 * sum(row[key] for row in own) / pixels for key in ("ghosts", "undoubted"))
            lines.append([noise, f"{blur:g}", *(f"{value:.2f}" for value in cells)])
    headings = ["noise", "blur [pixels]", "ghosts in 10⁶", "of these not doubted"]
    parts = [markdown_table(headings, lines, left=1)]
    lines = []
    for peak in PEAKS:
        own = [row for row in found["planted"] if row["peak"] == peak]
        share = sum(row["doubted"] for row in own) / max(sum(row["planted"] for row in own), 1)
        lines.append([f"{peak:g}", f"{100 * share:.1f} %"])
    parts.append(markdown_table(["peak S/N", "planted ghosts that are doubted"], lines))
    return "\n\n".join(parts)

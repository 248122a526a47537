"""Restorations beside the truth, with their uncertainty and their doubt, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.data.truth import TruthStore
from pellucid.evaluation.figures import Panel, draw_comparison
from pellucid.evaluation.scores import Scoring, score_pair
from pellucid.restoration import Restorer, load_restorer
from pellucid.stretch import NoiseStretch
from pellucid.studies.pellucid.views import view

#: Held-back galaxies, by what is to be looked for in them.
GALLERY = {
    "spiral": "zoo/gama-gama-5_a-0_2",
    "loose spiral": "zoo/gama-gama-2_a-0_1",
    "bar": "decals/J112155.47+025821.4",
    "ring": "decals/J114910.11+084156.2",
    "edge-on": "zoo/gama-gama-1_a-0_4",
    "merger": "decals/J231925.09+055422.0",
    "clumps": "zoo/goods_full-goods_full-2_a-0_2",
    "tidal": "decals/J141934.31+043824.1",
}
#: Signal over noise of the brightest pixel, and FWHM of the blur in pixels.
DEPTHS, BLUR = (10.0, 30.0, 100.0, 300.0), 4.5
METHOD = "richardson-lucy"
HEADINGS = ("seen", "Richardson–Lucy", "{}", "truth", "uncertainty", "doubt")
#: Standard deviations of the sky at which pictures bend from linear to logarithmic, and of which
#: white is this share of the truth's peak.
SOFT, WHITE = 2.0, 0.6


def draw_gallery(store: TruthStore, model: Restorer, folder: Path) -> list[Path]:
    """One figure a depth, ``gallery-10.png`` and so on; galaxies that are not there are left out.

    Uncertainty is in units of the input's noise, black 0 and white 3 or more; doubt is white at 1.
    """
    places = {name: store.ids.index(own) for name, own in GALLERY.items() if own in store.ids}
    figures = []
    for peak in DEPTHS if places else ():
        rows = [_row(store, index, peak, model) for index in places.values()]
        headings = [text.format(model.name) for text in HEADINGS]
        title = f"peak signal over noise {peak:g}, blur of {BLUR:g} pixels"
        path = folder / f"gallery-{peak:g}.png"
        figures.append(draw_comparison(rows, headings, list(places), path, title, overwrite=True))
    return figures


def _row(store: TruthStore, index: int, peak: float, model: Restorer) -> Sequence[Panel]:
    pair = view(store, index, peak, BLUR)
    restorers = {METHOD: load_restorer(method=METHOD), model.name: model}
    scored = score_pair(store.ids[index], pair, restorers, Scoring(("psnr",), NoiseStretch()))
    white = WHITE * float(pair.sharp.flux.max())
    found = scored.restored[model.name]
    panels = [Panel(_picture(pair.blurred.flux, white), f"S/N {peak:g}")]
    for name, restored in scored.restored.items():
        note = f"{scored.metrics[name]['psnr']:.1f} dB"
        panels.append(Panel(_picture(restored.image.flux, white), note))
    panels.append(Panel(_picture(pair.sharp.flux, white)))
    for plane, most in ((found.uncertainty, 3.0), (found.doubt, 1.0)):
        if plane is not None:
            panels.append(Panel(_grey(plane.mean(axis=0) / most)))
    return panels


def _picture(flux: NDArray[np.float32], white: float) -> NDArray[np.uint8]:
    """Colours, first band red, in one stretch for all pictures of a galaxy."""
    value = np.arcsinh(flux[[0, len(flux) // 2, -1]] / SOFT) / np.arcsinh(white / SOFT)
    return (255 * np.clip(value, 0.0, 1.0)).astype(np.uint8).transpose(1, 2, 0)


def _grey(value: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.repeat((255 * np.clip(value, 0.0, 1.0)).astype(np.uint8)[:, :, None], 3, axis=2)
